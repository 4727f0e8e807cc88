"""Names, numbers and times as text, for people and for files."""

from __future__ import annotations

import os
import re
from pathlib import Path

# Control characters of ASCII and Latin-1, further ends of lines, and what makes a terminal write
# all that follows from the other side. Scripts that run that way of themselves need none of it.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def stored(path: Path | str) -> str:
    """Write a path as text that can be stored; bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode(errors="backslashreplace")


def shown(path: Path | str) -> str:
    """Write a path as one line for people, letter by letter but for what a terminal would obey."""
    return printable(stored(path))


def printable(text: str) -> str:
    r"""Escape what moves the cursor, changes colours, ends a line or turns it around, as `\x1b`."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def plural(count: int, noun: str) -> str:
    """Count things: `1 pair`, `2 pairs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write a time: `3.4s`, `4m31s`, `2h05m`."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
