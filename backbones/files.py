"""The one way files are written: a final name only ever holds a complete file."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that no crash can leave a torn or empty file there.

    The bytes go to a temporary file in the same folder, reach the disk, and take the final name
    in one step. Whatever goes wrong before that step leaves an older file at `path` as it was.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".nst-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files; a finished one gets the permissions of any new file.
        os.chmod(name, 0o666 & ~_umask())  # noqa: PTH101
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
    _sync_folder(path.parent)


def _umask() -> int:
    """Return the process's file mode mask (reading it means setting it twice)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can (Windows cannot open folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
