"""Batches in several processes, which are killed, interrupted and broken for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nstcli.run.job import Execution
from tests import tiny
from tests.conftest import Plugin, install
from tests.nstcli.cli.conftest import Nst

pytestmark = [
    pytest.mark.usefixtures("folders"),
    pytest.mark.skipif(os.name != "posix", reason="sends signals"),
]

RUN = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "--precision", "float32")
# Pairs that take a few seconds each, so that something can happen to them.
LONG = ("--steps", "2500", "--tolerance", "0")
# Pairs that no machine finishes while the test waits for something else.
ENDLESS = ("--steps", "1000000", "--tolerance", "0")
PATIENCE = 120.0


class Batch:
    """`nst batch` in a process group of its own, as a shell starts it."""

    def __init__(self, folder: Path, *arguments: str):
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nstcli", *RUN, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.seen: list[psutil.Process] = []

    def events(self, kind: str) -> list[dict[str, Any]]:
        journal = self._folder / "out/.nst/events.jsonl"
        lines = journal.read_text("utf-8").splitlines() if journal.exists() else []
        return [event for line in lines if (event := json.loads(line))["event"] == kind]

    def wait_for(self, kind: str, count: int = 1) -> None:
        """Wait until that many events of a kind have happened."""
        deadline = time.monotonic() + PATIENCE
        while len(self.events(kind)) < count:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, f"no {kind}"
            time.sleep(0.02)

    def workers(self) -> list[psutil.Process]:
        """List the worker processes that run, and remember them."""
        children = psutil.Process(self.process.pid).children()
        found = [child for child in children if _is_worker(child)]
        self.seen += found
        return found

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def nobody_is_left(self) -> bool:
        """Tell whether all workers that were seen have ended, or do so soon."""
        assert self.seen
        deadline = time.monotonic() + PATIENCE
        while any(map(_runs, self.seen)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return False


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start(tiny_plugin: Plugin, tmp_path: Path) -> Iterator[Callable[..., Batch]]:
    started: list[Batch] = []

    def begin(*arguments: str) -> Batch:
        started.append(Batch(tmp_path, *arguments))
        return started[-1]

    yield begin
    for batch in started:
        for process in (*batch.seen, batch.process):
            if process.pid and psutil.pid_exists(process.pid) and _is_ours(process):
                process.kill()
        batch.process.communicate()


def _is_ours(process: psutil.Process | subprocess.Popen[str]) -> bool:
    return isinstance(process, subprocess.Popen) or _runs(process)


def results(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / "out").glob("*__*")}


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_a_pair_that_kills_twice_fails(
    start: Callable[..., Batch], tmp_path: Path
) -> None:
    """The first pair meets with two deaths, the second with one."""
    batch = start("--backend", "process", *LONG, "--limit", "3", "--json")
    for ready in (1, 2, 3):
        batch.wait_for("ready", ready)
        batch.wait_for("started", 1 if ready < 3 else 2)
        (worker,) = batch.workers()
        worker.kill()
    code, out, err = batch.end()
    assert code == 1, err
    found = json.loads(out)
    assert (found["made"], found["failed"]) == (2, 1)
    (failure,) = found["failures"]
    assert failure["result"] == "cat__ink.png"
    assert failure["error"].startswith("the process that made it was killed by signal 9, twice;")
    assert set(results(tmp_path)) == {"cat__wave.png", "dog__ink.png"}
    assert len(batch.events("ready")) == 4
    assert len(batch.events("started")) == 3
    assert batch.nobody_is_left()


def test_workers_whose_driver_is_killed_end_by_themselves(
    start: Callable[..., Batch], tmp_path: Path
) -> None:
    batch = start("-j", "2", *ENDLESS)
    batch.wait_for("ready", 1)
    batch.workers()
    batch.wait_for("started", 2)  # one of them has just begun, the other is in the middle
    assert len({worker.pid for worker in (*batch.seen, *batch.workers())}) == 2
    batch.process.kill()
    assert batch.nobody_is_left()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_all_processes_ends_them_in_order(
    start: Callable[..., Batch], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """A terminal sends Ctrl-C to the workers, too; some schedulers do so with SIGTERM."""
    batch = start("-j", "2", *ENDLESS, "--json")
    batch.wait_for("started", 1)
    batch.workers()
    os.killpg(batch.process.pid, number)
    ended, out, err = batch.end()
    assert ended == code, err
    assert json.loads(out)["exit_code"] == code
    assert "stopping; what is finished is safe" in err
    assert "Interrupted: nothing made" in err
    assert "Traceback" not in err
    assert batch.nobody_is_left()
    assert results(tmp_path) == {}


def test_a_signal_while_workers_start_ends_them_at_once(start: Callable[..., Batch]) -> None:
    batch = start("-j", "2", *ENDLESS)
    deadline = time.monotonic() + PATIENCE
    while not batch.workers() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(batch.process.pid, signal.SIGINT)
    code, _, err = batch.end()
    assert code == 130, err
    assert "Traceback" not in err
    assert batch.nobody_is_left()


def test_two_jobs_make_what_one_makes(nst: Nst, tmp_path: Path) -> None:
    assert nst(*RUN, "--steps", "5", "-o", "one").code == 0
    ended = nst(*RUN, "--steps", "5", "-j", "2")
    assert (ended.code, "Done: 4 made in " in ended.err) == (0, True)
    one = {p.name: p.read_bytes() for p in (tmp_path / "one").glob("*__*")}
    assert results(tmp_path) == one


@pytest.mark.parametrize(("wanted", "made"), [("2", 2), ("8", 4)])
def test_cores_are_shared_among_no_more_workers_than_pairs(
    nst: Nst, monkeypatch: pytest.MonkeyPatch, wanted: str, made: int
) -> None:
    seen: list[int] = []

    def work(settings: object, by: Execution, driver: object) -> None:
        seen.append(by.jobs)

    monkeypatch.setattr("nstcli.run.backends.get", lambda by: work)
    assert nst(*RUN, "-j", wanted).code == 0
    assert seen == [made]


def test_a_bug_in_a_worker_has_its_traceback(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(tiny.__file__).read_text("utf-8").replace('name="tiny"', 'name="buggy"')
    bug = (
        "    import multiprocessing\n    assert multiprocessing.parent_process() is None, 'oops'\n"
    )
    source = source.replace("    from torch import nn\n\n", f"{bug}    from torch import nn\n\n")
    install(tmp_path / "site", "buggy", source)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    ended = nst(*RUN, "-m", "buggy", "-j", "2")
    assert ended.code == 70
    assert "in a worker:" in ended.err
    assert "AssertionError: oops" in ended.err
    assert "this is a bug in nst" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_device_that_is_not_there_is_refused(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*RUN, "--device", "cpu,abacus")
    assert (ended.code, ended.err.splitlines()[-1][:27]) == (2, "nst: no device 'abacus' her")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_batches_on_one_folder_share_the_work(
    start: Callable[..., Batch], tmp_path: Path
) -> None:
    """One has two workers; the other makes the rest when the first is killed."""
    steps = ("--steps", "600", "--tolerance", "0")
    first, second = start("-j", "2", *steps), start(*steps, "--json")
    first.wait_for("started", 3)
    first.workers()
    first.process.kill()
    code, out, err = second.end()
    assert code == 0, err
    assert first.nobody_is_left()
    found = json.loads(out)
    made = Counter(event["result"] for event in second.events("done"))
    assert len(results(tmp_path)) == 4
    assert found["made"] + found["made_elsewhere"] + found["cached"] == 4
    assert set(made.values()) == {1}
