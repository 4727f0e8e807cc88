"""The state of a result: its record, key and file, compared in this one place."""

from __future__ import annotations

import stat
import sys
from enum import Enum
from pathlib import Path

from nstcli.errors import InputError
from nstcli.results.records import Record, stopped_key
from nstcli.text import shown


class State(Enum):
    """How a result stands; the value is how programs call it, `words` is how people do."""

    UP_TO_DATE = "made"  # as its record says, and with the key that is asked for, if one is
    WITHOUT_STAGES = "without stages"  # likewise, but for the stages that are asked for
    MISSING = "missing"
    FAILED = "failed"
    DAMAGED = "damaged"
    STOPPED = "stopped"
    STALE = "stale"
    EDITED = "edited"
    FOREIGN = "foreign"
    UNRECORDED = "unrecorded"  # made by nst; whether it was changed since, nobody can tell
    UNREADABLE = "unreadable"

    @property
    def words(self) -> str:
        """Say it behind `is` or `was`."""
        return _WORDS[self]

    @property
    def needs_consent(self) -> bool:
        """Tell whether making the pair would replace something a user may want to keep."""
        return self in {State.STALE, State.EDITED, State.FOREIGN, State.UNRECORDED}


_WORDS = {
    State.UP_TO_DATE: "up to date",
    State.WITHOUT_STAGES: "without its stages",
    State.MISSING: "missing",
    State.FAILED: "failed before",
    State.DAMAGED: "damaged",
    State.STOPPED: "stopped early",
    State.STALE: "made with other settings",
    State.EDITED: "changed after it was made",
    State.FOREIGN: "not made by nst",
    State.UNRECORDED: "without a record",
    State.UNREADABLE: "in the way or unreadable",
}

# How the formats begin that we write and whose every kind Pillow reads. Not TIFF: editors write
# kinds of it that nobody here can tell from a damaged file.
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")


def state_of(
    path: Path,
    sha256: str | InputError,
    record: Record | None,
    announced: Record | None = None,
    key: str | None = None,
) -> State:
    """Compare what is known of a result with what lies under its name.

    Args:
        path: of the result.
        sha256: of the bytes there, or why there is none.
        record: of the result, if there is one.
        announced: the record of a result that was about to be written.
        key: that the result should have; None asks for no certain one.

    Raises:
        InputError: something is there that is no file, or cannot be read.
    """
    if record and sha256 == record.output_sha256:
        return _by_key(record.key, key)
    if announced and sha256 == announced.output_sha256:  # killed between a result and its record
        state = _by_key(announced.key, key)
        return State.MISSING if state is State.UP_TO_DATE else state
    data = _read(path)
    if data is None:
        return State.MISSING
    if record:
        return State.DAMAGED if _is_damaged(data, path.name) else State.EDITED
    # Somebody copied the result alone, and may have edited it since.
    found = embedded_key(data)
    state = State.FOREIGN if found is None else _by_key(found, key)
    return state if state.needs_consent else State.UNRECORDED


def state_by_itself(path: Path, key: str) -> State:
    """Tell how a result stands that has no record, by the key in its own metadata.

    Raises:
        InputError: something is there that is no file, or cannot be read.
    """
    data = _read(path)
    if data is None:
        return State.MISSING
    found = embedded_key(data)
    state = State.FOREIGN if found is None else _by_key(found, key)
    # In most formats the key stands before the pixels, which may be cut short.
    damaged = state is State.UP_TO_DATE and _is_damaged(data, path.name)
    return State.DAMAGED if damaged else state


def embedded_key(data: bytes) -> str | None:
    """Return the key that a result carries in its own metadata, if it is one of ours."""
    from nstcli.images import read_made

    key = read_made(data).get("key")
    return key if isinstance(key, str) else None


def _by_key(found: str, key: str | None) -> State:
    """Tell how an unchanged result stands that was made with the key `found` instead of `key`."""
    stopped = stopped_key("")
    if found == key or (key is None and not found.endswith(stopped)):
        return State.UP_TO_DATE
    same = key is None or found == stopped_key(key)
    return State.STOPPED if same else State.STALE


def _read(path: Path) -> bytes | None:
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


def _is_damaged(data: bytes, name: str) -> bool:
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
