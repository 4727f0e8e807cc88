"""The backend `process`: workers in processes of their own; one that dies is replaced."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import wait

import torch

from nstcli.engine.device import at_once, choose
from nstcli.engine.memory import free_bytes
from nstcli.errors import StoppedError
from nstcli.run.backends import Driver
from nstcli.run.backends.worker_process import (
    Crash,
    Ended,
    Ready,
    Staged,
    Stepped,
    WorkerProcess,
)
from nstcli.run.events import Failed
from nstcli.run.job import Execution, Job, Settings

# Seconds between two looks for new jobs, while none of the workers says anything.
_POLL_SECONDS = 0.2
# Workers that may die before their first pair, until something must be wrong with all of them.
_MOST_EARLY_DEATHS = 3


def work(settings: Settings, execution: Execution, driver: Driver) -> None:
    """Make the jobs of the driver in as many processes as the user wants.

    A job whose worker dies is tried once more, alone.

    Raises:
        InputError: a device is not there.
        BackboneError: the weights cannot be had.
        StoppedError: workers die before they make anything.
    """
    devices = [choose(name.strip()) for name in execution.device.split(",")]
    count = max(execution.jobs, len(devices))
    places = [devices[n % len(devices)] for n in range(count)]
    # Told now: once they are at work, none of them sees what is free for all.
    share = free_bytes(torch.device("cpu")) / max(1, places.count("cpu"))
    pool = _Pool(settings, replace(execution, memory=share), driver, places)
    try:
        pool.run()
    finally:
        pool.close()


class _Pool:
    """The workers, and what each of them has in hand."""

    def __init__(
        self, settings: Settings, execution: Execution, driver: Driver, devices: Sequence[str]
    ):
        self._settings = settings
        self._execution = execution
        self._driver = driver
        self._workers = len(devices)
        self._vacant = deque(devices)
        self._running: list[WorkerProcess] = []
        # Jobs for the next worker that is free: those that a new one is started for, and those
        # of workers that died, each alone.
        self._waiting: deque[Sequence[Job]] = deque()
        self._tried: set[str] = set()
        self._died_early = 0
        self._prepared = False
        self._more = True

    def run(self) -> None:
        """Go on until there are no more jobs and every worker is done."""
        while True:
            if self._driver.stopping():
                self._waiting.clear()
                self._more = False
            self._give_jobs()
            self._start_worker()
            busy = any(worker.jobs for worker in self._running)
            if not busy and not self._more and not self._waiting:
                return
            for connection in wait([worker.connection for worker in self._running], _POLL_SECONDS):
                self._receive(next(w for w in self._running if w.connection is connection))

    def close(self) -> None:
        """End every worker at once; nothing is lost, since none of them writes anything."""
        for worker in self._running:
            worker.kill()

    def _give_jobs(self) -> None:
        for worker in self._running:
            if worker.ready and not worker.jobs and (jobs := self._next_jobs(worker.device)):
                if jobs[0].pair.output not in self._tried:  # else it was begun before, alone now
                    self._driver.started(jobs)
                worker.give(jobs)

    def _next_jobs(self, device: str) -> Sequence[Job]:
        """Return what a worker on this device should make next, if there is anything now."""
        if self._waiting:
            return self._waiting.popleft()
        if not self._more:
            return ()
        jobs = self._driver.next_jobs(at_once(device, self._execution.pairs_per_step))
        self._more = jobs is not None
        return jobs or ()

    def _start_worker(self) -> None:
        """Start a worker for the next vacant place, if there is work for it.

        One after the other: the first measures the fastest precision, alone, and the others
        find it remembered. Nor may the driver be asked for jobs before one worker is ready.
        """
        if not self._vacant or not all(worker.ready for worker in self._running):
            return
        device, settings = self._vacant[0], self._settings
        if self._prepared:
            jobs = self._next_jobs(device)
            if not jobs:
                return
            self._waiting.appendleft(jobs)
            settings = jobs[0].settings
        self._vacant.popleft()
        self._running.append(WorkerProcess(settings, self._execution, device, self._workers))

    def _receive(self, worker: WorkerProcess) -> None:
        """Take one message of a worker."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):  # the latter where it died in the middle of a message
            self._replace(worker)
            return
        if isinstance(message, Ready):
            worker.ready = self._prepared = True
            self._driver.ready(message.device, message.precision)
        elif isinstance(message, Stepped):
            jobs = [worker.jobs[output] for output in message.outputs]
            if self._driver.stepped(jobs, message.steps):
                worker.stop()
        elif isinstance(message, Staged):
            self._driver.staged(worker.jobs[message.output], message.stage)
        elif isinstance(message, Ended):
            self._died_early = 0
            self._driver.ended(worker.jobs.pop(message.output), message.outcome)
        elif isinstance(message, Crash):
            raise message.error

    def _replace(self, worker: WorkerProcess) -> None:
        """Replace a worker that died, and try its jobs once more, each alone."""
        code = worker.exit_code()
        self._running.remove(worker)
        self._vacant.append(worker.device)
        if not worker.ready:
            self._died_early += 1
            if self._died_early == _MOST_EARLY_DEATHS:
                raise StoppedError(
                    f"workers die at their start ({_exit_in_words(code)}); try --jobs 1"
                )
        for job in worker.jobs.values():
            if job.pair.output in self._tried:
                self._driver.ended(
                    job, Failed(_death_message(code), time.monotonic() - worker.since)
                )
            else:
                self._tried.add(job.pair.output)
                self._waiting.append([job])


def _death_message(code: int | None) -> str:
    """Say how a worker ended, and what may help."""
    return (
        f"the process that made it {_exit_in_words(code)}, twice; perhaps there is too little "
        "memory: try fewer --jobs or a smaller --size"
    )


def _exit_in_words(code: int | None) -> str:
    return f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
