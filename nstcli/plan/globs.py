"""The patterns of `--include` and `--exclude`."""

from __future__ import annotations

import fnmatch
import os
import re
import unicodedata
from collections.abc import Sequence

from nstcli.errors import InputError

_ANY_DEPTH = "**"


class Globs:
    """Patterns, of which one or more may fit a path; upper and lower case are the same.

    Without a slash, a pattern fits a file or folder of that name anywhere: `*.jpg`, `drafts`.
    With one, it fits the path below the input folder, where `**` stands for any number of
    folders: `2024/*.jpg`, `**/raw/**`. What fits a folder fits everything in it.

    Raises:
        InputError: a pattern is empty.
    """

    def __init__(self, patterns: Sequence[str]):
        self._patterns = [_parsed(pattern) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def fit(self, parts: Sequence[str]) -> bool:
        """Tell whether a pattern fits the path of these parts, or a folder on the way there."""
        plain = [unicodedata.normalize("NFC", part) for part in parts]
        return any(_fits(pattern, plain) for pattern in self._patterns)


# None stands for any number of folders.
_Pattern = list[re.Pattern[str] | None]


def _parsed(pattern: str) -> _Pattern:
    pattern = unicodedata.normalize("NFC", pattern).replace(os.sep, "/")
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if not parts:
        raise InputError(f"--include and --exclude need a pattern such as '*.jpg', not '{pattern}'")
    if "/" not in pattern.removesuffix("/"):
        parts.insert(0, _ANY_DEPTH)
    return [
        None if part == _ANY_DEPTH else re.compile(fnmatch.translate(part), re.IGNORECASE)
        for part in parts
    ]


def _fits(pattern: _Pattern, parts: Sequence[str]) -> bool:
    """Walk along the parts with the set of places in the pattern that may be reached by then.

    One regular expression for the whole, as pathspec makes, would try every way to lay out `**`:
    with a dozen of them it takes seconds, with thirty for ever.
    """
    places = _skipping(pattern, {0})
    for part in parts:
        if len(pattern) in places:
            break
        reached = set()
        for place in places:
            expected = pattern[place]
            if expected is None:
                reached.add(place)
            elif expected.match(part):
                reached.add(place + 1)
        places = _skipping(pattern, reached)
    return len(pattern) in places


def _skipping(pattern: _Pattern, places: set[int]) -> set[int]:
    """Add the places that are reached by letting `**` stand for no folder at all."""
    for place in sorted(places):
        while place < len(pattern) and pattern[place] is None:
            place += 1
            places.add(place)
    return places
