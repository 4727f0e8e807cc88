"""The cache of converted weights: where each set lies, and whether it is intact."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import platformdirs

from backbones.spec import BackboneError
from backbones.weights import cachefile
from backbones.weights.sources import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backbones.spec import Backbone, Companion, WeightSet

VARIABLE = "NST_CACHE"

# Part of every cached file's name: raise it when a converter changes what it makes.
_VERSION = 1

_SCRATCH = ".nst-scratch-"


class State(StrEnum):
    """What lies in the cache for a weight set."""

    ABSENT = "absent"
    GOOD = "good"
    DAMAGED = "damaged"


def cache_folder() -> Path:
    """Return the folder for everything nst keeps: $NST_CACHE, or the user's cache folder."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("nst", False)


def cached_path(backbone: Backbone | Companion, weight_set: WeightSet) -> Path:
    """Return where the converted file is, or would be; a local file stays where it is.

    The digits in the name tell apart sets of one name from different sources, so that a new
    release with another file does not take the old one for it.
    """
    source = weight_set.source
    if isinstance(source, LocalFile):
        return source.path
    told = [
        _VERSION,
        source.sha256 or source.describe(),
        getattr(weight_set.convert, "__qualname__", None),
        asdict(weight_set.preprocessing),
    ]
    digits = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]
    return _folder() / f"{backbone.name}-{weight_set.name}-{digits}.safetensors"


def identity(backbone: Backbone | Companion, weight_set: WeightSet) -> str | None:
    """Return the sha256 that stands for these weights, without a download and without torch.

    None: nothing pins them and they are not in the cache, so only pulling them can tell.

    Raises:
        BackboneError: a local file cannot be read.
    """
    known = weight_set.source.sha256
    if known is not None:
        return known
    try:
        notes = cachefile.read_notes(cached_path(backbone, weight_set))
    except (BackboneError, OSError):
        return None
    return notes.sha256 if notes else None


def verify(backbone: Backbone | Companion, weight_set: WeightSet) -> State:
    """Read the cached file as a whole and say whether it still is what was written."""
    path = cached_path(backbone, weight_set)
    if not path.exists():
        return State.ABSENT
    if isinstance(weight_set.source, LocalFile):
        return State.GOOD
    try:
        cachefile.check(path)
    except (BackboneError, OSError):
        return State.DAMAGED
    return State.GOOD


@contextmanager
def workspace() -> Iterator[Path]:
    """Hold the cache against other processes and give an empty scratch folder inside of it.

    The folder is removed whatever happens. What a killed process left is swept first: nobody
    else can be using it, since every writer holds the lock.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock"):
        _sweep(folder)
        with tempfile.TemporaryDirectory(
            prefix=_SCRATCH, dir=folder, ignore_cleanup_errors=True
        ) as scratch:
            yield Path(scratch)


def _folder() -> Path:
    return cache_folder() / "weights"


def _sweep(folder: Path) -> None:
    for leftover in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in folder.glob(".nst-*.tmp"):  # of backbones.atomic.write_atomic
        with suppress(OSError):
            leftover.unlink()
