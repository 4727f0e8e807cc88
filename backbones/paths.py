"""Questions about paths that never raise: what cannot be told counts as no.

Those of pathlib raise, until Python 3.14, where a path may not be looked at, is too long, leads
in a circle, or names the home of a user whom nobody knows.
"""

import os
from pathlib import Path


def expanded(path: Path | str) -> Path:
    """Put the home folder for `~`; that of an unknown user stays, as the file it may name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def resolved(path: Path) -> Path:
    """Return a path without links; those that lead in a circle stay."""
    return Path(os.path.realpath(path))


def exists(path: Path | str) -> bool:
    """Tell whether something is there, at the end of all links."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: Path) -> bool:
    """Tell whether that is a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Tell whether that is a regular file."""
    return os.path.isfile(path)  # noqa: PTH113


def is_link(path: Path) -> bool:
    """Tell whether this itself is a symbolic link, wherever it leads."""
    return os.path.islink(path)  # noqa: PTH114
