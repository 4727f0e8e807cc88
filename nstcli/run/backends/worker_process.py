"""A worker in a process of its own, on this machine."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from nstcli.run.backends.messages import serve
from nstcli.run.job import Execution, Job, Settings

# Seconds until a worker that has closed its end must have ended altogether.
_EXIT_SECONDS = 2.0


class WorkerProcess:
    """A worker as the driver sees it; see `RemoteWorker`."""

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

    def ending(self) -> str:
        """Say how one ended that ended by itself, or was ended by others."""
        self._process.join(_EXIT_SECONDS)
        self.kill()
        code = self._process.exitcode
        return (
            f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
        )


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
        serve(connection, settings, execution, device, workers)
