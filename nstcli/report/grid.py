"""The results of an output folder as a table: a content is a row, a style a column.

Settings that vary are further axes of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from nstcli.errors import InputError
from nstcli.report.varying import UNKNOWN, Axis, read_order, varying
from nstcli.results.folder import Store
from nstcli.results.records import Failure, Measured, Record

# Between the artworks of one style, with spaces that hardly any name of a file has.
_BESIDE = "\N{NO-BREAK SPACE}+\N{NO-BREAK SPACE}"
# Points of a loss curve: one for every six pixels of its drawing.
_POINTS = 50


@dataclass(frozen=True)
class LabelledInput:
    """A content or a style.

    Attributes:
        path: as its first record names it; of a style of several artworks, what they are and how
            much each counts.
        sha256: of its bytes; empty where failed pairs alone tell of it, and of several artworks.
        label: its name, with as much behind it as tells it from others.
    """

    path: str
    sha256: str
    label: str

    @property
    def missing(self) -> str:
        """What is said in place of its picture, where there is none."""
        return "several artworks" if _BESIDE in self.path else "not found"


@dataclass(frozen=True)
class GridPair:
    """A pair in its place.

    Attributes:
        output: name of its result in the output folder.
        content: number of its row.
        style: number of its column.
        known: its record, with what can be drawn of its loss curve; or why it could not be made.
        settings: numbers of its values of the settings that vary.
        variant: the same for people: what tells it from others of its row and column; may be empty.
        measured: what was measured of it.
    """

    output: str
    content: int
    style: int
    known: Record | Failure
    settings: tuple[int, ...] = ()
    variant: str = ""
    measured: Measured | None = None

    @property
    def at(self) -> tuple[int, ...]:
        """Return its place among contents, styles and the values of each setting."""
        return self.content, self.style, *self.settings


@dataclass(frozen=True)
class Grid:
    """The table: rows and columns by name, and the pairs of each cell in order.

    Attributes:
        contents, styles: rows and columns.
        settings: that vary, with several values each.
        pairs: by row, column and settings.
    """

    contents: tuple[LabelledInput, ...]
    styles: tuple[LabelledInput, ...]
    settings: tuple[Axis, ...]
    pairs: tuple[GridPair, ...]

    @cached_property
    def cells(self) -> Mapping[tuple[int, int], Sequence[GridPair]]:
        """The pairs of each row and column that has any, results before failures."""
        found: dict[tuple[int, int], list[GridPair]] = {}
        for pair in self.pairs:
            found.setdefault((pair.content, pair.style), []).append(pair)
        return found


def read_grid(folder: Path) -> Grid:
    """Arrange what the records of an output folder tell.

    Raises:
        InputError: there is no folder, or no record in it.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder: '{folder}'; name the -o of a batch")
    store = Store(folder)
    # Ten thousand whole curves would take half a gigabyte.
    records = [
        (name, one.model_copy(update={"curve": thinned(one.curve, _POINTS)}))
        for name, one in store.records()
    ]
    failures = list(store.failures())
    if not records and not failures:
        raise InputError(
            f"no record of any result in '{folder}'; name the -o of a batch, or make one: "
            f"nst batch CONTENT STYLE -o '{folder}'"
        )
    made, missed = [known for _, known in records], [known for _, known in failures]
    contents, styles = (
        _Inputs([_of(r, role) for r in made], [_of(f, role)[0] for f in missed])
        for role in ("content", "style")
    )
    ended: list[tuple[str, Record | Failure]] = [*records, *failures]
    recipes = [(output, e.recipe if isinstance(e, Record) else None) for output, e in ended]
    varied = varying(recipes, read_order(store.layout)).several
    places = [{label: at for at, label in enumerate(axis.values)} for axis in varied.axes]
    pairs = [
        GridPair(
            output,
            contents.place(*_of(known, "content")),
            styles.place(*_of(known, "style")),
            known,
            tuple(place[label] for place, label in zip(places, labels, strict=True)),
            _said(varied.axes, labels),
            store.measured(output, known.output_sha256) if isinstance(known, Record) else None,
        )
        for (output, known), labels in zip(ended, varied.labels, strict=True)
    ]
    pairs.sort(key=lambda e: (e.content, e.style, isinstance(e.known, Failure), e.settings))
    return Grid(contents.inputs, styles.inputs, varied.axes, tuple(pairs))


def thinned(curve: Sequence[tuple[int, float]], most: int) -> tuple[tuple[int, float], ...]:
    """Return at most so many finite points of a curve, evenly, first and last among them."""
    points = [(step, loss) for step, loss in curve if math.isfinite(loss)]
    if len(points) > most:
        last = len(points) - 1
        points = [points[round(place * last / (most - 1))] for place in range(most)]
    return tuple(points)


def _said(settings: Sequence[Axis], labels: Sequence[str]) -> str:
    """Write the settings of a result in one line: `vgg19 · style weight 30`."""
    known = zip(settings, labels, strict=True)
    return " · ".join(axis.prefix + label for axis, label in known if label != UNKNOWN)


def _of(known: Record | Failure, role: str) -> tuple[str, str]:
    """Return the path and the digest of an input; of one that failed, its path alone.

    Several of one role are one input, which has no digest.
    """
    found = known.input(role)
    several = [each for each in known.inputs if each.role == role]
    if len(several) > 1:
        # So that mixtures sort from one artwork to the next.
        more = (f"{_name(each.path)} {100 * each.weight:02.0f} %" for each in several[1:])
        return _BESIDE.join([_name(found.path), *more]), ""
    return found.path, found.sha256 if isinstance(known, Record) else ""


class _Inputs:
    """The rows or the columns.

    The same bytes under the same name are one input, wherever the batch was started. A pair that
    failed tells a path alone: it belongs to the input of that path, or of that name.
    """

    def __init__(self, made: Iterable[tuple[str, str]], failed: Iterable[str]):
        paths: dict[tuple[str, str], str] = {}
        for path, sha256 in made:
            paths.setdefault((_name(path), sha256), path)
        self._by_path = {path: key for key, path in paths.items()}
        by_name = Counter(name for name, _ in paths)
        for path in failed:
            name = _name(path)
            if path in self._by_path:
                continue
            same = [key for key in paths if key[0] == name and key[1]]
            key = same[0] if by_name[name] == 1 and same else (path, "")
            paths.setdefault(key, path)
            self._by_path[path] = key
        names = labels([(path, key[1]) for key, path in paths.items()])
        inputs = [
            (key, LabelledInput(path, key[1], label))
            for (key, path), label in zip(paths.items(), names, strict=True)
        ]
        inputs.sort(key=lambda pair: (pair[1].label.casefold(), pair[1].label, pair[0]))
        self.inputs = tuple(found for _, found in inputs)
        self._places = {key: place for place, (key, _) in enumerate(inputs)}

    def place(self, path: str, sha256: str = "") -> int:
        """Return the number of an input, from 0."""
        return self._places[(_name(path), sha256) if sha256 else self._by_path[path]]


def _name(path: str) -> str:
    """Return the name of a file; of an input that results do not have, a dash."""
    return PurePath(path).name or path or "–"


def labels(inputs: Sequence[tuple[str, str]]) -> list[str]:
    """Name inputs (path, sha256) by their file names; longer where those are not unique."""
    forms: tuple[Callable[[str, str], str], ...] = (
        lambda path, sha256: _name(path),
        lambda path, sha256: path,
        lambda path, sha256: f"{path} ({sha256[:8] or 'failed'})",
    )
    found = [""] * len(inputs)
    for form in forms:
        candidates = [label or form(*known) for label, known in zip(found, inputs, strict=True)]
        taken = Counter(candidates)
        found = [label if taken[label] == 1 else "" for label in candidates]
    # Names are unique from the second form on, but for a hash with the same first digits.
    return [label or forms[-1](*known) for label, known in zip(found, inputs, strict=True)]
