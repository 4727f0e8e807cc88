"""The driver: what it does in which order, with a backend and a folder that are made up."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nstcli.engine.steps import Step
from nstcli.errors import InputError, StoppedError
from nstcli.plan.pair import Pair
from nstcli.results.digests import Digests
from nstcli.results.records import Record
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


# What the driver passes on and never looks at.
NO_SETTINGS: Any = None


def jobs(*names: str) -> list[Job]:
    pairs = [Pair.of(Path(f"{n}.jpg"), Path("s.jpg"), f"{n}.png") for n in names]
    return [Job(pair, NO_SETTINGS, (), "key") for pair in pairs]


class Shelf:
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

    def load(self, output: str) -> Record | None:
        return None

    def failure(self, output: str) -> str | None:
        return None

    def state(self, pair: Pair, key: str) -> State:
        assert pair.output in self.held, "looked at before it was locked"
        found = self.states.get(pair.output, State.MISSING)
        if isinstance(found, InputError):
            raise found
        return found

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
    def __init__(self, shelf: Shelf, name: str):
        self._shelf = shelf
        self._name = name

    def release(self) -> None:
        self._shelf.held.remove(self._name)
        self._shelf.log.append(f"release {self._name}")


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


class Bench:
    """A shelf, a log of what happens to it and of the events, and a way to run."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[Event] = []
        self.shelf = Shelf(self.log)

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
            wanted, self.shelf, Rules(**options), failures, listen or self.listen, stop
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
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    assert made.shelf.held == set(), "locks are left"


def test_a_result_is_kept_before_anybody_hears_of_it(bench: Bench) -> None:
    bench.run(jobs("a", "b"))
    once = ["take", "PairStarted", "PairStep", "save", "release", "PairDone"]
    assert bench.log == [
        "prepare",
        "WorkerReady",
        *(f"{what} {name}.png" for name in "ab" for what in once),
    ]
    numbers = [event.number for event in bench.events if isinstance(event, PairStarted)]
    assert numbers == [1, 2]
    assert bench.events[0] == WorkerReady("cpu", "float32")
    done = [event for event in bench.events if isinstance(event, PairStep)]
    assert [(event.step, event.loss, event.done) for event in done] == [(1, 0.5, 1.0)] * 2


def test_a_failure_is_written_down_and_the_rest_is_made(bench: Bench) -> None:
    bench.run(jobs("a", "b", "c"), making(2, failing=["a.png"]))
    assert bench.ends() == {"a.png": PairFailed, "b.png": PairDone, "c.png": PairDone}
    assert bench.log.index("fail a.png") < bench.log.index("PairFailed a.png")


def test_failures_before_the_run_are_written_down_once_it_is_ready(bench: Bench) -> None:
    bad = jobs("bad")[0].pair
    bench.run(jobs("a"), failures=[PairFailed(bad, "no picture")])
    assert bench.log[:3] == ["prepare", "fail bad.png", "WorkerReady"]


def test_fail_fast_stops_at_the_first_failure(bench: Bench) -> None:
    with pytest.raises(StoppedError, match=r"first failure: b\.jpg × s\.jpg: why"):
        bench.run(jobs("a", "b", "c"), making(failing=["b.png"]), fail_fast=True)
    assert bench.ends() == {"a.png": PairDone, "b.png": PairFailed}
    assert "fail b.png" in bench.log


def test_a_backend_that_never_gets_ready_leaves_no_trace(bench: Bench) -> None:
    def work(settings: object, execution: Execution, driver: Driver) -> None:
        raise InputError("no device 'abacus' here")

    with pytest.raises(InputError, match="abacus"):
        bench.run(jobs("a"), work)
    assert bench.log == []


def test_a_second_worker_prepares_nothing_again(bench: Bench) -> None:
    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cuda:0", "bfloat16")
        making()(settings, execution, driver)

    bench.run(jobs("a"), work)
    assert bench.log.count("prepare") == 1
    assert bench.log.count("WorkerReady") == 2


@pytest.mark.parametrize("state", [State.FOREIGN, State.EDITED, State.STALE])
def test_what_appeared_meanwhile_is_not_replaced_without_consent(
    bench: Bench, state: State
) -> None:
    bench.shelf.states["a.png"] = state
    bench.run(jobs("a", "b"))
    assert bench.ends() == {"a.png": PairFailed, "b.png": PairDone}
    assert "save a.png" not in bench.log
    (failed,) = (event for event in bench.events if isinstance(event, PairFailed))
    assert failed.error == (
        "'out/a.png' appeared or changed while the batch was running; move it away"
    )
    assert "fail a.png" in bench.log


def test_with_consent_it_is(bench: Bench) -> None:
    bench.shelf.states["a.png"] = State.EDITED
    bench.run(jobs("a"), overwrite=True)
    assert bench.ends() == {"a.png": PairDone}


@pytest.mark.parametrize("found", [State.FOREIGN, State.EDITED, InputError("is a folder")])
@pytest.mark.parametrize("force", [False, True])
def test_what_appears_while_a_pair_is_made_is_not_replaced_without_consent(
    bench: Bench, found: State | InputError, force: bool
) -> None:
    def listen(event: Event) -> None:
        bench.listen(event)
        if isinstance(event, PairStep) and event.pair.output == "a.png":
            bench.shelf.states["a.png"] = found

    bench.shelf.states["a.png"] = State.UP_TO_DATE if force else State.MISSING
    bench.run(jobs("a", "b"), making(), listen, force=force)
    assert bench.ends() == {"a.png": PairFailed, "b.png": PairDone}
    assert "save a.png" not in bench.log
    assert "fail a.png" in bench.log


def test_with_consent_what_appears_is_replaced(bench: Bench) -> None:
    def listen(event: Event) -> None:
        bench.listen(event)
        bench.shelf.states["a.png"] = State.EDITED

    bench.run(jobs("a"), making(), listen, overwrite=True)
    assert bench.ends() == {"a.png": PairDone}


def test_a_folder_that_appeared_under_a_result_s_name_fails_that_pair(bench: Bench) -> None:
    bench.shelf.states["a.png"] = InputError("'out/a.png' is a folder")
    bench.run(jobs("a", "b"))
    assert bench.ends() == {"a.png": PairFailed, "b.png": PairDone}


def test_a_pair_that_another_process_made_is_found(bench: Bench) -> None:
    bench.shelf.states["a.png"] = State.UP_TO_DATE
    bench.run(jobs("a", "b"))
    assert bench.ends() == {"a.png": PairFound, "b.png": PairDone}
    assert bench.log.index("forget a.png") < bench.log.index("PairFound a.png")
    assert "forget b.png" not in bench.log  # saving it does


def test_force_makes_it_all_the_same(bench: Bench) -> None:
    bench.shelf.states["a.png"] = State.UP_TO_DATE
    bench.run(jobs("a"), force=True)
    assert bench.ends() == {"a.png": PairDone}


def test_pairs_in_other_hands_come_last_and_are_made_here_when_those_let_go(bench: Bench) -> None:
    bench.shelf.elsewhere = {"a.png": 3, "b.png": 1}
    bench.run(jobs("a", "b", "c"), making(2))
    assert list(bench.ends()) == ["c.png", "b.png", "a.png"]
    assert set(bench.ends().values()) == {PairDone}
    waits = [event for event in bench.events if isinstance(event, Waiting)]
    assert waits[0] == Waiting(1, first=True)
    assert [event.first for event in waits[1:]] == [False] * (len(waits) - 1)


def test_pairs_in_other_hands_are_found_when_those_made_them(bench: Bench) -> None:
    bench.shelf.elsewhere = {"a.png": 2}
    bench.shelf.states["a.png"] = State.UP_TO_DATE
    bench.run(jobs("a"))
    assert bench.ends() == {"a.png": PairFound}


def test_while_it_waits_the_others_are_not_asked_at_every_call(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "_LOOK_AGAIN", 60.0)
    bench.shelf.elsewhere = {"a.png": 100}

    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cpu", "float32")
        assert [driver.next_jobs(1) for _ in range(50)] == [[]] * 50

    bench.run(jobs("a"), work)
    assert bench.shelf.elsewhere == {"a.png": 99}


def test_an_end_that_is_wanted_begins_nothing_more(bench: Bench) -> None:
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

    bench.run(jobs("a", "b"), work, stop=lambda: bool(stops))
    assert bench.ends() == {"a.png": PairDone}


@pytest.mark.parametrize("where", ["save", "fail", "take"])
def test_a_folder_that_cannot_be_written_to_stops_the_batch(bench: Bench, where: str) -> None:
    bench.shelf.broken[where] = FULL
    with pytest.raises(StoppedError) as stopped:
        bench.run(jobs("a", "b"), making(2, failing=["a.png"] if where == "fail" else []))
    assert str(stopped.value) == (
        "cannot write to 'out': No space left on device; what was finished is safe, the same "
        "command goes on from there"
    )
    assert bench.ends() == {}


def test_a_full_disk_stops_and_a_folder_that_cannot_be_made_is_a_wrong_input(bench: Bench) -> None:
    bench.shelf.broken["prepare"] = FULL
    with pytest.raises(StoppedError, match="No space left"):
        bench.run(jobs("a"))
    bench.shelf.broken["prepare"] = OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    with pytest.raises(InputError, match="cannot write to 'out': Not a directory"):
        bench.run(jobs("a"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), ZeroDivisionError()])
@pytest.mark.parametrize("where", ["in a save", "in the backend", "in a listener"])
def test_locks_are_released_however_it_ends(bench: Bench, error: BaseException, where: str) -> None:
    def work(settings: object, execution: Execution, driver: Driver) -> None:
        driver.ready("cpu", "float32")
        taken = driver.next_jobs(3) or []
        assert len(bench.shelf.held) == 3
        driver.started(taken)
        if where == "in the backend":
            raise error
        driver.ended(taken[0], Made(b"data", RECORD))

    def listen(event: Event) -> None:
        if where == "in a listener" and isinstance(event, PairDone):
            raise error

    if where == "in a save":
        bench.shelf.broken["save"] = error
    with pytest.raises(type(error)):
        bench.run(jobs("a", "b", "c"), work, listen)
    assert bench.shelf.held == set()
