"""Let the n-th call that writes into a folder meet with an accident."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# All that `backbones.atomic`, the store and its locks do to a folder; written bytes show in fsync.
CALLS = ("mkdir", "open", "fsync", "replace", "unlink")

# Takes the call and its arguments; what it returns tells whether the call goes on.
Accident = Callable[[str, tuple[Any, ...]], bool]


def kill(name: str, arguments: tuple[Any, ...]) -> bool:
    """SIGKILL comes before the call."""
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def tear_and_kill(name: str, arguments: tuple[Any, ...]) -> bool:
    """SIGKILL comes when half of the bytes are written."""
    if name == "fsync" and (size := os.fstat(arguments[0]).st_size) and _is_file(arguments[0]):
        os.ftruncate(arguments[0], size // 2)
    return kill(name, arguments)


def fill_up(name: str, arguments: tuple[Any, ...]) -> bool:
    """The disk is full from this write on until the program ends; half of the bytes fit."""
    if name == "fsync" and _is_file(arguments[0]):
        os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_only(name: str, arguments: tuple[Any, ...]) -> bool:
    """The folder cannot be changed any more."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@contextmanager
def striking(
    folder: Path, accident: Accident, first: int, last: int | None = None
) -> Iterator[list[str]]:
    """Let calls that write into `folder` meet with an accident, from the `first` to the `last`.

    They are counted from 1. Yields the names of the calls so far.
    """
    folder = folder.resolve()
    calls: list[str] = []

    def struck(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if not _concerns(folder, name, arguments):
                return real(*arguments, **options)
            calls.append(name)
            if first <= len(calls) <= (last or len(calls)):
                if accident(name, arguments):
                    return real(*arguments, **options)
                return None
            return real(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, struck(name, getattr(os, name)))
        yield calls


def _concerns(folder: Path, name: str, arguments: tuple[Any, ...]) -> bool:
    if name == "open" and not arguments[1] & os.O_CREAT:
        return False
    if name == "fsync":
        path = Path(f"/proc/self/fd/{arguments[0]}").readlink()
    else:
        path = Path(os.path.abspath(arguments[0]))  # noqa: PTH100 - resolve() follows links
    return path == folder or folder in path.parents


def _is_file(handle: int) -> bool:
    return Path(f"/proc/self/fd/{handle}").is_file()
