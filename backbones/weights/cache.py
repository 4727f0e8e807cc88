"""The cache of converted weights: where each set lies, and whether it is intact."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import platformdirs

from backbones.atomic import make_folder
from backbones.paths import is_folder, is_link
from backbones.spec import BackboneError
from backbones.weights import cachefile, convert
from backbones.weights.sources import LocalFile, TimmWeights, TorchvisionWeights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from backbones.spec import Backbone, Companion, Preprocessing, WeightSet

# Where nobody has set up logging, as the command line has not, its warnings go to stderr.
_log = logging.getLogger(__name__)

VARIABLE = "NST_CACHE"

# Part of every cached file's name: raise it when a converter changes what it makes.
_VERSION = 1

_SCRATCH = ".nst-scratch-"


# What is ours in the folder of weights: sets, scratch folders and files that were being written.
_OURS = re.compile(rf".+-[0-9a-f]{{8}}\.safetensors|{re.escape(_SCRATCH)}.+|\.nst-.+\.tmp")


@dataclass(frozen=True)
class Leftover:
    """Something in the cache that no weight set is read from, and its bytes."""

    path: Path
    size: int


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
    """Read the cached file as a whole and say whether it is what the weight set's record pins."""
    path = cached_path(backbone, weight_set)
    if not path.exists():
        return State.ABSENT
    if isinstance(weight_set.source, LocalFile):
        return State.GOOD
    try:
        held = cachefile.read(path, "np")
    except (BackboneError, OSError):
        return State.DAMAGED
    return State.DAMAGED if differing(backbone, weight_set, *held) else State.GOOD


def differing(
    backbone: Backbone | Companion,
    weight_set: WeightSet,
    tensors: Mapping[str, Any],
    notes: cachefile.Notes,
) -> str | None:
    """Say why tensors, of torch or numpy, are not those that the record pins; None if they are.

    The notes' digest must be that of the tensors already. A file is never believed what the record
    knows: the digest of its origin, that of its tensors, the preprocessing. Where no digest of the
    tensors is pinned, they must fit the network at least, which takes torch to find out.
    """
    known: list[tuple[str, object, object | None]] = [
        ("the backbone", notes.backbone, backbone.name),
        ("the weight set", notes.weight_set, weight_set.name),
        ("the sha256 of its origin", notes.sha256, weight_set.source.sha256),
        ("the sha256 of its tensors", notes.content_sha256, weight_set.content_sha256),
        ("the preprocessing", notes.preprocessing, _preprocessing(weight_set)),
    ]
    for what, found, pinned in known:
        if pinned is not None and found != pinned:
            return f"{what} is {found}, not {pinned}"
    if weight_set.content_sha256 is not None:
        return None
    return convert.misfit(tensors, convert.template(backbone))


def _preprocessing(weight_set: WeightSet) -> Preprocessing | None:
    """Return the preprocessing that is pinned; None where the fetched file may have its own say.

    That is left to sources of plugins whose file nobody has pinned; the hubs' files say nothing.
    """
    source = weight_set.source
    pinned = source.sha256 is not None or weight_set.content_sha256 is not None
    silent = isinstance(source, TorchvisionWeights | TimmWeights)
    return weight_set.preprocessing if pinned or silent else None


@contextmanager
def workspace() -> Iterator[Path]:
    """Hold the cache against other processes and give an empty scratch folder inside of it.

    Where another process holds it, or another thread, the log tells that this one waits.

    The folder is removed whatever happens. What a killed process left is swept first: nobody
    else can be using it, since every writer holds the lock.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = _folder()
    make_folder(folder)
    with _held(filelock.FileLock(folder / ".lock")):
        _sweep(folder)
        with tempfile.TemporaryDirectory(
            prefix=_SCRATCH, dir=folder, ignore_cleanup_errors=True
        ) as scratch:
            yield Path(scratch)


def prune(
    sets: Iterable[tuple[Backbone | Companion, WeightSet]],
    unknown: Iterable[str] = (),
    *,
    remove: bool = True,
) -> list[Leftover]:
    """Find what lies in the cache that no weight set is read from, and remove it if so wanted.

    That is files of sets that are no more or have another source now, and downloads that were cut
    off. What another program has put there is not looked at.

    Args:
        sets: all that there are.
        unknown: names of backbones that are broken at the moment; what is theirs is kept.
        remove: remove it, else tell only.

    Raises:
        OSError: the cache cannot be read or written.
    """
    folder = _folder()
    if not is_folder(folder):
        return []
    kept = {cached_path(backbone, weight_set) for backbone, weight_set in sets}
    theirs = tuple(f"{name}-" for name in unknown)
    with _held(filelock.FileLock(folder / ".lock")):
        found = [
            Leftover(path, _size(path))
            for path in sorted(folder.iterdir())
            if _OURS.fullmatch(path.name) and path not in kept and not path.name.startswith(theirs)
        ]
        for leftover in found if remove else ():
            if is_folder(leftover.path) and not is_link(leftover.path):
                shutil.rmtree(leftover.path)
            else:
                leftover.path.unlink()
    return found


def _size(path: Path) -> int:
    """Return the bytes of a file, or of what is in a folder."""
    files = path.rglob("*") if is_folder(path) and not is_link(path) else [path]
    return sum(file.lstat().st_size for file in files)


def _held(lock: filelock.BaseFileLock) -> AbstractContextManager[object]:
    """Take the lock, however long that takes."""
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        where = Path(lock.lock_file).parent
        _log.warning("another nst is getting weights into %s; waiting until it is done", where)
        return lock.acquire()


def _folder() -> Path:
    return cache_folder() / "weights"


def _sweep(folder: Path) -> None:
    for leftover in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for leftover in folder.glob(".nst-*.tmp"):  # of backbones.atomic.write_atomic
        with suppress(OSError):
            leftover.unlink()
