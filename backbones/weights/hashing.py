"""Two digests: of a file as it came, and of tensors whatever file they came in."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np


def file_sha256(path: Path) -> str:
    """Return the sha256 of the file's bytes, in hex.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """Return one sha256 over every array's name, type, shape and bytes, in the order of the names.

    Unlike a file's digest it stays the same when the same tensors are written to another format.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
