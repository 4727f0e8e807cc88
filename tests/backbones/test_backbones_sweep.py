"""`sweep`: what killed writers left goes, what is being written stays."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backbones import atomic
from backbones.atomic import abandoned, sweep, write_atomic

HOUR = 3600.0
DEAD = 999_999_999  # beyond the largest process id of Linux and macOS


@pytest.fixture
def leave(tmp_path: Path) -> Callable[..., Path]:
    """Leave a temporary file behind, as a killed writer does."""

    def leave(process: int, *, age: float = 0.0, host: str | None = None, folder: str = "") -> Path:
        host = host or atomic._host()
        path = tmp_path / folder / f".nst-{host}-{process}-0123abcd.tmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        then = time.time() - age
        os.utime(path, (then, then))
        return path

    return leave


Leave = Callable[..., Path]


def test_a_dead_process_owns_nothing(leave: Leave, tmp_path: Path) -> None:
    leave(DEAD)
    leave(9_999_999_999, age=2.0)  # no system numbers processes like this: left alone
    sweep(tmp_path)
    assert [path.name.split("-")[2] for path in tmp_path.iterdir()] == ["9999999999"]


def test_the_processes_here_keep_theirs(leave: Leave, tmp_path: Path) -> None:
    mine = leave(os.getpid(), age=0.5)
    parents = leave(os.getppid(), age=0.5)
    sweep(tmp_path)
    assert mine.exists()
    assert parents.exists()


def test_a_file_older_than_its_process_is_of_an_earlier_one_with_that_number(
    leave: Leave, tmp_path: Path
) -> None:
    running = time.time() - psutil.Process().create_time()
    leave(os.getpid(), age=running + HOUR)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_works_for_days_keeps_its_file(
    leave: Leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = time.time() - 100 * HOUR
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: started)
    path = leave(os.getpid(), age=50 * HOUR)
    sweep(tmp_path)
    assert path.exists()


def test_the_clock_is_that_of_the_folder(
    leave: Leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server that is an hour behind us makes new files look old."""
    running = time.time() - psutil.Process().create_time()
    path = leave(os.getpid(), age=running + HOUR)
    monkeypatch.setattr(atomic, "_folder_time", lambda _: time.time() - HOUR)
    sweep(tmp_path)
    assert path.exists()


def test_the_clock_leaves_nothing_behind(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        before = time.time()
        assert before - 5 < atomic._folder_time(folder) < time.time() + 5
    assert list(tmp_path.iterdir()) == []


def test_processes_that_hide_keep_theirs(
    leave: Leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(_: object) -> float:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "create_time", hidden)
    path = leave(os.getpid(), age=1000 * HOUR)
    sweep(tmp_path)
    assert path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no zombies")
def test_a_zombie_writes_no_more(leave: Leave, tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path = leave(child.pid)
    sweep(tmp_path)
    assert path.exists()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    sweep(tmp_path)
    assert not path.exists()
    child.communicate()


@pytest.mark.parametrize(("age", "stays"), [(0.0, True), (23 * HOUR, True), (25 * HOUR, False)])
@pytest.mark.parametrize("process", [DEAD, os.getpid()], ids=["dead", "alive"])
def test_other_computers_have_a_day(
    leave: Leave, tmp_path: Path, process: int, age: float, stays: bool
) -> None:
    path = leave(process, age=age, host="00c0ffee")
    sweep(tmp_path)
    assert path.exists() == stays


def test_only_our_own_names_go(tmp_path: Path) -> None:
    dead = f".nst-{atomic._host()}-{DEAD}-0123abcd.tmp"
    names = ["cat.png", ".nst-notes.tmp", dead[1:], f"{dead}.png", f"x{dead}", dead[:-1]]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / dead).symlink_to(tmp_path / "cat.png")
    before = set(tmp_path.iterdir())
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_a_folder_with_such_a_name_stays(tmp_path: Path) -> None:
    folder = tmp_path / f".nst-{atomic._host()}-{DEAD}-0123abcd.tmp"
    folder.mkdir()
    sweep(tmp_path)
    assert folder.is_dir()


def test_sub_folders_are_for_the_caller_to_ask_for(leave: Leave, tmp_path: Path) -> None:
    top, below, elsewhere = leave(DEAD), leave(DEAD, folder="out/.nst/pairs"), tmp_path / "else"
    elsewhere.mkdir()
    linked = elsewhere / below.name
    linked.write_bytes(b"half")
    (tmp_path / "out" / "link").symlink_to(elsewhere)
    sweep(tmp_path)
    assert not top.exists()
    assert below.exists()
    sweep(tmp_path / "out", recursive=True)
    assert not below.exists()
    assert linked.exists()  # behind a link to a folder


def test_a_folder_that_is_not_there_is_clean(tmp_path: Path) -> None:
    sweep(tmp_path / "gone", recursive=True)
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("method", ["lstat", "unlink"])
@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_what_vanishes_or_resists_stops_nothing(
    leave: Leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, error: type
) -> None:
    first, second = leave(DEAD), leave(DEAD - 1)
    real = getattr(Path, method)
    seen: list[Path] = []

    def fail_once(path: Path, *rest: object, **more: object) -> object:
        if path in (first, second) and not seen:
            seen.append(path)
            raise error
        return real(path, *rest, **more)

    monkeypatch.setattr(Path, method, fail_once)
    sweep(tmp_path)
    monkeypatch.undo()
    assert [path for path in (first, second) if path.exists()] == seen


def test_sweepers_do_not_disturb_writers(tmp_path: Path) -> None:
    """Every write succeeds while another thread sweeps all the time."""
    done = threading.Event()

    def sweep_on() -> None:
        while not done.is_set():
            sweep(tmp_path)

    sweeper = threading.Thread(target=sweep_on)
    sweeper.start()
    try:
        for number in range(100):
            write_atomic(tmp_path / "result.png", str(number).encode())
    finally:
        done.set()
        sweeper.join()
    assert [path.name for path in tmp_path.iterdir()] == ["result.png"]


WRITER = """
    import sys
    from pathlib import Path
    from backbones.atomic import write_atomic
    path, bodies = Path(sys.argv[1]), [bytes([n]) * 200_000 for n in range(7)]
    number = 0
    while True:
        write_atomic(path, bodies[number % 7])
        number += 1
        if number == 3:
            print("writing", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_at_any_instant(tmp_path: Path) -> None:
    """The file is whole each time, at most one temporary file stays, and the sweep takes it."""
    path = tmp_path / "result.png"
    for attempt in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            time.sleep(0.0013 * attempt)
            sweep(tmp_path)  # must not disturb it
            assert writer.poll() is None
            writer.send_signal(signal.SIGKILL)
        data = path.read_bytes()
        assert len(data) == 200_000
        assert len(set(data)) == 1
        assert len(list(tmp_path.iterdir())) <= 2
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [path]


class TestPatience:
    """Windows: a file that somebody looks at cannot be replaced for a moment."""

    def refuse(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        real = Path.replace
        left = [True] * times

        def replace(path: Path, target: Path) -> Path:
            if left:
                left.pop()
                raise PermissionError(13, "Permission denied")
            return real(path, target)

        monkeypatch.setattr(Path, "replace", replace)
        monkeypatch.setattr(atomic, "_RETRY_SECONDS", (0.001, 0.001))

    @pytest.mark.parametrize("times", [0, 1, 2])
    def test_some_waiting_helps(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
    ) -> None:
        self.refuse(monkeypatch, times)
        write_atomic(tmp_path / "a.png", b"new")
        assert (tmp_path / "a.png").read_bytes() == b"new"

    def test_it_ends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refuse(monkeypatch, 3)
        with pytest.raises(PermissionError):
            write_atomic(tmp_path / "a.png", b"new")
        assert list(tmp_path.iterdir()) == []


def test_what_would_be_removed_can_be_listed_and_stays(leave: Leave, tmp_path: Path) -> None:
    ours, deep = leave(DEAD), leave(DEAD, folder="deep")
    leave(os.getpid(), age=0.5)
    (tmp_path / ".nst-link").symlink_to(ours)
    before = sorted(tmp_path.rglob("*"))
    assert abandoned(tmp_path) == [ours]
    assert set(abandoned(tmp_path, recursive=True)) == {ours, deep}
    assert abandoned(tmp_path / "gone") == []
    assert sorted(tmp_path.rglob("*")) == before
    sweep(tmp_path, recursive=True)
    assert abandoned(tmp_path, recursive=True) == []
