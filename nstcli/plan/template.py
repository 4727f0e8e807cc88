"""The pattern that results are named by: `{content}__{style}`, or what `--name` says."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace

from backbones.hints import closest
from nstcli.errors import InputError
from nstcli.terms import INPUTS, Role

DEFAULT = "{content}__{style}"


@dataclass(frozen=True)
class Template:
    """A checked pattern. `fill` gives a path with `/`, whose parts are not made safe yet.

    `text` has the placeholders {content} and {style} (the names without their suffixes), {index}
    (the number of the pair, 0001 for the first) and the names in `values`. It may make folders:
    `{style}/{content}`. Braces that are meant themselves are doubled.

    Attributes:
        text: the pattern; the default is without what is not in `roles`.
        values: for placeholders beyond those of the pair, such as `model`.
        roles: the inputs that pairs have; no other has a placeholder.

    Raises:
        InputError: a placeholder that is not known, or no path below the output folder.
    """

    text: str
    values: Mapping[str, str]
    roles: tuple[Role, ...] = INPUTS

    def __post_init__(self) -> None:
        if self.text == DEFAULT:
            usual = "__".join(f"{{{role}}}" for role in self.roles)
            object.__setattr__(self, "text", usual)
        if "\\" in self.text:
            raise self._problem("folders are divided by /")
        if any(part.strip() in {"", ".", ".."} for part in self.text.split("/")):
            raise self._problem("it must be a path below the output folder")
        for field, form in self._fields():
            known = (*self.roles, "index", *self.values)
            if field not in known:
                there = ", ".join(f"{{{name}}}" for name in known)
                raise self._problem(
                    f"unknown placeholder {{{field}}}{closest(field, known)}; there are: {there}"
                )
            if form:
                raise self._problem(f"write {{{field}}} alone, without '{form}'")

    def fill(self, names: Mapping[Role, str], index: int) -> str:
        """Put in the names of inputs and the pair's number; a `/` in a value makes no folder."""
        values = {name: value.replace("/", "_") for name, value in self.values.items()}
        # The pair's own words win over settings of the same name.
        own = {str(role): name for role, name in names.items()} | {"index": f"{index:04}"}
        return self.text.format_map(values | own)

    def without(self, suffix: str) -> Template:
        """Drop a suffix that the format gives in any case."""
        if self.text.lower().endswith(suffix) and len(self.text) > len(suffix):
            return replace(self, text=self.text[: -len(suffix)])
        return self

    def complete(self) -> Template:
        """Add the names of inputs where they are missing, so that fewer results share a name."""
        missing = [f"{{{role}}}" for role in self.roles if not self._has(role)]
        return replace(self, text="__".join([self.text, *missing]))

    def _has(self, name: str) -> bool:
        return any(field == name for field, _ in self._fields())

    def _fields(self) -> list[tuple[str, str]]:
        """List the placeholders, each with the format or conversion asked for."""
        try:
            parsed = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise self._problem(f"{error}; a brace of its own is written twice") from error
        return [
            (field, (f"!{conversion}" if conversion else "") + (f":{form}" if form else ""))
            for _, field, form, conversion in parsed
            if field is not None
        ]

    def _problem(self, what: str) -> InputError:
        return InputError(f"--name '{self.text}': {what}")
