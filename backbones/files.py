"""The one way files are written: a final name only ever holds a complete file."""

import contextlib
import os
import secrets
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that no crash can leave a torn or empty file there.

    The bytes go to a temporary file in the same folder, reach the disk, and take the final name
    in one step. Whatever goes wrong before that step leaves an older file at `path` as it was.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full.
    """
    # The process id says whose it was, should a power cut leave one behind.
    temporary = path.parent / f".nst-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can (Windows cannot open folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
