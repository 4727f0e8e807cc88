"""`Locks`: one process for each pair, and none that outlives its process."""

import errno
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.results import locks
from nstcli.results.locks import Lock, Locks

NAME = "cat__starry.png"

HOLDER = """
    import os, sys, time
    from pathlib import Path
    from nstcli.results.locks import Locks
    folder, names, fork = Path(sys.argv[1]), sys.argv[2].split(), sys.argv[3] == "fork"
    locks = Locks(folder)
    held = [locks.take(name) for name in names]
    child = os.fork() if fork else 0
    if fork and child == 0:
        os.close(1)  # so that the parent's death shows
        time.sleep(60)
        os._exit(0)
    print(child, sum(lock is not None for lock in held), flush=True)
    sys.stdin.readline()
    for lock in held:
        lock.release()
    print("released", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".nst").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    assert locks._files == {}


def granted(known: Locks, name: str) -> Lock:
    lock = known.take(name)
    assert lock is not None
    return lock


def take(folder: Path, name: str = NAME) -> Lock:
    return granted(Locks(folder), name)


def free(folder: Path, name: str = NAME) -> bool:
    lock = Locks(folder).take(name)
    if lock:
        lock.release()
    return lock is not None


@contextmanager
def holder(folder: Path, *names: str, fork: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds locks until it is sent a line."""
    with subprocess.Popen(
        [
            *(sys.executable, "-c", textwrap.dedent(HOLDER)),
            *(str(folder), " ".join(names), "fork" if fork else "-"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_a_held_lock_is_held_for_everybody_here(folder: Path) -> None:
    known = Locks(folder)
    lock = granted(known, NAME)
    assert known.take(NAME) is None
    assert Locks(folder).take(NAME) is None
    lock.release()
    assert free(folder)


def test_other_names_are_free(folder: Path) -> None:
    with take(folder, "a.png"), take(folder, "b.png"), take(folder, "sub/a.png"):
        assert not free(folder, "b.png")
    assert free(folder, "b.png")


def test_a_second_release_frees_nothing(folder: Path) -> None:
    first = take(folder)
    first.release()
    with take(folder):
        first.release()
        assert not free(folder)


def test_leaving_the_block_releases_whatever_happens(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), take(folder):
        raise KeyboardInterrupt
    assert free(folder)


def test_one_empty_file_stays_however_many_pairs(folder: Path) -> None:
    names = [f"{number}.png" for number in range(2000)]
    held = [take(folder, name) for name in names[:50]]
    for name in names[50:]:
        take(folder, name).release()
    for lock in held:
        lock.release()
    found = list(folder.rglob("*"))
    assert found == [folder / ".nst", folder / ".nst" / "locks"]
    assert found[1].stat().st_size == 0


@given(st.sets(st.text(), max_size=50))
def test_names_have_bytes_of_their_own_that_can_be_addressed(names: set[str]) -> None:
    folded = {name.casefold() for name in names}
    offsets = {locks._offset(name) for name in folded if name.isascii()}
    assert len(offsets) == len([name for name in folded if name.isascii()])
    assert all(0 <= offset < 2**31 - 1 for offset in offsets)


@pytest.mark.parametrize(
    "twin", ["CAT__é.PNG", "cat__e\u0301.png"], ids=["another case", "decomposed"]
)
def test_names_that_may_be_one_file_share_a_lock(folder: Path, twin: str) -> None:
    with take(folder, "cat__é.png"):
        assert not free(folder, twin)


def test_a_name_that_is_not_utf8(folder: Path) -> None:
    with take(folder, os.fsdecode(b"caf\xe9.png")):
        assert free(folder, os.fsdecode(b"caf\xe8.png"))


def test_another_process_holds_it_until_it_lets_go(folder: Path) -> None:
    with holder(folder, "a", "b") as other:
        assert said(other) == ["0", "2"]
        assert not free(folder, "a")
        assert not free(folder, "b")
        assert free(folder, "c")
        print(file=other.stdin, flush=True)
        assert said(other) == ["released"]
        assert free(folder, "a")


def test_another_process_meets_ours(folder: Path) -> None:
    with take(folder, "a"), take(folder, "b"):
        with take(folder, "c"):
            pass  # releasing one lock keeps the others
        with holder(folder, "a", "b", "c") as other:
            assert said(other) == ["0", "1"]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("fork", [False, True], ids=["alone", "its child lives on"])
def test_a_killed_holder_holds_nothing(folder: Path, fork: bool) -> None:
    with holder(folder, "a", fork=fork) as other:
        child, count = map(int, said(other))
        try:
            assert count == 1
            assert not free(folder, "a")
            other.kill()
            other.wait()
            if fork:
                os.kill(child, 0)  # alive
            assert free(folder, "a")
        finally:
            if child:
                os.kill(child, 9)


def test_a_removed_file_does_not_stop_anybody(folder: Path) -> None:
    with take(folder, "a"):
        (folder / ".nst" / "locks").unlink()
        with take(folder, "b"):
            assert not free(folder, "b")
        assert free(folder, "b")


def test_folders_have_locks_of_their_own(folder: Path) -> None:
    other = folder / "other"
    (other / ".nst").mkdir(parents=True)
    (folder / "link").symlink_to(folder, target_is_directory=True)
    with take(folder):
        assert free(other)
        assert not free(folder / "link")


def test_a_folder_that_is_gone_is_an_error(folder: Path) -> None:
    (folder / ".nst").rmdir()
    with pytest.raises(FileNotFoundError):
        Locks(folder).take(NAME)
    assert not (folder / ".nst").exists()


class TestWithoutLocks:
    """A file system that has no locks."""

    @pytest.fixture(params=["ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"])
    def missing(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        asked: list[int] = []

        def fail(handle: int, offset: int) -> None:
            asked.append(offset)
            raise OSError(getattr(errno, request.param), "No locks available")

        monkeypatch.setattr(locks, "_lock_byte", fail)
        monkeypatch.setattr(locks, "_free_byte", fail)
        return asked

    def test_work_goes_on_with_a_warning(self, folder: Path, missing: list[int]) -> None:
        known = Locks(folder)
        assert known.warning is None
        with granted(known, "a"), granted(known, "b"):
            assert known.take("a") is None  # the threads of one process still keep apart
            assert len(missing) == 1
        assert known.warning is not None
        assert str(folder) in known.warning
        assert "No locks available" in known.warning
        with granted(known, "a"):
            pass

    def test_other_errors_are_errors(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(handle: int, offset: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(locks, "_lock_byte", fail)
            known = Locks(folder)
            with pytest.raises(OSError, match="Input/output"):
                known.take(NAME)
        assert known.warning is None
        assert free(folder)

    @pytest.mark.parametrize("code", [errno.EACCES, errno.EAGAIN])
    def test_busy_has_two_names(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        def fail(handle: int, offset: int) -> None:
            raise OSError(code, "busy")

        monkeypatch.setattr(locks, "_lock_byte", fail)
        known = Locks(folder)
        assert known.take(NAME) is None
        assert known.warning is None


def test_threads_exclude_each_other(folder: Path) -> None:
    known, inside, clashes, turns = Locks(folder), set[str](), list[str](), list[str]()

    def hammer(seed: int) -> None:
        choice = random.Random(seed)
        taken = 0
        while taken < 75:
            name = choice.choice("abc")
            lock = known.take(name)
            if lock is None:
                continue
            with lock:
                if name in inside:
                    clashes.append(name)
                inside.add(name)
                time.sleep(0)
                inside.discard(name)
                turns.append(name)
                taken += 1

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []
    assert len(turns) == 4 * 75  # how many tries that takes is up to the scheduler


# Takes locks of a few names at random. Who holds one writes its number into a file, for which
# nobody else may have a number there, unless that one was killed before it could remove it.
HAMMER = """
    import os, random, sys, time
    from pathlib import Path
    from nstcli.results.locks import Locks
    folder, end = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2])
    locks, mine, turns = Locks(folder), str(os.getpid()), 0
    print("started", flush=True)
    while time.monotonic() < end or turns <= 20:  # on a busy machine, a turn takes its time
        name = random.choice("abcde")
        lock, other = locks.take(name), locks.take(random.choice("vwxyz"))
        if lock:
            mark = folder / f"mark-{name}"
            if mark.exists() and mark.read_text():
                print("met", mark.read_text(), flush=True)
            mark.write_text(mine)
            time.sleep(random.random() / 1000)
            assert mark.read_text() == mine
            mark.write_text("")
            lock.release()
            turns += 1
        if other:
            other.release()
    print("turns", turns, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_processes_exclude_each_other_even_when_killed(folder: Path) -> None:
    def start(seconds: float) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(HAMMER), str(folder), str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    lasting, doomed = [start(1.5) for _ in range(3)], [start(60) for _ in range(3)]
    for number, process in enumerate(doomed):
        assert said(process) == ["started"]
        time.sleep(0.1 + 0.037 * number)
        process.kill()
    killed = {str(process.pid) for process in doomed}
    for process in (*lasting, *doomed):
        out, errors = process.communicate(timeout=60)
        lines = [line.split() for line in out.splitlines()]
        met = {line[1] for line in lines if line[0] == "met"}
        assert met <= killed
        assert errors == ""
        if process in lasting:
            assert lines[-1][0] == "turns"
            assert int(lines[-1][1]) > 20
    assert all(free(folder, name) for name in "abcdevwxyz")


def test_whether_any_is_held_is_told_without_a_trace(folder: Path) -> None:
    assert Locks(folder).any_held() is False
    assert Locks(folder / "gone").any_held() is False
    assert list((folder / ".nst").iterdir()) == []
    with take(folder):
        assert Locks(folder).any_held() is True
        with holder(folder, NAME) as other:
            assert said(other) == ["0", "0"]  # to look took nothing from us
    assert Locks(folder).any_held() is False


def test_whether_another_process_holds_any(folder: Path) -> None:
    with holder(folder, "a") as other:
        assert said(other) == ["0", "1"]
        for _ in range(3):
            assert Locks(folder).any_held() is True
        assert not free(folder, "a")
        print(file=other.stdin, flush=True)
        assert said(other) == ["released"]
        assert Locks(folder).any_held() is False


@pytest.mark.parametrize(
    ("code", "answer"), [(errno.EAGAIN, True), (errno.EACCES, True), (errno.ENOLCK, None)]
)
def test_where_nobody_can_tell_nobody_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, answer: bool | None
) -> None:
    def fail(handle: int) -> None:
        raise OSError(code, "why")

    take(folder).release()
    monkeypatch.setattr(locks, "_lock_all", fail)
    assert Locks(folder).any_held() is answer
