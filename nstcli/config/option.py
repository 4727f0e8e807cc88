"""`Option`: one declaration serves the command line, the environment and config files.

An option is a field of a frozen dataclass, its group: the field's type and default are those of
the value that a command receives, and an `Option` in the annotation says the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

PREFIX = "NST_"


@dataclass(frozen=True)
class Option:
    """What type and default of a field do not say.

    Attributes:
        help: what it does, in the words of `--help`.
        short: its short flag, like `-s`.
        name: its long name, where that is not the field's.
        metavar: stands for the value in `--help`.
        choices: the values that there are, where the field's type does not list them.
        least, most: bounds of a number that are themselves allowed.
        above, below: bounds of a number that are not.
        parse: makes the value of what a user writes, be that the text of a flag or whatever a
            config file holds. It raises ValueError with what would be right.
        written: the type of what a file may hold for it, where `parse` makes another one of it.
        alone: what its flag says without a value, where it may stand so.
        in_files: whether a config file may set it.
    """

    help: str
    short: str | None = None
    name: str | None = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    parse: Callable[[object], Any] | None = None
    written: Any = None
    alone: str | None = None
    in_files: bool = True


@dataclass(frozen=True)
class Setting:
    """An option with all that its field says of it."""

    field: str
    type: Any
    default: Any
    option: Option

    @property
    def key(self) -> str:
        """Its name in config files and, behind two hyphens, on the command line."""
        return self.option.name or self.field.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.key.replace("-", "_").upper()


def settings_of(*groups: Any) -> tuple[Setting, ...]:
    """List the settings that groups of options declare, in their order."""
    found = []
    for group in groups:
        hints = get_type_hints(group, include_extras=True)
        for field in fields(group):
            kind, option = get_args(hints[field.name])
            if option.choices:
                kind = Literal[option.choices] if kind is str else Literal[option.choices] | None
            found.append(Setting(field.name, kind, field.default, option))
    return tuple(found)
