"""Atomic writes: a final name only ever holds a complete file.

Kill, power cut or full disk at any instant: the name holds the old file or the new one, and at
most a temporary file stays behind, which `sweep` removes once its writer is gone.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from backbones.paths import exists

# Whose a temporary file is: the computer and the process. The last digits keep threads apart.
_TEMPORARY = re.compile(r"\.nst-(?P<host>[0-9a-f]{8})-(?P<process>\d{1,10})-[0-9a-f]{8}\.tmp")
# Of another computer's processes nothing is known here. No write of ours takes a day.
_FOREIGN_SECONDS = 24 * 3600.0
# How much older than a process a file must be to be none of its own: more than the steps of any
# file system's clock (2 s on FAT).
_SLACK_SECONDS = 60.0
# Windows refuses to replace a file that somebody has open, if only a virus scanner for a moment.
_RETRY_SECONDS = (0.02, 0.1, 0.5) if os.name == "nt" else ()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that no crash can leave a torn or empty file there.

    The bytes go to a temporary file in the same folder, reach the disk, and take the final name
    in one step. Whatever goes wrong before that step leaves an older file at `path` as it was.

    Raises:
        OSError: the folder is missing or read-only, or the disk is full; on Windows also that
            another program keeps the old file open.
    """
    temporary = _temporary_in(path.parent)
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        _replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, so that no crash takes them back.

    The folder's own sync keeps what is in it, and that of the one above keeps the folder.

    Raises:
        OSError: it cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not exists(place)]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _sync_folder(made.parent)


def move(source: Path, target: Path) -> None:
    """Give a file another place on the same file system, in one step that no crash takes back.

    Raises:
        OSError: it is not there, or the folders cannot be written to.
    """
    _replace(source, target)
    _sync_folder(target.parent)


def sweep(folder: Path, *, recursive: bool = False) -> None:
    """Remove the temporary files of `write_atomic` whose writers are gone.

    One that is being written, by whatever process on whatever computer, is never touched: on this
    computer the process must have ended, or the file be older than the process that has its number
    now; what another computer left in a shared folder must be a day old. Names of any other form
    and links stay. Nothing is raised: what cannot be read or removed, or vanishes meanwhile, is
    left to the next sweep.

    Args:
        folder: need not exist.
        recursive: its sub-folders, too; links to folders are not followed.
    """
    for where, found in _temporaries(folder, recursive):
        _remove_abandoned(where, found)


def abandoned(folder: Path, *, recursive: bool = False) -> list[Path]:
    """List what `sweep` would remove, by this computer's clock; nothing is written for it."""
    now = time.time()
    return [
        path
        for _, found in _temporaries(folder, recursive)
        for path in found
        if _is_abandoned(path, now)
    ]


def _temporary_in(folder: Path) -> Path:
    return folder / f".nst-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


@functools.cache
def _host() -> str:
    """Return 8 digits for this computer, or rather for the realm of its process numbers.

    Containers on one computer can share a folder, and even a host name, while each counts its
    processes from 1.
    """
    realm = ""
    with contextlib.suppress(OSError):  # Linux alone has it
        realm = str(Path("/proc/self/ns/pid").readlink())
    named = f"{platform.node()} {realm}".encode(errors="surrogateescape")
    return hashlib.sha256(named).hexdigest()[:8]


def _replace(temporary: Path, path: Path) -> None:
    for seconds in _RETRY_SECONDS:
        try:
            temporary.replace(path)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can (Windows cannot open folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _temporaries(folder: Path, recursive: bool) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder that holds temporary files with these; after no crash there is none."""
    for where, _, names in os.walk(folder):
        found = [Path(where, name) for name in names if _TEMPORARY.fullmatch(name)]
        if found:
            yield Path(where), found
        if not recursive:
            break


def _remove_abandoned(folder: Path, temporaries: Iterable[Path]) -> None:
    now = _folder_time(folder)
    for path in temporaries:
        with contextlib.suppress(OSError):
            if _is_abandoned(path, now):
                path.unlink()


def _is_abandoned(path: Path, now: float) -> bool:
    try:
        known = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(known.st_mode) and _writer_is_gone(path.name, now - known.st_mtime)


def _writer_is_gone(name: str, age: float) -> bool:
    """Tell by its name and its age in seconds whether nobody is writing a temporary file."""
    owner = _TEMPORARY.fullmatch(name)
    if owner is None:
        return False
    if owner["host"] != _host():
        return age > _FOREIGN_SECONDS
    return age > _running_seconds(int(owner["process"])) + _SLACK_SECONDS


def _running_seconds(process: int) -> float:
    """Return for how long a process of this computer has been running, -inf if there is none.

    A length of time, since a point in time would have to be read from the same clock as that of
    the file. Of a process that hides from us it is inf: its files are left alone.
    """
    import psutil

    try:
        if not psutil.pid_exists(process):
            return -math.inf
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:  # killed, but its parent has not looked yet
            return -math.inf
        return time.time() - found.create_time()
    except (psutil.Error, OverflowError):
        return math.inf


def _folder_time(folder: Path) -> float:
    """Return the time by the clock that stamps the folder's files, maybe another computer's."""
    probe = _temporary_in(folder)
    try:
        with probe.open("xb") as stream:
            return os.fstat(stream.fileno()).st_mtime
    except OSError:
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
