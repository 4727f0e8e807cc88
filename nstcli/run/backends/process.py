"""Pairs are made in processes of their own, one or more per device; one that dies is replaced."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

import torch

from nstcli.engine.device import at_once, choose
from nstcli.engine.memory import free_bytes
from nstcli.errors import StoppedError
from nstcli.plan.pair import Job
from nstcli.run.backends import Driver
from nstcli.run.backends.worker_process import Crash, Ended, Hand, Ready, Stepped
from nstcli.run.events import Failed
from nstcli.run.settings import Execution

if TYPE_CHECKING:
    from nstcli.run.settings import Settings

# Seconds between two looks for new jobs, while none of the workers says anything.
_NAP = 0.2
# Workers that may die before their first pair, until something must be wrong with all of them.
_STILLBORN = 3


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
        self._hands: list[Hand] = []
        # Jobs for the next worker that is free: those that a new one is started for, and those
        # of workers that died, each alone.
        self._waiting: deque[Sequence[Job]] = deque()
        self._tried: set[str] = set()
        self._stillborn = 0
        self._prepared = False
        self._more = True

    def run(self) -> None:
        """Go on until there are no more jobs and every worker is done."""
        while True:
            if self._driver.stopping():
                self._waiting.clear()
                self._more = False
            self._hand_out()
            self._fill()
            busy = any(hand.jobs for hand in self._hands)
            if not busy and not self._more and not self._waiting:
                return
            for connection in wait([hand.connection for hand in self._hands], _NAP):
                self._hear(next(h for h in self._hands if h.connection is connection))

    def close(self) -> None:
        """End every worker at once; nothing is lost, since none of them writes anything."""
        for hand in self._hands:
            hand.kill()

    def _hand_out(self) -> None:
        for hand in self._hands:
            if hand.ready and not hand.jobs and (jobs := self._next_jobs(hand.device)):
                if jobs[0].pair.output not in self._tried:  # else it was begun before, alone now
                    self._driver.started(jobs)
                hand.give(jobs)

    def _next_jobs(self, device: str) -> Sequence[Job]:
        """Return what a worker on this device should make next, if there is anything now."""
        if self._waiting:
            return self._waiting.popleft()
        if not self._more:
            return ()
        jobs = self._driver.next_jobs(at_once(device, self._execution.pairs_per_step))
        self._more = jobs is not None
        return jobs or ()

    def _fill(self) -> None:
        """Start a worker for the next vacant place, if there is work for it.

        One after the other: the first measures the fastest precision, alone, and the others
        find it remembered. Nor may the driver be asked for jobs before one worker is ready.
        """
        if not self._vacant or not all(hand.ready for hand in self._hands):
            return
        device = self._vacant[0]
        if self._prepared:
            jobs = self._next_jobs(device)
            if not jobs:
                return
            self._waiting.appendleft(jobs)
        self._vacant.popleft()
        self._hands.append(Hand(self._settings, self._execution, device, self._workers))

    def _hear(self, hand: Hand) -> None:
        """Take one message of a worker."""
        try:
            message = hand.connection.recv()
        except (EOFError, OSError):  # the latter where it died in the middle of a message
            self._bury(hand)
            return
        if isinstance(message, Ready):
            hand.ready = self._prepared = True
            self._driver.ready(message.device, message.precision)
        elif isinstance(message, Stepped):
            jobs = [hand.jobs[output] for output in message.outputs]
            if self._driver.stepped(jobs, message.steps):
                hand.stop()
        elif isinstance(message, Ended):
            self._stillborn = 0
            self._driver.ended(hand.jobs.pop(message.output), message.outcome)
        elif isinstance(message, Crash):
            raise message.error

    def _bury(self, hand: Hand) -> None:
        """Replace a worker that died, and try its jobs once more, each alone."""
        code = hand.last_words()
        self._hands.remove(hand)
        self._vacant.append(hand.device)
        if not hand.ready:
            self._stillborn += 1
            if self._stillborn == _STILLBORN:
                raise StoppedError(f"workers die at their start ({_end(code)}); try --jobs 1")
        for job in hand.jobs.values():
            if job.pair.output in self._tried:
                self._driver.ended(job, Failed(_death(code), time.monotonic() - hand.since))
            else:
                self._tried.add(job.pair.output)
                self._waiting.append([job])


def _death(code: int | None) -> str:
    """Say how a worker ended, and what may help."""
    return (
        f"the process that made it {_end(code)}, twice; perhaps there is too little memory: "
        "try fewer --jobs or a smaller --size"
    )


def _end(code: int | None) -> str:
    return f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
