"""The pattern that results are named by: `{content}__{style}`, or what `--name` says."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from backbones.hints import closest
from nstcli.errors import InputError

DEFAULT = "{content}__{style}"

# What every pair has; the others come from the settings of the batch.
_OF_PAIRS = ("content", "style", "index")


@dataclass(frozen=True)
class Template:
    """A checked pattern. `fill` gives a path with `/`, whose parts are not made safe yet.

    `text` has the placeholders {content} and {style} (the names without their suffixes), {index}
    (the number of the pair, 0001 for the first) and the names in `values`. It may make folders:
    `{style}/{content}`. Braces that are meant themselves are doubled.

    Raises:
        InputError: a placeholder that is not known, or no path below the output folder.
    """

    text: str
    values: Mapping[str, str]

    def __post_init__(self) -> None:
        if "\\" in self.text:
            raise self._problem("folders are divided by /")
        if any(part.strip() in {"", ".", ".."} for part in self.text.split("/")):
            raise self._problem("it must be a path below the output folder")
        for field, form in self._fields():
            known = (*_OF_PAIRS, *self.values)
            if field not in known:
                there = ", ".join(f"{{{name}}}" for name in known)
                raise self._problem(
                    f"unknown placeholder {{{field}}}{closest(field, known)}; there are: {there}"
                )
            if form:
                raise self._problem(f"write {{{field}}} alone, without '{form}'")

    def fill(self, content: str, style: str, index: int) -> str:
        """Put in two names and the pair's number; a `/` in a value makes no folder."""
        values = {name: value.replace("/", "_") for name, value in self.values.items()}
        # The pair's own words win over settings of the same name.
        own = {"content": content, "style": style, "index": f"{index:04}"}
        return self.text.format_map(values | own)

    def without(self, suffix: str) -> Template:
        """Drop a suffix that the format gives in any case."""
        if self.text.lower().endswith(suffix) and len(self.text) > len(suffix):
            return Template(self.text[: -len(suffix)], self.values)
        return self

    def complete(self) -> Template:
        """Add the two names where they are missing, so that fewer results share a name."""
        missing = [name for name in ("content", "style") if not self._has(name)]
        return Template("__".join([self.text, *(f"{{{n}}}" for n in missing)]), self.values)

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
