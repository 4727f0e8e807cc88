"""`write_atomic`: a final name only ever holds a complete file."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from backbones.atomic import write_atomic

FULL = OSError(errno.ENOSPC, "No space left on device")
FAILURES = [FULL, KeyboardInterrupt(), MemoryError(), SystemExit(1)]


class Stream:
    """A file that takes half of what it is given, and then fails."""

    def __init__(self, file: IO[bytes], failure: BaseException) -> None:
        self.file, self.failure = file, failure

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> int:
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        raise self.failure


Inject = Callable[[pytest.MonkeyPatch, BaseException], None]


def in_write(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    real = Path.open

    def fake(path: Path, mode: str = "r", *rest: Any) -> Any:
        file: Any = real(path, mode, *rest)
        return file if "r" in mode else Stream(file, failure)

    monkeypatch.setattr(Path, "open", fake)


def in_fsync(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    def fake(handle: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fake)


def in_replace(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    def fake(path: Path, target: Path) -> None:
        raise failure

    monkeypatch.setattr(Path, "replace", fake)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "result.png"
    path.write_bytes(b"old")
    return path


def test_writes_and_replaces(path: Path) -> None:
    write_atomic(path, b"new, and longer")
    assert path.read_bytes() == b"new, and longer"
    write_atomic(path, b"")
    assert path.read_bytes() == b""
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("inject", [in_write, in_fsync, in_replace])
def test_failure_keeps_the_old_file_and_leaves_nothing(
    path: Path, inject: Inject, failure: BaseException
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        inject(monkeypatch, failure)
        with pytest.raises(type(failure)) as caught:
            write_atomic(path, b"new" * 1000)
    assert caught.value is failure
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_failure_leaves_no_new_file_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_write(monkeypatch, FULL)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(tmp_path / "result.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_bytes_reach_the_disk_before_the_name_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        if kind == "file":
            assert os.fstat(handle).st_size == 3
        order.append(kind)
        fsync(handle)

    def noted_replace(source: Path, target: Path) -> Path:
        assert source.parent == target.parent
        assert target.read_bytes() == b"old"
        order.append("replace")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_atomic(path, b"new")
    assert order == ["file", "replace", "folder"]


def test_folder_that_cannot_be_synced_does_not_matter(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EACCES, "no folders here")

    monkeypatch.setattr("backbones.atomic.os.open", refuse)
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="permission bits of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], indirect=True)
def test_permission_bits_are_those_of_any_new_file(tmp_path: Path, umask: int) -> None:
    write_atomic(tmp_path / "result.png", b"new")
    mode = stat.S_IMODE((tmp_path / "result.png").stat().st_mode)
    assert mode == 0o666 & ~umask


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "result.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "result.png").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "result.png", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["result.png"]
