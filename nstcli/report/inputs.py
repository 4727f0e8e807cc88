"""Find again, by what a record says, the photo or artwork that a result was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePath

from nstcli.batch.plan import stored
from nstcli.report.thumbs import LARGE, SMALL, Thumbs


def copy_input(path: str, sha256: str, folder: Path, thumbs: Thumbs) -> None:
    """Keep copies of a content or style, so that results stand beside it when it is gone.

    Raises:
        OSError: the copies cannot be written.
    """
    if sha256:  # else only a failed pair tells of it, and nobody knows what its path held then
        thumbs.make(sha256, lambda: read_input(path, sha256, folder), SMALL, LARGE)


def read_input(path: str, sha256: str, folder: Path) -> bytes | None:
    """Return the bytes of a content or style, or None when it is gone or has changed.

    Args:
        path: as a record has it: maybe relative to where the batch was started, with bytes that
            are not UTF-8 escaped.
        sha256: of the bytes wanted.
        folder: the output folder. Whoever moved it together with its inputs, or calls from within
            it, finds them from there.
    """
    for base in (Path(), folder.parent, folder):
        for candidate in _named(base, path):
            try:
                data = candidate.read_bytes() if candidate.is_file() else b""
            except OSError:
                continue
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
    return None


def _named(base: Path, path: str) -> Iterator[Path]:
    """Yield what `stored` would write as `path` below `base`: the plain path, then by listing."""
    plain = base / path
    yield plain
    if "\\x" not in path:  # nothing in it can stand for a byte that is not UTF-8
        return
    found = [base]
    for part in PurePath(path).parts:
        found = [entry for folder in found for entry in _entries(folder, part)]
    yield from (entry for entry in found if entry != plain)


def _entries(folder: Path, part: str) -> list[Path]:
    if "\\x" not in part:
        return [folder / part]
    try:
        return [entry for entry in folder.iterdir() if stored(entry.name) == part]
    except OSError:
        return []
