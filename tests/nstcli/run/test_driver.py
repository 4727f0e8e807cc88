"""The driver: what it does in which order, with a backend and a folder that are made up."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nstcli.engine.steps import Step
from nstcli.errors import InputError, StoppedError
from nstcli.plan.pair import Pair
from nstcli.results.digests import Digests
from nstcli.results.records import Before, Form, Record
from nstcli.results.stages import StageFolder
from nstcli.results.state import State
from nstcli.run import driver as drivers
from nstcli.run.backends import Driver
from nstcli.run.check import Rules
from nstcli.run.events import (
    Event,
    Failed,
    Made,
    Outcome,
    PairDone,
    PairFailed,
    PairFound,
    PairStarted,
    PairStep,
    Waiting,
    WorkerReady,
)
from nstcli.run.job import Execution, Job

RECORD = Record.model_construct(key="key", seconds=1.0, figures={"loss": 0.5})
STEP = Step(1, 1, 0.5, {}, 1.0)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "_LOOK_AGAIN", 0.001)


# What the driver passes on and looks at for the form alone.
SETTINGS: Any = SimpleNamespace(form=Form())


def jobs(*names: str) -> list[Job]:
    pairs = [Pair.of(Path(f"{n}.jpg"), Path("s.jpg"), f"{n}.png") for n in names]
    return [Job(pair, SETTINGS, (), "key") for pair in pairs]


class FakeResults:
    """An output folder in memory, which tells `log` what is done to it.

    Attributes:
        states: of pairs, by name; MISSING if nothing is said.
        elsewhere: pairs that another process has in hand; after so many looks it is gone.
        broken: errors, by the method that raises them.
        held: pairs that are locked now.
    """

    where = Path("out")
    warning = None

    def __init__(self, log: list[str]):
        self.log = log
        self.digests = Digests(None)
        self.states: dict[str, State | InputError] = {}
        self.elsewhere: dict[str, int] = {}
        self.broken: dict[str, BaseException] = {}
        self.held: set[str] = set()

    def path(self, pair: Pair) -> Path:
        return self.where / pair.output

    def before(self, output: str) -> Before | None:
        return None

    def failure(self, output: str) -> str | None:
        return None

    def state(self, pair: Pair, key: str) -> State:
        assert pair.output in self.held, "looked at before it was locked"
        found = self.states.get(pair.output, State.MISSING)
        if isinstance(found, InputError):
            raise found
        return found

    def stages(self, pair: Pair) -> StageFolder:
        return StageFolder(Path("not there"))

    def prepare(self) -> None:
        self._told("prepare")

    def take(self, pair: Pair) -> Lock | None:
        if self.elsewhere.get(pair.output):
            self.elsewhere[pair.output] -= 1
            return None
        self._told(f"take {pair.output}")
        assert pair.output not in self.held
        self.held.add(pair.output)
        return Lock(self, pair.output)

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        assert pair.output in self.held, "saved without a lock"
        self._told(f"save {pair.output}")

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        self._told(f"fail {pair.output}")

    def forget(self, pair: Pair) -> bool:
        self._told(f"forget {pair.output}")
        return True

    def _told(self, what: str) -> None:
        self.log.append(what)
        if error := self.broken.get(what.split(" ")[0]):
            raise error


class Lock:
    def __init__(self, results: FakeResults, name: str):
        self._results = results
        self._name = name

    def release(self) -> None:
        self._results.held.remove(self._name)
        self._results.log.append(f"release {self._name}")


Backend = Callable[[Any, Execution, Driver], None]


def making(most: int = 1, failing: Sequence[str] = ()) -> Backend:
    """Return a backend that makes `most` pairs at once, in a step, and fails some."""

    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cpu", "float32")
        while (taken := driver.next_jobs(most)) is not None:
            assert len(taken) <= most
            if not taken:
                continue
            driver.started(taken)
            driver.stepped(taken, [STEP] * len(taken))
            for job in taken:
                bad = job.pair.output in failing
                outcome: Outcome = Failed("why", 1.0) if bad else Made(b"data", RECORD)
                driver.ended(job, outcome)

    return work


class Runner:
    """A results, a log of what happens to it and of the events, and a way to run."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[Event] = []
        self.results = FakeResults(self.log)

    def listen(self, event: Event) -> None:
        self.events.append(event)
        name = type(event).__name__
        pair = getattr(event, "pair", None)
        self.log.append(f"{name} {pair.output}" if pair else name)

    def run(
        self,
        wanted: Sequence[Job],
        backend: Backend | None = None,
        listen: Callable[[Event], None] | None = None,
        **options: Any,
    ) -> None:
        failures, stop = options.pop("failures", ()), options.pop("stop", lambda: False)
        driver = drivers.JobDriver(
            wanted, self.results, Rules(**options), failures, listen or self.listen, stop
        )
        try:
            (backend or making())(None, Execution(), driver)
        finally:
            driver.release()

    def ends(self) -> dict[str, type[Event]]:
        """Return the one event that each pair ended in."""
        found: dict[str, type[Event]] = {}
        for event in self.events:
            if isinstance(event, PairDone | PairFailed | PairFound):
                assert event.pair.output not in found, "ended twice"
                found[event.pair.output] = type(event)
        return found


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner()
    yield made
    assert made.results.held == set(), "locks are left"


def test_a_result_is_kept_before_anybody_hears_of_it(runner: Runner) -> None:
    runner.run(jobs("a", "b"))
    once = ["take", "PairStarted", "PairStep", "save", "release", "PairDone"]
    assert runner.log == [
        "prepare",
        "WorkerReady",
        *(f"{what} {name}.png" for name in "ab" for what in once),
    ]
    numbers = [event.number for event in runner.events if isinstance(event, PairStarted)]
    assert numbers == [1, 2]
    assert runner.events[0] == WorkerReady("cpu", "float32")
    done = [event for event in runner.events if isinstance(event, PairStep)]
    assert [(event.step, event.loss, event.done) for event in done] == [(1, 0.5, 1.0)] * 2


def test_a_failure_is_written_down_and_the_rest_is_made(runner: Runner) -> None:
    runner.run(jobs("a", "b", "c"), making(2, failing=["a.png"]))
    assert runner.ends() == {"a.png": PairFailed, "b.png": PairDone, "c.png": PairDone}
    assert runner.log.index("fail a.png") < runner.log.index("PairFailed a.png")


def test_failures_before_the_run_are_written_down_once_it_is_ready(runner: Runner) -> None:
    bad = jobs("bad")[0].pair
    runner.run(jobs("a"), failures=[PairFailed(bad, "no picture")])
    assert runner.log[:3] == ["prepare", "fail bad.png", "WorkerReady"]


def test_fail_fast_stops_at_the_first_failure(runner: Runner) -> None:
    with pytest.raises(StoppedError, match=r"first failure: b\.jpg × s\.jpg: why"):
        runner.run(jobs("a", "b", "c"), making(failing=["b.png"]), fail_fast=True)
    assert runner.ends() == {"a.png": PairDone, "b.png": PairFailed}
    assert "fail b.png" in runner.log


def test_a_backend_that_never_gets_ready_leaves_no_trace(runner: Runner) -> None:
    def work(settings: object, execution: Execution, driver: Driver) -> None:
        raise InputError("no device 'abacus' here")

    with pytest.raises(InputError, match="abacus"):
        runner.run(jobs("a"), work)
    assert runner.log == []


def test_a_second_worker_prepares_nothing_again(runner: Runner) -> None:
    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cuda:0", "bfloat16")
        making()(settings, execution, driver)

    runner.run(jobs("a"), work)
    assert runner.log.count("prepare") == 1
    assert runner.log.count("WorkerReady") == 2


@pytest.mark.parametrize("state", [State.FOREIGN, State.EDITED, State.STALE])
def test_what_appeared_meanwhile_is_not_replaced_without_consent(
    runner: Runner, state: State
) -> None:
    runner.results.states["a.png"] = state
    runner.run(jobs("a", "b"))
    assert runner.ends() == {"a.png": PairFailed, "b.png": PairDone}
    assert "save a.png" not in runner.log
    (failed,) = (event for event in runner.events if isinstance(event, PairFailed))
    what = "another recipe holds the name: " if state is State.STALE else "appeared or changed"
    assert what in failed.error
    assert "fail a.png" in runner.log


def test_with_consent_it_is(runner: Runner) -> None:
    runner.results.states["a.png"] = State.EDITED
    runner.run(jobs("a"), overwrite=True)
    assert runner.ends() == {"a.png": PairDone}


@pytest.mark.parametrize("found", [State.FOREIGN, State.EDITED, InputError("is a folder")])
@pytest.mark.parametrize("force", [False, True])
def test_what_appears_while_a_pair_is_made_is_not_replaced_without_consent(
    runner: Runner, found: State | InputError, force: bool
) -> None:
    def listen(event: Event) -> None:
        runner.listen(event)
        if isinstance(event, PairStep) and event.pair.output == "a.png":
            runner.results.states["a.png"] = found

    runner.results.states["a.png"] = State.UP_TO_DATE if force else State.MISSING
    runner.run(jobs("a", "b"), making(), listen, force=force)
    assert runner.ends() == {"a.png": PairFailed, "b.png": PairDone}
    assert "save a.png" not in runner.log
    assert "fail a.png" in runner.log


def test_with_consent_what_appears_is_replaced(runner: Runner) -> None:
    def listen(event: Event) -> None:
        runner.listen(event)
        runner.results.states["a.png"] = State.EDITED

    runner.run(jobs("a"), making(), listen, overwrite=True)
    assert runner.ends() == {"a.png": PairDone}


def test_a_folder_that_appeared_under_a_result_s_name_fails_that_pair(runner: Runner) -> None:
    runner.results.states["a.png"] = InputError("'out/a.png' is a folder")
    runner.run(jobs("a", "b"))
    assert runner.ends() == {"a.png": PairFailed, "b.png": PairDone}


def test_a_pair_that_another_process_made_is_found(runner: Runner) -> None:
    runner.results.states["a.png"] = State.UP_TO_DATE
    runner.run(jobs("a", "b"))
    assert runner.ends() == {"a.png": PairFound, "b.png": PairDone}
    assert runner.log.index("forget a.png") < runner.log.index("PairFound a.png")
    assert "forget b.png" not in runner.log  # saving it does


def test_force_makes_it_all_the_same(runner: Runner) -> None:
    runner.results.states["a.png"] = State.UP_TO_DATE
    runner.run(jobs("a"), force=True)
    assert runner.ends() == {"a.png": PairDone}


def test_pairs_in_other_hands_come_last_and_are_made_here_when_those_let_go(runner: Runner) -> None:
    runner.results.elsewhere = {"a.png": 3, "b.png": 1}
    runner.run(jobs("a", "b", "c"), making(2))
    assert list(runner.ends()) == ["c.png", "b.png", "a.png"]
    assert set(runner.ends().values()) == {PairDone}
    waits = [event for event in runner.events if isinstance(event, Waiting)]
    assert waits[0] == Waiting(1, first=True)
    assert [event.first for event in waits[1:]] == [False] * (len(waits) - 1)


def test_pairs_in_other_hands_are_found_when_those_made_them(runner: Runner) -> None:
    runner.results.elsewhere = {"a.png": 2}
    runner.results.states["a.png"] = State.UP_TO_DATE
    runner.run(jobs("a"))
    assert runner.ends() == {"a.png": PairFound}


def test_while_it_waits_the_others_are_not_asked_at_every_call(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "_LOOK_AGAIN", 60.0)
    runner.results.elsewhere = {"a.png": 100}

    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cpu", "float32")
        assert [driver.next_jobs(1) for _ in range(50)] == [[]] * 50

    runner.run(jobs("a"), work)
    assert runner.results.elsewhere == {"a.png": 99}


def test_an_end_that_is_wanted_begins_nothing_more(runner: Runner) -> None:
    stops: list[bool] = []

    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cpu", "float32")
        (job,) = driver.next_jobs(1) or []
        driver.started([job])
        assert not driver.stepped([job], [STEP])
        stops.append(True)
        assert driver.stepped([job], [STEP])
        assert driver.stopping()
        driver.ended(job, Made(b"best so far", RECORD))
        assert driver.next_jobs(1) is None

    runner.run(jobs("a", "b"), work, stop=lambda: bool(stops))
    assert runner.ends() == {"a.png": PairDone}


@pytest.mark.parametrize("where", ["save", "fail", "take"])
def test_a_folder_that_cannot_be_written_to_stops_the_batch(runner: Runner, where: str) -> None:
    runner.results.broken[where] = FULL
    with pytest.raises(StoppedError) as stopped:
        runner.run(jobs("a", "b"), making(2, failing=["a.png"] if where == "fail" else []))
    assert str(stopped.value) == (
        "cannot write to 'out': No space left on device; what was finished is safe, the same "
        "command goes on from there"
    )
    assert runner.ends() == {}


def test_a_full_disk_stops_and_a_folder_that_cannot_be_made_is_a_wrong_input(
    runner: Runner,
) -> None:
    runner.results.broken["prepare"] = FULL
    with pytest.raises(StoppedError, match="No space left"):
        runner.run(jobs("a"))
    runner.results.broken["prepare"] = OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    with pytest.raises(InputError, match="cannot write to 'out': Not a directory"):
        runner.run(jobs("a"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), ZeroDivisionError()])
@pytest.mark.parametrize("where", ["in a save", "in the backend", "in a listener"])
def test_locks_are_released_however_it_ends(
    runner: Runner, error: BaseException, where: str
) -> None:
    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cpu", "float32")
        taken = driver.next_jobs(3) or []
        assert len(runner.results.held) == 3
        driver.started(taken)
        if where == "in the backend":
            raise error
        driver.ended(taken[0], Made(b"data", RECORD))

    def listen(event: Event) -> None:
        if where == "in a listener" and isinstance(event, PairDone):
            raise error

    if where == "in a save":
        runner.results.broken["save"] = error
    with pytest.raises(type(error)):
        runner.run(jobs("a", "b", "c"), work, listen)
    assert runner.results.held == set()
