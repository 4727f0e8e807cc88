"""How a result stands: by its record, by its key, and by what lies under its name."""

from __future__ import annotations

import json
import stat
import sys
from enum import Enum
from pathlib import Path

from nstcli.errors import InputError
from nstcli.results.records import stopped_key
from nstcli.text import shown


class State(Enum):
    """How a pair stands before a run; the value is how people call it."""

    UP_TO_DATE = "up to date"
    MISSING = "missing"
    FAILED = "failed before"
    DAMAGED = "damaged"
    STOPPED = "stopped early"
    STALE = "made with other settings"
    EDITED = "changed after it was made"
    FOREIGN = "not made by nst"
    UNRECORDED = "without a record"  # made by nst; whether it was changed since, nobody can tell

    @property
    def needs_consent(self) -> bool:
        """Tell whether making the pair would replace something a user may want to keep."""
        return self in {State.STALE, State.EDITED, State.FOREIGN, State.UNRECORDED}


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


def state_by_key(found: str, key: str) -> State:
    """Tell how an unchanged result stands that was made with the key `found` instead of `key`."""
    if found == key:
        return State.UP_TO_DATE
    return State.STOPPED if found == stopped_key(key) else State.STALE


def embedded_key(data: bytes) -> str | None:
    """Return the key that a result carries in its own metadata, if it is one of ours."""
    from nstcli.images import read_metadata

    try:
        key = json.loads(read_metadata(data).get("nst", "{}")).get("key")
    except (ValueError, AttributeError):
        return None
    return key if isinstance(key, str) else None
