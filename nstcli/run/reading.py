"""The bytes of inputs: out of their files, or from wherever else a worker is given them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from nstcli.errors import InputError
from nstcli.text import shown

# Returns the bytes of a file with this sha256. Raises InputError where there are none.
Read = Callable[[Path, str], bytes]


def read_file(path: Path, sha256: str) -> bytes:
    """Read a file that is still what it was.

    Raises:
        InputError: it is not, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{shown(path)}: changed while the batch was running; run it again")
    return data
