"""Parts of a batch, one for each machine: `2/8` as written, `auto` as a scheduler numbers its jobs.

The variables are those of Slurm (`man sbatch`), Grid Engine (`man qsub`), PBS and Torque (`man
qsub`), and of Kubernetes' indexed jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from nstcli.errors import InputError

Item = TypeVar("Item")

_FORMS = "should be I/N with I from 1 to N, auto, or auto/N"


@dataclass(frozen=True)
class Shard:
    """The `index`-th of `count` parts of a batch, counted from 1."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(_FORMS)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def of(self, batch: list[Item]) -> list[Item]:
        """Return this part; the sizes of parts differ by one at most."""
        return batch[self.index - 1 :: self.count]


@dataclass(frozen=True)
class ArrayShard:
    """The part of the job array's task that runs here; of `count` parts, where that is given."""

    count: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError(_FORMS)

    def __str__(self) -> str:
        return f"auto/{self.count}" if self.count else "auto"

    def here(self, environment: Mapping[str, str]) -> Shard:
        """Return the part that a process with these variables is to make.

        Raises:
            InputError: it is no task of an array, or nothing tells how many there are.
        """
        for scheduler in SCHEDULERS:
            task = environment.get(scheduler.task, "")
            if task.isdecimal():  # Grid Engine says "undefined" to jobs that are no array
                return self._of(int(task), scheduler, environment)
        names = ", ".join(scheduler.task for scheduler in SCHEDULERS)
        raise InputError(
            f"--shard {self}: this is no task of a job array (none of {names} is set); "
            "say which part: --shard I/N"
        )

    def _of(self, task: int, scheduler: Scheduler, environment: Mapping[str, str]) -> Shard:
        said = f"--shard {self}: {scheduler.name} calls this task {task}"
        if self.count:
            index, count = task - scheduler.first + 1, self.count
            if not 1 <= index <= count:
                last = scheduler.first + count - 1
                raise InputError(f"{said}; number the tasks from {scheduler.first} to {last}")
            return Shard(index, count)
        if scheduler.range is None:
            raise InputError(f"{said}, but not how many there are; say it: --shard auto/N")
        numbers = [environment.get(name, "") for name in scheduler.range]
        if not all(number.isdecimal() for number in numbers):
            names = ", ".join(scheduler.range)
            raise InputError(f"{said}, but not all of {names}; say how many: --shard auto/N")
        first, last, step = map(int, numbers)
        step = max(1, step)
        count = (last - first) // step + 1
        index, rest = divmod(task - first, step)
        known = environment.get(scheduler.count, str(count))  # a list like 1,3,7 has gaps
        if rest or not 0 <= index < count or known != str(count):
            raise InputError(
                f"{said}, one of {known} from {first} to {last}: number them without gaps, "
                "like 1-8, or say how many: --shard auto/N"
            )
        return Shard(index + 1, count)


@dataclass(frozen=True)
class Scheduler:
    """How a scheduler numbers the tasks of an array in their environment.

    Attributes:
        name: for messages.
        task: the variable with the task's own number.
        first: the number that tasks are expected to begin with, where only their count is given.
        range: the variables with the first number, the last, and the step; None if there are none.
        count: the variable with the number of tasks, where there is one.
    """

    name: str
    task: str
    first: int = 1
    range: tuple[str, str, str] | None = None
    count: str = ""


SCHEDULERS = (
    Scheduler(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        range=("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP"),
        count="SLURM_ARRAY_TASK_COUNT",
    ),
    Scheduler(
        "Grid Engine",
        "SGE_TASK_ID",
        range=("SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE"),
    ),
    Scheduler("PBS", "PBS_ARRAY_INDEX"),
    Scheduler("Torque", "PBS_ARRAYID"),
    Scheduler("Kubernetes", "JOB_COMPLETION_INDEX", first=0),
)


def shard(written: object) -> Shard | ArrayShard:
    """Read `2/8`, the second of eight parts; or `auto`, or `auto/8` where nothing tells the 8."""
    if isinstance(written, (Shard, ArrayShard)):
        return written
    index, slash, count = str(written).partition("/")
    if index == "auto" and not slash:
        return ArrayShard()
    if not count.isdecimal() or not (index == "auto" or index.isdecimal()):
        raise ValueError(_FORMS)
    return ArrayShard(int(count)) if index == "auto" else Shard(int(index), int(count))
