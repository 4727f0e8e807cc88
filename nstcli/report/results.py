"""What can be shown of a result: its small copies, and what is wrong with its file."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from nstcli.batch.records import Record
from nstcli.report.thumbs import LARGE, SMALL, Thumb, Thumbs

# Formats that browsers do not show: the large copy stands in.
_NOT_FOR_BROWSERS = {"tiff"}

# What can be wrong with a result's file.
_GONE = "its file is gone"
_UNREADABLE = "its file cannot be read"
_EDITED = "changed after it was made"


@dataclass(frozen=True)
class Look:
    """What can be shown of a result.

    Attributes:
        small: for the grid.
        large: where the file itself cannot be shown.
        readable: the file is there, and browsers show it.
        flaw: what is wrong with it, in words; empty if nothing is.
    """

    small: Thumb | None
    large: Thumb | None
    readable: bool
    flaw: str = ""


def look_at(folder: Path, output: str, record: Record, thumbs: Thumbs, embeds: bool) -> Look:
    """Make the copies of a result that are missing, and tell what can be shown of it.

    The file is read when there is no copy of it yet, or when it is newer than its copy.

    Args:
        folder: the output folder.
        output: name of the result in it.
        record: what is known of it.
        thumbs: where copies are.
        embeds: the page holds its pictures, and wants large ones.

    Raises:
        OSError: the copies cannot be written.
    """
    needs_large = embeds or record.format in _NOT_FOR_BROWSERS
    sizes = [LARGE] if embeds else [SMALL, LARGE] if needs_large else [SMALL]
    path = folder / output
    sha256, flaw = record.output_sha256, ""
    if not path.is_file():
        flaw = _GONE
    elif not all(_is_fresh(path, thumbs.find(sha256, size)) for size in sizes):
        data = _read(path)
        sha256 = hashlib.sha256(data or b"").hexdigest()
        thumbs.make(sha256, lambda: data, *sizes)
        copies = [thumbs.find(sha256, size) for size in sizes]
        if not all(copies):
            flaw = _UNREADABLE
        elif sha256 != record.output_sha256:
            flaw = _EDITED
        else:  # as it was made, only written again: the next look need not read it
            for copy in copies:
                if copy:
                    os.utime(copy.path)
    return Look(
        thumbs.find(sha256, SMALL),
        thumbs.find(sha256, LARGE) if needs_large or flaw == _GONE else None,
        flaw in {"", _EDITED},
        flaw,
    )


def _is_fresh(path: Path, copy: Thumb | None) -> bool:
    return copy is not None and path.stat().st_mtime_ns <= copy.path.stat().st_mtime_ns


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
