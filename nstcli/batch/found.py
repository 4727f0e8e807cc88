"""What lies under the name of a result, told by its bytes alone."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from nstcli.batch.plan import shown
from nstcli.batch.records import State, embedded_key, state_by_key
from nstcli.errors import InputError

# How the formats begin that we write and whose every kind Pillow reads. Not TIFF: editors write
# kinds of it that nobody here can tell from a damaged file.
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")


def read_result(path: Path) -> bytes | None:
    """Return the bytes under a result's name, or None if there is nothing.

    Raises:
        InputError: something is there that is no file, or cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
            what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
            raise InputError(f"'{shown(path)}' is {what} where a result should go; move it away")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"cannot read '{shown(path)}': {error.strerror or error}") from error


def state_by_itself(data: bytes, key: str) -> State:
    """Tell the state of a result by the key in its own metadata."""
    found = embedded_key(data)
    return State.FOREIGN if found is None else state_by_key(found, key)


def is_damaged(data: bytes, name: str) -> bool:
    """Tell whether nothing is left of a result but its beginning, or less.

    Of what is too large to be decoded or of another kind, somebody may have made it on purpose.
    """
    from nstcli.images import decode

    if not data.startswith(_BEGINNINGS):
        return not data
    try:
        decode(data, name, max_pixels=sys.maxsize)
    except MemoryError:
        return False
    except InputError as error:
        return not isinstance(error.__cause__, MemoryError)
    return False
