"""Pairs are made in processes of their own, one or more per device; one that dies is replaced."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from nstcli.batch.backends import Driver, Execution
from nstcli.batch.backends.hands import Crash, Ended, Hand, Ready, Stepped
from nstcli.batch.device import at_once, choose
from nstcli.batch.outcomes import Failed
from nstcli.batch.plan import Job
from nstcli.errors import NstError

if TYPE_CHECKING:
    from nstcli.batch.session import Settings

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
        NstError: workers die before they make anything.
    """
    devices = [choose(name.strip()) for name in execution.device.split(",")]
    count = max(execution.jobs, len(devices))
    pool = _Pool(settings, execution, driver, [devices[n % len(devices)] for n in range(count)])
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
        # Jobs of workers that died, each to be tried once more.
        self._again: deque[Job] = deque()
        self._tried: set[str] = set()
        self._stillborn = 0
        self._more = True

    def run(self) -> None:
        """Go on until there are no more jobs and every worker is done."""
        while True:
            self._fill()
            self._hand_out()
            busy = any(hand.jobs for hand in self._hands)
            if not busy and not self._more and not self._again:
                return
            for connection in wait([hand.connection for hand in self._hands], _NAP):
                self._hear(next(h for h in self._hands if h.connection is connection))

    def close(self) -> None:
        """End every worker at once; nothing is lost, since none of them writes anything."""
        for hand in self._hands:
            hand.kill()

    def _fill(self) -> None:
        """Start a worker for the next vacant place.

        One after the other: the first measures the fastest precision, alone, and the others
        find it remembered.
        """
        if self._vacant and all(hand.ready for hand in self._hands):
            device = self._vacant.popleft()
            self._hands.append(Hand(self._settings, self._execution, device, self._workers))

    def _hand_out(self) -> None:
        for hand in self._hands:
            if not hand.ready or hand.jobs:
                continue
            if self._again:
                hand.give([self._again.popleft()])
            elif self._more:
                most = at_once(hand.device, self._execution.pairs_per_step)
                jobs = self._driver.next_jobs(most)
                self._more = jobs is not None
                if jobs:
                    self._driver.started(jobs)
                    hand.give(jobs)

    def _hear(self, hand: Hand) -> None:
        """Take one message of a worker."""
        try:
            message = hand.connection.recv()
        except (EOFError, ConnectionError):
            self._bury(hand)
            return
        if isinstance(message, Ready):
            hand.ready = True
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
        code = hand.kill()
        self._hands.remove(hand)
        self._vacant.append(hand.device)
        if not hand.ready:
            self._stillborn += 1
            if self._stillborn == _STILLBORN:
                raise NstError(f"workers die at their start (exit code {code}); try --jobs 1")
        for job in hand.jobs.values():
            if job.pair.output in self._tried:
                self._driver.ended(job, Failed(_death(code), time.monotonic() - hand.since))
            else:
                self._tried.add(job.pair.output)
                self._again.append(job)


def _death(code: int | None) -> str:
    """Say how a worker ended."""
    how = f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
    return (
        f"the process that made it {how}, twice; perhaps there is too little memory: "
        "try fewer --jobs or a smaller --size"
    )
