"""What several of these tests need."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return what lets nobody look at a path any more, not even the administrator."""
    denied: set[str] = set()

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def look(path: Any, *arguments: Any, **options: Any) -> Any:
            if not isinstance(path, int) and os.fspath(path) in denied:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
            return real(path, *arguments, **options)

        return look

    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))
    return lambda path: denied.add(str(path))


@pytest.fixture
def pool_is_left(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Tell work in threads that nobody wants more of it, so that it need not guess by the clock."""
    left, real = threading.Event(), ThreadPoolExecutor.shutdown

    def shutdown(pool: ThreadPoolExecutor, *arguments: Any, **options: Any) -> None:
        left.set()
        real(pool, *arguments, **options)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shutdown)
    return left
