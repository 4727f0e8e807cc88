"""A pool of workers elsewhere: it hands jobs out, and tries those of workers that die once more."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from nstcli.errors import StoppedError
from nstcli.run.backends import Driver
from nstcli.run.backends.messages import Crash, Ended, Message, Ready, Staged, Stepped
from nstcli.run.events import Failed
from nstcli.run.job import Job, Settings
from nstcli.text import plural

# Workers that may die one after the other before any is ready, until the next has no better chance.
_MOST_EARLY_DEATHS = 3
# Seconds that they may take to be ready, until that is told.
_LATE = 60.0
_TIMES = {2: "twice", 3: "three times"}


class RemoteWorker(Protocol):
    """A worker as the driver sees it.

    Attributes:
        device: what it was started for.
        ready: whether it has loaded its network.
        jobs: what it has in hand, by output.
        since: when it got that, on the monotonic clock.
    """

    device: str
    ready: bool
    jobs: dict[str, Job]
    since: float

    def give(self, jobs: Sequence[Job]) -> None:
        """Let it make these jobs."""

    def stop(self) -> None:
        """Let it end what it has in hand with the best pictures so far."""

    def kill(self) -> None:
        """End it at once, whatever it has in hand."""

    def ending(self) -> str:
        """Say how one ended that was heard to be dead, `was killed by signal 9`; clear it away."""


W = TypeVar("W", bound=RemoteWorker)


@dataclass(frozen=True)
class Staff(Generic[W]):
    """How a pool comes to its workers.

    Attributes:
        devices: one for each worker there may be.
        start: starts a worker for a device; the settings are those of its first jobs.
        hear: waits a moment for messages of workers; None for one that has died.
        most_together: pairs that a worker on a device makes together, at most.
        one_by_one: each is started when those before it are ready. So the first measures the
            fastest precision alone, where all are on one machine, and the others find it.
        tries: workers that a job may cost, until it has failed.
        advice: what may help where they die.
        late: why they may take long to be ready; empty where that is no wonder.
    """

    devices: Sequence[str]
    start: Callable[[Settings, str], W]
    hear: Callable[[Sequence[W]], Iterable[tuple[W, Message | None]]]
    most_together: Callable[[str], int]
    one_by_one: bool
    tries: int
    advice: str
    late: str = ""


class Pool(Generic[W]):
    """The workers, and what each of them has in hand."""

    def __init__(self, settings: Settings, driver: Driver, staff: Staff[W]):
        self._settings = settings
        self._driver = driver
        self._staff = staff
        self._vacant = deque(staff.devices)
        self._running: list[W] = []
        # Jobs for the next worker that is free: those that a new one is started for, and those
        # of workers that died, each alone.
        self._waiting: deque[Sequence[Job]] = deque()
        self._deaths: Counter[str] = Counter()  # by output
        self._died_early = 0
        self._told_of_late = not staff.late
        self._prepared = False
        self._more = True

    def run(self) -> None:
        """Go on until there are no more jobs and every worker is done.

        Raises:
            StoppedError: all workers die before they are ready.
        """
        while True:
            if self._driver.stopping():
                self._waiting.clear()
                self._more = False
            self._give_jobs()
            self._start_workers()
            busy = any(worker.jobs for worker in self._running)
            if not busy and not self._more and not self._waiting:
                return
            self._look_for_late()
            for worker, message in self._staff.hear(self._running):
                self._receive(worker, message)

    def close(self) -> None:
        """End every worker at once; nothing is lost, since none of them writes anything."""
        for worker in self._running:
            worker.kill()

    def _give_jobs(self) -> None:
        for worker in self._running:
            if worker.ready and not worker.jobs and (jobs := self._next_jobs(worker.device)):
                if not self._deaths[jobs[0].pair.output]:  # else it was begun before, alone now
                    self._driver.started(jobs)
                worker.give(jobs)

    def _next_jobs(self, device: str) -> Sequence[Job]:
        """Return what a worker on this device should make next, if there is anything now."""
        return self._waiting.popleft() if self._waiting else self._new_jobs(device)

    def _new_jobs(self, device: str) -> Sequence[Job]:
        """Ask the driver for jobs that suit a device."""
        if not self._more:
            return ()
        jobs = self._driver.next_jobs(self._staff.most_together(device))
        self._more = jobs is not None
        return jobs or ()

    def _start_workers(self) -> None:
        """Start a worker for vacant places, as far as there is work for it.

        The driver may not be asked for jobs before one worker is ready.
        """
        while self._vacant:
            starting = sum(not worker.ready for worker in self._running)
            if starting and (self._staff.one_by_one or not self._prepared):
                return
            device, settings = self._vacant[0], self._settings
            if self._prepared:
                # Those that start will take the first of what waits.
                if len(self._waiting) <= starting and (jobs := self._new_jobs(device)):
                    self._waiting.append(jobs)
                if len(self._waiting) <= starting:
                    return
                settings = self._waiting[starting][0].settings
            self._vacant.popleft()
            self._running.append(self._staff.start(settings, device))

    def _look_for_late(self) -> None:
        """Tell, once, of workers that take long to be ready."""
        if self._told_of_late:
            return
        late = [w for w in self._running if not w.ready and time.monotonic() - w.since > _LATE]
        if late:
            self._told_of_late = True
            waiting = plural(len(late), "worker")
            self._driver.fewer_workers(f"{waiting} not ready after {_LATE:g} s: {self._staff.late}")

    def _receive(self, worker: W, message: Message | None) -> None:
        if message is None:
            self._replace(worker)
        elif isinstance(message, Ready):
            worker.ready = self._prepared = True
            self._died_early = 0
            self._driver.ready(message.device, message.precision)
        elif isinstance(message, Stepped):
            jobs = [worker.jobs[output] for output in message.outputs]
            if self._driver.stepped(jobs, message.steps):
                worker.stop()
        elif isinstance(message, Staged):
            self._driver.staged(worker.jobs[message.output], message.stage)
        elif isinstance(message, Ended):
            self._driver.ended(worker.jobs.pop(message.output), message.outcome)
        elif isinstance(message, Crash):
            raise message.error

    def _replace(self, worker: W) -> None:
        """Replace a worker that died, and try its jobs once more, each alone."""
        how = worker.ending()
        self._running.remove(worker)
        self._died_early += not worker.ready
        if worker.ready or self._died_early < _MOST_EARLY_DEATHS:
            self._vacant.append(worker.device)
        else:  # its place stays empty
            why = f"workers die at their start ({how}); {self._staff.advice}"
            if not self._running:
                raise StoppedError(why)
            self._driver.fewer_workers(why)
        for output, job in worker.jobs.items():
            self._deaths[output] += 1
            if self._deaths[output] < self._staff.tries:
                self._waiting.append([job])
                continue
            error = (
                f"the process that made it {how}, {_TIMES[self._staff.tries]}; "
                f"perhaps there is too little memory: {self._staff.advice}"
            )
            self._driver.ended(job, Failed(error, time.monotonic() - worker.since))
