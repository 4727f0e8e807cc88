"""The driver of a run: the only writer of files, the source of all events."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from nstcli.errors import InputError, StoppedError
from nstcli.plan.pair import Pair
from nstcli.results.stages import ANIMATION, StageFolder, stage_name
from nstcli.results.state import State
from nstcli.results.store import Held, Results
from nstcli.run.check import Rules, differences, state_of
from nstcli.run.events import (
    Failed,
    FewerWorkers,
    Listener,
    Made,
    Outcome,
    PairDone,
    PairFailed,
    PairFound,
    PairStarted,
    PairStep,
    Stage,
    Waiting,
    WorkerReady,
)
from nstcli.run.job import Job
from nstcli.text import shown

if TYPE_CHECKING:  # it imports torch, which a run that has nothing to make does without
    from nstcli.engine.steps import Step

# Seconds between two looks at pairs that another process has in hand.
_LOOK_AGAIN = 0.5

# What passes as soon as there is room; a quota is a full disk for one user.
_FULL = {errno.ENOSPC, errno.EDQUOT}


class JobDriver:
    """Hands out the jobs whose locks can be had, and writes down what becomes of them.

    Each job ends in exactly one event: `PairDone`, `PairFailed` or `PairFound`, sent when its
    record is on the disk. One that fails leaves the others alone.

    Args:
        jobs: in the order in which they are begun.
        results: where the results go.
        rules: what the run is asked for.
        failures: pairs that failed before the run, to be written down with the others.
        listen: hears every event.
        stop: is asked at every step. When it becomes true, the running pairs end with their best
            pictures so far, and no other is begun.

    What is raised from here ends the run: InputError when the output folder cannot be made,
    StoppedError when results cannot be written any more, or a pair failed and the rules want that
    to be the last one. What was written before stays.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        results: Results,
        rules: Rules,
        failures: Sequence[PairFailed],
        listen: Listener,
        stop: Callable[[], bool],
    ):
        self._open = deque(jobs)
        self._elsewhere: deque[Job] = deque()
        self._look_again = 0.0
        self._locks: dict[str, Held] = {}
        self._stages: dict[str, StageFolder] = {}  # of the jobs at work
        self._results = results
        self._rules = rules
        self._failures = failures
        self._listen = listen
        self._stop = stop
        self._prepared = False
        self._started = 0

    def next_jobs(self, most: int) -> Sequence[Job] | None:
        """Return jobs to make, locked; none while others have them all, None when all are done."""
        if self._stop():
            return None
        if not self._open and self._elsewhere:
            if time.monotonic() < self._look_again:
                return []
            self._open, self._elsewhere = self._elsewhere, self._open
        taken: list[Job] = []
        while self._open and len(taken) < most:
            job = self._open.popleft()
            if self._take(job):
                taken.append(job)
        if taken:
            return taken
        if not self._elsewhere:
            return None
        self._listen(Waiting(len(self._elsewhere), first=not self._look_again))
        self._look_again = time.monotonic() + _LOOK_AGAIN
        return []

    def stopping(self) -> bool:
        """Tell whether no job shall be begun any more."""
        return self._stop()

    def ready(self, device: str, precision: str) -> None:
        """Tell of a worker that has loaded its network; the first is when files may be written."""
        if not self._prepared:
            prepare(self._results, self._failures)
            self._prepared = True
        self._listen(WorkerReady(device, precision))

    def fewer_workers(self, why: str) -> None:
        """Tell of workers that are not there."""
        self._listen(FewerWorkers(why))

    def started(self, jobs: Sequence[Job]) -> None:
        """Tell that a worker took these jobs."""
        for job in jobs:
            self._started += 1
            self._listen(PairStarted(self._started, job.pair))

    def stepped(self, jobs: Sequence[Job], steps: Sequence[Step]) -> bool:
        """Tell of a step of each job; return whether to end with the best so far."""
        for job, step in zip(jobs, steps, strict=True):
            told = step.number, step.steps, step.loss, step.done, step.picture
            self._listen(PairStep(job.pair, *told))
        return self._stop()

    def staged(self, job: Job, stage: Stage) -> None:
        """Write down a picture of a job at work."""
        name = stage_name(stage.step, job.settings.form.format)
        with writing(self._results):
            self._stages_of(job).add(name, stage.data)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Write down what became of a job, and tell of it."""
        if isinstance(outcome, Made):  # minutes have passed since it was looked at
            found = self._look(job)
            if isinstance(found, Failed):
                outcome = replace(found, seconds=outcome.record.seconds)
        with writing(self._results):
            if isinstance(outcome, Made):
                self._results.save(job.pair, outcome.data, outcome.record)
                self._finish_stages(job, outcome)
            else:
                self._results.fail(job.pair, outcome.error, outcome.seconds)
                if stages := self._stages.pop(job.pair.output, None):
                    stages.clear()
        self._release(job)
        if isinstance(outcome, Made):
            self._listen(PairDone(job.pair, outcome.record))
            return
        self._listen(PairFailed(job.pair, outcome.error))
        if self._rules.fail_fast:
            raise StoppedError(f"stopped at the first failure: {job.pair.title}: {outcome.error}")

    def release(self) -> None:
        """Let other processes have what was begun and not ended."""
        while self._locks:
            self._locks.popitem()[1].release()

    def _stages_of(self, job: Job) -> StageFolder:
        """Return the folder of the stages of a job, begun with the first that it is asked for."""
        if job.pair.output not in self._stages:
            stages = self._results.stages(job.pair)
            stages.begin(job.key)
            self._stages[job.pair.output] = stages
        return self._stages[job.pair.output]

    def _finish_stages(self, job: Job, made: Made) -> None:
        """Bring the stages of a result to their end; those of one that it replaced go in any case.

        The result is there before they are complete: killed in between, they are made again.
        """
        wanted = job.settings.form.stages
        if not wanted.any:
            self._results.stages(job.pair).clear()
            return
        stages = self._stages_of(job)
        if made.animation is not None:
            stages.add(f"{ANIMATION}.{wanted.animation}", made.animation)
        stages.finish(made.record.key, wanted)
        del self._stages[job.pair.output]

    def _take(self, job: Job) -> bool:
        """Lock a job; tell whether it is still to be made."""
        with writing(self._results):
            lock = self._results.take(job.pair)
        if lock is None:
            self._elsewhere.append(job)
            return False
        self._locks[job.pair.output] = lock
        # Another process may have made it, or a user put something there, since it was looked at.
        found = self._look(job)
        if isinstance(found, Failed):
            self.ended(job, found)
            return False
        if found is State.UP_TO_DATE and not self._rules.force:
            with writing(self._results):
                self._results.forget(job.pair)
            self._release(job)
            self._listen(PairFound(job.pair))
            return False
        return True

    def _look(self, job: Job) -> State | Failed:
        """Tell how a locked job stands, or why its result may not be written."""
        try:
            state = state_of(job, self._results)
        except InputError as error:
            return Failed(str(error), 0.0)
        if state.needs_consent and not self._rules.overwrite:
            return Failed(self._in_the_way(job, state), 0.0)
        return state

    def _in_the_way(self, job: Job, state: State) -> str:
        """Say what holds the name of a job's result that was free before the run."""
        name = shown(self._results.path(job.pair))
        if state is not State.STALE:
            return f"'{name}' appeared or changed while the batch was running; move it away"
        before = self._results.before(job.pair.output)
        changes = ", ".join(differences(before, job)) if before else ""
        what = f" ({changes})" if changes else ""
        return (
            f"another recipe holds the name: '{name}' was made with other settings{what} while "
            "this batch was running; give each recipe an output of its own"
        )

    def _release(self, job: Job) -> None:
        self._locks.pop(job.pair.output).release()


def prepare(results: Results, failures: Sequence[PairFailed]) -> None:
    """Make the output folder ready, and write down the pairs that failed before the run.

    Raises:
        InputError: the folder cannot be made.
        StoppedError: it cannot be written to, or the disk is full.
    """
    try:
        results.prepare()
    except OSError as error:
        message = f"cannot write to '{results.where}': {error.strerror or error}"
        if error.errno in _FULL:
            raise StoppedError(message) from error
        raise InputError(f"{message}; choose another -o") from error
    with writing(results):
        for failure in failures:
            results.fail(failure.pair, failure.error, 0.0)


def forget_failures(pairs: Iterable[Pair], results: Results) -> list[PairFound]:
    """Forget why pairs could not be made that were found up to date; return each that had failed.

    A failure can outlive its cause by a kill at the wrong moment, or from an older program.

    Raises:
        StoppedError: the folder cannot be written to.
    """
    with writing(results):
        return [PairFound(pair) for pair in pairs if results.forget(pair)]


@contextmanager
def writing(results: Results) -> Iterator[None]:
    """Tell a problem of the output folder, which ends the batch, from one of a pair."""
    try:
        yield
    except OSError as error:
        raise StoppedError(
            f"cannot write to '{results.where}': {error.strerror or error}; "
            "what was finished is safe, the same command goes on from there"
        ) from error
