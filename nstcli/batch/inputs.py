"""Find the pictures that an argument of the command line stands for."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from backbones.spec import closest
from nstcli.errors import InputError
from nstcli.images import EXTENSIONS


def find(argument: str) -> list[Path]:
    """List the pictures in a folder, the files of a glob pattern, or the one file named.

    In a folder, files count as pictures by their suffix; hidden files are left out. The order is
    that of the names, so that it is the same on every file system.

    Raises:
        InputError: nothing is there, or nothing that is a picture.
    """
    path = Path(argument).expanduser()
    if path.is_dir():
        found = [p for p in _list(path) if _is_picture(p)]
        if not found:
            raise InputError(f"no pictures in the folder '{argument}'")
    elif path.exists():
        found = [path]
    elif glob.has_magic(argument):
        found = [Path(p) for p in glob.glob(str(path)) if Path(p).is_file()]  # noqa: PTH207
        if not found:
            raise InputError(f"no file matches '{argument}'")
    else:
        raise InputError(f"no such file or folder: '{argument}'{_neighbour(path)}")
    return sorted(found, key=lambda p: (p.name, str(p)))


def digest(path: Path) -> str:
    """Return the sha256 of a file's bytes.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
            raise InputError("is not a regular file")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from error


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot read the folder '{folder}': {error.strerror}") from error


def _is_picture(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix.lower() in EXTENSIONS and not path.is_dir()


def _neighbour(path: Path) -> str:
    """Suggest an existing entry with a similar name."""
    try:
        return closest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
