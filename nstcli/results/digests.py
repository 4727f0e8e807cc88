"""The sha256 of files, without reading again those that have not changed.

A file is taken for unchanged if its size, inode, device, time of modification and time of change
are what they were when it was hashed. The time of change is what counts: the kernel sets it at
every write and rename, and no program can set it back, as it can the time of modification.
What could still deceive, and what is done about it:

* A file that changes twice within one tick of the clock looks unchanged in between. So only a file
  that had been at rest for a minute before it was hashed is remembered. git, which calls this
  "racily clean", takes the ticks of the file system for that margin; the minute also covers the
  clock of a file server that is behind ours, and a writer through mapped memory, whose changes
  the kernel may stamp half a minute late.
* A file that changes while it is hashed: stat before and after must agree.
* An NFS client answers stat from memory for a while; it asks the server when a file is opened. So
  files are opened before they are looked at, whether they are read or not.
* Windows does not tell the time of change (`st_ctime` is that of creation), so every file is read.
* FAT, exFAT and sshfs repeat the time of modification. They are known by coarse times.

Left over are file systems that pass off a finely grained time of modification as that of change
(some mounts of cloud storage), and bits that rot on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from backbones.atomic import write_atomic
from backbones.paths import exists
from backbones.safe_json import parse_json
from nstcli.errors import InputError

_VERSION = 1
# How long a file must have been at rest before it is hashed for its digest to be kept.
_REST_SECONDS = 60.0
# Times that are whole multiples of this come from file systems that have no time of change: exFAT
# counts 10 ms, FAT 2 s. Elsewhere that happens by chance, to one file in millions.
_COARSE_NS = 10_000_000
_HAS_CHANGE_TIME = os.name == "posix"
# SHA-256 keeps a core busy, and reading from a network waits; more threads than this gain nothing.
_THREADS = 8

_SHA256 = re.compile("[0-9a-f]{64}")
# Size, mtime in ns, ctime in ns, inode, device.
_FileStat = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class _Known:
    """A file's digest, and how the file looked when it was hashed."""

    file_stat: _FileStat
    sha256: str


class Digests:
    """The digests of files, kept from one run to the next in a cache file, if there is one.

    Threads may share it. Two processes with one cache file do each other no harm: the one that
    saves last is remembered.
    """

    def __init__(self, cache_file: Path | None):
        self._cache_file = cache_file
        self._known = _load(cache_file) if cache_file and _HAS_CHANGE_TIME else {}
        self._changed = False

    def digest(self, path: Path) -> str:
        """Return the sha256 of a file's bytes, in hex.

        Raises:
            InputError: it cannot be read.
        """
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for a writer
                raise InputError("is not a regular file")
            with path.open("rb", buffering=0) as stream:
                return self._of(os.path.abspath(path), stream)  # noqa: PTH100 (far quicker)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from error

    def of(self, paths: Iterable[Path]) -> dict[Path, str | InputError]:
        """Return the digest of every path, or why it has none, in the order of `paths`.

        Several files are read at a time. An interruption waits for these alone.
        """
        wanted = list(dict.fromkeys(paths))
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            # An error cancels what has not begun.
            return dict(zip(wanted, pool.map(self.digest_or_error, wanted), strict=True))

    def save(self) -> None:
        """Write the cache file if there is anything new, without the files that are gone.

        A cache file that cannot be written is no failure: the next run reads the files again.
        """
        if not self._changed or not self._cache_file:
            return
        known = {path: one for path, one in dict(self._known).items() if exists(path)}
        with suppress(OSError):
            write_atomic(self._cache_file, _encoded(known))
            self._changed = False

    def digest_or_error(self, path: Path) -> str | InputError:
        """Return the digest, or why there is none."""
        try:
            return self.digest(path)
        except InputError as error:
            return error

    def _of(self, name: str, stream: FileIO) -> str:
        file_stat = _stat_of(stream)
        known = self._known.get(name)
        if known and known.file_stat == file_stat:
            return known.sha256
        settled = _settled(file_stat)
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        if settled and _stat_of(stream) == file_stat:
            self._known[name] = _Known(file_stat, sha256)
            self._changed = True
        return sha256


def _stat_of(stream: FileIO) -> _FileStat:
    found = os.fstat(stream.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def _settled(file_stat: _FileStat) -> bool:
    """Tell, before a file is read, whether every change from now on will show in its stat."""
    _, _, changed_ns, _, _ = file_stat
    rest_ns = time.time_ns() - changed_ns
    return _HAS_CHANGE_TIME and changed_ns % _COARSE_NS != 0 and rest_ns > _REST_SECONDS * 1e9


def _encoded(known: Mapping[str, _Known]) -> bytes:
    """Write a cache file; names that are no UTF-8 are escaped, as all beyond ASCII is."""
    files = {path: [*one.file_stat, one.sha256] for path, one in known.items()}
    return json.dumps({"version": _VERSION, "files": files}, separators=(",", ":")).encode()


def _load(cache_file: Path) -> dict[str, _Known]:
    """Read a cache file; one that is not there, damaged, or of another version counts as empty."""
    try:
        found = parse_json(cache_file.read_bytes())
        if found["version"] != _VERSION:
            return {}
        return {path: _entry(*values) for path, values in found["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _entry(size: int, mtime: int, ctime: int, inode: int, device: int, sha256: str) -> _Known:
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not a digest")
    return _Known((size, mtime, ctime, inode, device), sha256)
