"""Suggestions for unknown names: the known name that is most like one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


def closest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the known name most like this one, or nothing."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def closest_file(path: Path) -> str:
    """Return the same for the entry of a path's folder whose name is most like the path's."""
    try:
        return closest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
