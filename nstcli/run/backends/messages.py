"""What a worker elsewhere and the driver tell each other, and the work that goes on in between."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from backbones import BackboneError
from nstcli.errors import NstError, no_memory, out_of_memory
from nstcli.run.events import Outcome, Stage
from nstcli.run.job import Execution, Job, Settings
from nstcli.run.reading import Read, read_file

if TYPE_CHECKING:
    from nstcli.engine.steps import Step


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


Message = Ready | Stepped | Staged | Ended | Crash


class Line(Protocol):
    """The worker's end of what connects it with the driver, as `multiprocessing` has it."""

    def send(self, message: Message, /) -> None:
        """Tell the driver."""

    def poll(self) -> bool:
        """Tell whether the driver has said something; while pairs are made, that is to stop."""

    def recv(self) -> Sequence[Job] | None:
        """Wait for jobs, and return them; None says to stop, and comes too late then."""


def serve(
    line: Line,
    settings: Settings,
    execution: Execution,
    device: str,
    workers: int,
    read: Read = read_file,
) -> None:
    """Be a worker, until it is ended from without or cannot go on.

    Args:
        line: to the driver.
        settings: of the first jobs.
        execution: by what means.
        device: as the user may write it.
        workers: that share this machine's cores.
        read: where the bytes of inputs come from.

    Raises:
        EOFError, ConnectionError: the driver is gone.
    """
    try:
        _make(line, settings, execution, device, workers, read)
    except (EOFError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - the driver raises it
        line.send(crash(error))


def crash(error: Exception) -> Crash:
    """Return what to tell the driver of what a worker could not handle."""
    if isinstance(error, NstError | BackboneError):
        return Crash(error)
    if out_of_memory(error):  # libraries take much as they are imported
        return Crash(no_memory("start a worker"))
    lines = "".join(traceback.format_exception(error))
    return Crash(RuntimeError(f"in a worker:\n{lines}"))


def _make(
    line: Line, settings: Settings, execution: Execution, device: str, workers: int, read: Read
) -> None:
    from nstcli.engine.device import choose, described, share_cores, share_memory
    from nstcli.run.worker import Worker

    share_cores(workers)
    device = choose(device)
    share_memory(device, execution.gpu_share)
    worker = Worker(device, execution, read)
    line.send(Ready(described(device), worker.load(settings)))

    def on_steps(jobs: Sequence[Job], steps: Sequence[Step]) -> bool:
        told = [replace(step, picture=None) for step in steps]
        line.send(Stepped([job.pair.output for job in jobs], told))
        return line.poll()

    def on_stage(job: Job, stage: Stage) -> None:
        line.send(Staged(job.pair.output, stage))

    while True:
        jobs = line.recv()
        if jobs is None:  # too late, it had ended
            continue
        for job, outcome in worker.make(jobs, on_steps, on_stage):
            line.send(Ended(job.pair.output, outcome))
