"""Backends: where pairs are made. One asks a driver for jobs, and tells what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from nstcli.backends import BACKENDS
from nstcli.run.events import Outcome, Stage
from nstcli.run.job import Execution, Job, Settings

if TYPE_CHECKING:
    from nstcli.engine.steps import Step


class Driver(Protocol):
    """What a backend works for. Only the driver writes files; all calls come from one thread."""

    def next_jobs(self, most: int) -> Sequence[Job] | None:
        """Return jobs to make, at most so many; none when there is nothing now but may be later.

        None says that there will be no more.
        """

    def stopping(self) -> bool:
        """Tell whether no job shall be begun any more, not even once more."""

    def ready(self, device: str, precision: str) -> None:
        """Hear of a worker that has loaded its network."""

    def fewer_workers(self, why: str) -> None:
        """Hear that workers are not there which should be; the others go on."""

    def started(self, jobs: Sequence[Job]) -> None:
        """Hear that a worker took these jobs."""

    def stepped(self, jobs: Sequence[Job], steps: Sequence[Step]) -> bool:
        """Hear of a step of each job at work; return whether to end with the best so far."""

    def staged(self, job: Job, stage: Stage) -> None:
        """Hear of a picture on its way, where such are wanted."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Hear what became of a job that was started."""


# Works until the driver has no more jobs. What the driver raises ends it at once. The settings are
# those of the first jobs: their network is loaded before any job is asked for.
Backend = Callable[[Settings, Execution, Driver], None]


def name_of(execution: Execution) -> str:
    """Return the backend asked for; else Ray's for an address, processes for several workers."""
    if execution.backend != "auto":
        return execution.backend
    several = "," in execution.device or execution.jobs > 1
    return "ray" if execution.address else "process" if several else "local"


def get(execution: Execution) -> Backend:
    """Return the function of the backend asked for.

    Raises:
        InputError: it needs a package that is not installed.
    """
    return cast(Backend, import_module(BACKENDS[name_of(execution)]).work)
