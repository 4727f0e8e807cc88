"""Find again, by what a record says, the photo or artwork that a result was made from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nstcli.batch.origins import candidates
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
        path: as a record has it; see `candidates`.
        sha256: of the bytes wanted.
        folder: the output folder.
    """
    for candidate in candidates(path, folder):
        try:
            data = candidate.read_bytes() if candidate.is_file() else b""
        except OSError:
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    return None
