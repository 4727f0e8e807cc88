"""Make what was checked: every face of the program calls this, listens, and phrases the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from enum import Enum

from nstcli.errors import StoppedError
from nstcli.plan.pair import Pair
from nstcli.run import backends
from nstcli.run.check import Checked
from nstcli.run.driver import JobDriver, forget_failures, prepare
from nstcli.run.events import (
    Event,
    Listener,
    PairDone,
    PairFailed,
    PairFound,
    PairStep,
    WorkerReady,
)
from nstcli.run.job import Downloading, Execution, Job, fetch


class End(Enum):
    """How a run ended."""

    COMPLETE = "complete"  # nothing is left but what failed
    STOPPED = "stopped"  # by the environment, or by a failure that was to be the last
    INTERRUPTED = "interrupted"  # somebody wanted it


@dataclass
class Summary:
    """What became of a run.

    Attributes:
        cached: pairs that were up to date before.
        failures: pairs that could not be made, and why.
        made: pairs that were made.
        shortfalls: those of them that are no better than what they began with, and why.
        elsewhere: pairs that another process made meanwhile.
        end: how it ended.
        problem: why, if it was stopped.
        seconds: that it took.
    """

    cached: int = 0
    failures: list[PairFailed] = field(default_factory=list)
    made: int = 0
    shortfalls: list[tuple[Pair, str]] = field(default_factory=list)
    elsewhere: int = 0
    end: End = End.COMPLETE
    problem: str = ""
    seconds: float = 0.0

    def count(self, event: Event) -> bool:
        """Count a pair that ended; tell whether one did."""
        if isinstance(event, PairDone):
            self.made += 1
            if event.record.shortfall:
                self.shortfalls.append((event.pair, event.record.shortfall))
        elif isinstance(event, PairFound):
            self.elsewhere += 1
        elif isinstance(event, PairFailed):
            self.failures.append(event)
        else:
            return False
        return True


def make(
    checked: Checked,
    execution: Execution,
    listeners: Sequence[Listener] = (),
    *,
    stop: Callable[[], bool] = lambda: False,
    downloading: Downloading | None = None,
    during: AbstractContextManager[object] | None = None,
) -> Summary:
    """Make every job of a check, and tell what happens; how it ended is in the summary.

    Args:
        checked: what is to be made, and by which rules.
        execution: by what means.
        listeners: hear every event, those of pairs that failed before included.
        stop: is asked at every step; when it becomes true, the running pairs end: with their best
            pictures so far, or dropped, as the rules want it.
        downloading: shows downloads of weights.
        during: is entered while pairs are made, all that they need being there.

    Raises:
        InputError: the output folder cannot be made, or there is no such device or backend.
        BackboneError: weights cannot be had.
    """
    run = _Run(checked, listeners, stop)
    started = time.monotonic()
    try:
        run.tell_what_was_known()
        if checked.jobs:
            jobs = _by_network(checked.jobs)
            needed = [each for job in jobs for each in job.settings.needed]
            fetch(needed, execution.offline, downloading)
            with during or nullcontext():
                run.drive(jobs, execution)
    except StoppedError as error:
        run.summary.end, run.summary.problem = End.STOPPED, str(error)
    except KeyboardInterrupt:
        run.summary.end = End.INTERRUPTED
    run.summary.seconds = time.monotonic() - started
    return run.summary


def _by_network(jobs: Iterable[Job]) -> list[Job]:
    """Put jobs next to each other that can share a network, and of these what it has seen.

    Else their order stays. So no worker loads a network twice.
    """
    places: dict[tuple[object, ...], int] = {}

    def place(job: Job) -> tuple[int, ...]:
        kinds = job.settings.network, job.settings.reading
        return tuple(places.setdefault(kind, len(places)) for kind in kinds)

    return sorted(jobs, key=place)


class _Run:
    """Passes events on, counts them, and ends the run when somebody wants that."""

    def __init__(self, checked: Checked, listeners: Sequence[Listener], stop: Callable[[], bool]):
        self.summary = Summary(checked.cached, list(checked.failures))
        self._checked = checked
        self._listeners = listeners
        self._stop = stop
        self._untold = list(checked.failures)
        self._left = len(checked.jobs)

    def tell_what_was_known(self) -> None:
        """Tell of pairs that had failed and are up to date; of failures, where nothing is made.

        Raises:
            InputError: the output folder cannot be made.
            StoppedError: it cannot be written to, or a failure was to be the last.
        """
        checked = self._checked
        for found in forget_failures(checked.up_to_date, checked.results):
            self._tell(found)
        last = checked.rules.fail_fast and checked.failures
        if last or not checked.jobs:
            prepare(checked.results, checked.failures)
            self._tell_untold()
        if last:
            first = checked.failures[0]
            raise StoppedError(f"stopped at the first failure: {first.pair.title}: {first.error}")

    def drive(self, jobs: Sequence[Job], execution: Execution) -> None:
        """Let a backend make the jobs.

        Raises:
            KeyboardInterrupt: somebody wanted an end, and pairs are left.
        """
        checked = self._checked
        execution = replace(execution, jobs=min(execution.jobs, len(jobs)))
        driver = JobDriver(
            jobs, checked.results, checked.rules, checked.failures, self._listen, self._stop
        )
        try:
            backends.get(execution)(jobs[0].settings, execution, driver)
        finally:
            driver.release()
        if self._stop() and self._left:
            raise KeyboardInterrupt

    def _listen(self, event: Event) -> None:
        self._left -= self.summary.count(event)
        self._tell(event)
        if isinstance(event, WorkerReady):  # the output folder is there now
            self._tell_untold()
        if isinstance(event, PairStep) and self._stop() and not self._checked.rules.keep_best:
            raise KeyboardInterrupt

    def _tell_untold(self) -> None:
        while self._untold:
            self._tell(self._untold.pop(0))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
