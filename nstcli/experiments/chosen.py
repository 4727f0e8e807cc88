"""Which pictures of an experiment are wanted: by their cells, or by what holds of them.

The pictures are a table: each variant is a column with letters, in the order of the sweep, and
each pair a row with a number, in the order of the batch. `b2` is what the second variant makes of
the second pair, `b` all that it makes, and `2` the second pair under every variant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nstcli.errors import InputError
from nstcli.experiments.file import SWEPT, label_of
from nstcli.experiments.sweep import Sweep
from nstcli.experiments.variant import Variant
from nstcli.experiments.where import where
from nstcli.plan.pair import Pair
from nstcli.terms import Role
from nstcli.text import stored

_CELL = re.compile(r"([a-z]{0,6})([0-9]{0,9})")
_LETTERS = 26
_ROLES: tuple[Role, ...] = ("content", "style")


@dataclass(frozen=True)
class Cell:
    """A column, a row, or where they meet, counted from 0; None is any."""

    column: int | None
    row: int | None

    def __str__(self) -> str:
        letters = "" if self.column is None else column_name(self.column)
        return letters + ("" if self.row is None else f"{self.row + 1}")


def column_name(number: int) -> str:
    """Name a column, counted from 0: `a` to `z`, `aa` and so on."""
    name, number = "", number + 1
    while number:
        number, letter = divmod(number - 1, _LETTERS)
        name = chr(ord("a") + letter) + name
    return name


def cells(text: str) -> tuple[Cell, ...]:
    """Read `b2,c4`; a column or a row alone is all of it.

    Raises:
        InputError: it is no list of such.
    """
    found = []
    for item in filter(None, map(str.strip, text.lower().split(","))):
        match = _CELL.fullmatch(item)
        if not match or match[2].startswith("0"):
            raise InputError(
                f"--cells '{text}': '{item}' should be letters for the column and a number for "
                "the row, b2; or one of both for all of it"
            )
        column = 0
        for letter in match[1]:
            column = column * _LETTERS + ord(letter) - ord("a") + 1
        found.append(
            Cell(column - 1 if match[1] else None, int(match[2]) - 1 if match[2] else None)
        )
    if not found:
        raise InputError(f"--cells '{text}' names no cell; see: --dry-run")
    return tuple(found)


def addresses(columns: Sequence[Sequence[Pair]]) -> dict[str, str]:
    """Return the cells of all results, by their names; a single column needs no letter."""
    one = len(columns) == 1
    return {
        pair.output: str(Cell(None if one else column, row))
        for column, pairs in enumerate(columns)
        for row, pair in enumerate(pairs)
    }


def in_cells(columns: Sequence[Sequence[Pair]], wanted: Sequence[Cell]) -> set[str]:
    """Return the names of the results that lie in these cells.

    Raises:
        InputError: there is no such cell.
    """
    rows = max(map(len, columns), default=0)
    found: set[str] = set()
    for cell in wanted:
        if (cell.column or 0) >= len(columns) or (cell.row or 0) >= rows:
            raise InputError(
                f"--cells: there is no {cell}; columns are a to {column_name(len(columns) - 1)}, "
                f"rows 1 to {rows}"
            )
        for pairs in columns if cell.column is None else [columns[cell.column]]:
            meant = pairs if cell.row is None else [pairs[cell.row]]
            found.update(pair.output for pair in meant)
    return found


def which(text: str, sweep: Sweep, choices: Mapping[str, Any]) -> Callable[[Variant], set[str]]:
    """Read an expression; return what tells which of a variant's results it means.

    It knows `content` and `style` by their names, with or without suffix, and every option of the
    recipe: what varies by its value or its label, the rest as it was chosen.

    Raises:
        InputError: the expression cannot be read.
    """
    test = where(text, [*SWEPT, *_ROLES])

    def names(variant: Variant) -> set[str]:
        facts = dict(_facts(variant, sweep, choices))
        return {
            pair.output
            for pair in variant.pairs
            if test({**facts, **{role: _called(pair, role) for role in _ROLES}})
        }

    return names


def _facts(
    variant: Variant, sweep: Sweep, choices: Mapping[str, Any]
) -> Iterator[tuple[str, Sequence[str | float]]]:
    labels = {axis.key: value.label for axis, value in zip(sweep.axes, variant.point, strict=True)}
    chosen = {**choices, **variant.changes}
    for key, setting in SWEPT.items():
        value = chosen.get(setting.field)
        known: list[str | float] = [labels[key]] if key in labels else []
        if isinstance(value, int | float) and not isinstance(value, bool):
            known.append(value)
        elif value is not None:
            known.append(label_of(value))
        yield key, known


def _called(pair: Pair, role: Role) -> list[str]:
    return [
        name
        for each in pair.inputs
        if each.role == role
        for name in (stored(each.path.name), stored(each.path.stem))
    ]
