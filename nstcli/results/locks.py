"""Which process makes which pair: locks that the kernel holds, so that none outlives its process.

All locks of an output folder are single bytes of one file that stays empty. A name is always the
same byte, so that 6000 pairs leave one file behind and nothing has to be removed, which is what
goes wrong with a file for each lock: two processes come to hold "the" lock, one on the file that
was removed and one on its successor.

POSIX byte locks (fcntl) rather than flock: the kernel drops them as soon as the process ends,
however it does, also where a forked child lives on with the same open file, and network file
systems know them (NFS by its lock daemon or version 4; SMB). Their one trap: closing any
descriptor of the file drops all the locks that the process has in it. So the file is open once in
a process, for as long as a lock in it is held, and no other code may open it. On Windows the same
byte is locked through `msvcrt`, whose locks end with the process just so.

Where the locks of a network file system hold on one computer alone (`nolock`, `nobrl`), or where
somebody removes the file while a batch runs, two processes can make the same pair: double work,
since results are written in one step (`backbones.atomic`), never a torn file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import threading
import unicodedata
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from nstcli.plan.layout import Layout

if sys.platform == "win32":
    import msvcrt

    def _lock_byte(handle: int, offset: int) -> None:
        os.lseek(handle, offset, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _free_byte(handle: int, offset: int) -> None:
        os.lseek(handle, offset, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

    def _lock_all(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBRLCK, _BYTES)

else:
    import fcntl

    def _lock_byte(handle: int, offset: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)

    def _free_byte(handle: int, offset: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_UN, 1, offset)

    def _lock_all(handle: int) -> None:
        fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB, _BYTES)


# POSIX leaves open which of the two tells that another process holds the lock.
_BUSY = {errno.EACCES, errno.EAGAIN}
# NFS without its lock daemon; FUSE and SMB; Lustre mounted without locks; what POSIX names for it.
_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
# The bytes that every system can address, so that all agree on a shared folder.
_BYTES = 2**31 - 1

# The lock files in which this process holds locks, by device and inode.
_files: dict[tuple[int, int], _File] = {}
_guard = threading.Lock()


class _File:
    """A lock file that this process has open."""

    def __init__(self, handle: int, identity: tuple[int, int]):
        self.handle = handle
        self.identity = identity
        self.held: set[int] = set()  # the kernel would grant a process its own locks again


class Lock:
    """A pair's lock, held until `release` or until this process ends, however it does."""

    def __init__(self, file: _File, offset: int):
        self._file: _File | None = file
        self._offset = offset

    def release(self) -> None:
        """Let others have the pair; a second time does nothing."""
        with _guard:
            file, self._file = self._file, None
            if file is None:
                return
            with suppress(OSError):  # it is free at the latest when the file is closed
                _free_byte(file.handle, self._offset)
            file.held.discard(self._offset)
            _close_if_unused(file)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class Locks:
    """The locks of an output folder, one for each name of a result; threads may share them.

    Attributes:
        warning: None, or, once a lock was asked for where the file system has none, a line for
            the user. From then on locks keep apart the threads of this process alone.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.warning: str | None = None
        self._path = Layout(folder).locks

    def take(self, output: str) -> Lock | None:
        """Take the lock of a result without waiting; None if it is held, here or elsewhere.

        None is an answer about this moment: whoever holds it may fail or be killed. Once in two
        billion times it is another pair's lock that is held, if both names share a byte.

        Raises:
            OSError: the folder or its `.nst` is gone, or not to be written to.
        """
        offset = _offset(output)
        with _guard:
            file = _opened(self._path)
            try:
                if offset in file.held or not self._locked(file, offset):
                    return None
                file.held.add(offset)
                return Lock(file, offset)
            finally:
                _close_if_unused(file)

    def any_held(self) -> bool | None:
        """Tell whether somebody has a pair of this folder in hand; None where nobody can tell.

        Nothing is written. All bytes are asked for at once, to be read only: whoever holds one
        does not notice, and whoever asks for one in that instant is told that it is held, and
        asks again.
        """
        with _guard:
            try:
                known = self._path.stat()
                if (known.st_dev, known.st_ino) in _files:  # opened for a lock that is held
                    return True
                handle = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return False
            except OSError:
                return None
            try:
                _lock_all(handle)
            except OSError as error:
                return True if error.errno in _BUSY else None
            finally:
                os.close(handle)
            return False

    def _locked(self, file: _File, offset: int) -> bool:
        if self.warning:
            return True
        try:
            _lock_byte(file.handle, offset)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            if error.errno not in _UNSUPPORTED:
                raise
            self.warning = (
                f"the file system of '{self.folder}' has no locks ({error.strerror}): "
                "another nst at work in this folder may make the same pairs"
            )
        return True


def _offset(output: str) -> int:
    """Return the byte of a name; names that some file system takes for the same one share it."""
    name = unicodedata.normalize("NFC", output).casefold()
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % _BYTES


def _opened(path: Path) -> _File:
    """Return the lock file, opened only if this process does not have it open."""
    with suppress(FileNotFoundError):
        known = path.stat()
        file = _files.get((known.st_dev, known.st_ino))
        if file:
            return file
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    known = os.fstat(handle)
    file = _File(handle, (known.st_dev, known.st_ino))
    _files[file.identity] = file
    return file


def _close_if_unused(file: _File) -> None:
    if not file.held:
        del _files[file.identity]
        os.close(file.handle)
