"""A worker in a process of its own, and the messages that pass between it and the driver."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from backbones import BackboneError
from nstcli.errors import NstError, no_memory, out_of_memory
from nstcli.run.events import Outcome, Stage
from nstcli.run.job import Execution, Job, Settings

if TYPE_CHECKING:
    from nstcli.engine.steps import Step

# Seconds until a worker that has closed its end must have ended altogether.
_EXIT_SECONDS = 2.0


@dataclass(frozen=True)
class Ready:
    """The network is loaded."""

    device: str
    precision: str


@dataclass(frozen=True)
class Stepped:
    """A step of each job at work, named by their outputs."""

    outputs: Sequence[str]
    steps: Sequence[Step]


@dataclass(frozen=True)
class Staged:
    """A picture of a job on its way."""

    output: str
    stage: Stage


@dataclass(frozen=True)
class Ended:
    """What became of a job."""

    output: str
    outcome: Outcome


@dataclass(frozen=True)
class Crash:
    """The worker cannot go on: an error for the user, or a bug with its traceback."""

    error: Exception


class WorkerProcess:
    """A worker as the driver sees it.

    Attributes:
        ready: whether it has loaded its network.
        jobs: what it has in hand, by output.
        since: when it got that, on the monotonic clock.
    """

    def __init__(self, settings: Settings, execution: Execution, device: str, workers: int):
        # Anew, since neither CUDA nor threads survive a fork.
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.device = device
        self.ready = False
        self.jobs: dict[str, Job] = {}
        self.since = time.monotonic()
        self._process = spawn.Process(
            target=_serve,
            args=(theirs, settings, execution, device, workers),
            daemon=True,
        )
        with _without_interrupts():
            self._process.start()
        theirs.close()  # so that its end is seen here as the end of the stream

    def give(self, jobs: Sequence[Job]) -> None:
        """Let it make these jobs."""
        self.jobs = {job.pair.output: job for job in jobs}
        self.since = time.monotonic()
        with suppress(ConnectionError):  # it has died, which the next look at its messages tells
            self.connection.send(list(jobs))

    def stop(self) -> None:
        """Let it end what it has in hand with the best pictures so far."""
        with suppress(ConnectionError):
            self.connection.send(None)

    def kill(self) -> None:
        """End it at once, whatever it has in hand."""
        self.connection.close()
        self._process.kill()
        self._process.join()

    def exit_code(self) -> int | None:
        """Return the exit code of one that ended by itself, or was ended by others."""
        self._process.join(_EXIT_SECONDS)
        self.kill()
        return self._process.exitcode


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Put Ctrl-C off here, and for a process that is started within, which inherits this.

    A terminal sends it to every process, and a new one cannot ignore it before it runs.
    """
    if sys.platform == "win32":  # has no such mask; the worker dies with a traceback
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else it is started within, and listens again after that
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(
    connection: Connection, settings: Settings, execution: Execution, device: str, workers: int
) -> None:
    """Be a worker: the main function of its process."""
    # Ctrl-C reaches every process of a terminal; the driver decides what becomes of this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(EOFError, ConnectionError):  # the driver is gone
        try:
            _make(connection, settings, execution, device, workers)
        except (EOFError, ConnectionError):
            raise
        except (NstError, BackboneError) as error:
            connection.send(Crash(error))
        except Exception as error:  # noqa: BLE001 - the driver raises it, with this traceback
            if out_of_memory(error):  # libraries take much as they are imported
                connection.send(Crash(no_memory("start a worker")))
                return
            connection.send(Crash(RuntimeError(f"in a worker:\n{traceback.format_exc()}")))


def _make(
    connection: Connection, settings: Settings, execution: Execution, device: str, workers: int
) -> None:
    from nstcli.engine.device import described, share_cores
    from nstcli.run.worker import Worker

    share_cores(workers)
    worker = Worker(device, execution)
    connection.send(Ready(described(device), worker.load(settings)))

    def on_steps(jobs: Sequence[Job], steps: Sequence[Step]) -> bool:
        told = [replace(step, picture=None) for step in steps]
        connection.send(Stepped([job.pair.output for job in jobs], told))
        return connection.poll()  # the only message while it works is that to stop

    def on_stage(job: Job, stage: Stage) -> None:
        connection.send(Staged(job.pair.output, stage))

    while True:
        jobs = connection.recv()
        if jobs is None:  # too late, it had ended
            continue
        for job, outcome in worker.make(jobs, on_steps, on_stage):
            connection.send(Ended(job.pair.output, outcome))
