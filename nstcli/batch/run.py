"""The driver of a batch: the only writer of files, the source of all events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nstcli.batch.events import Listener, PairDone, PairFailed, PairStarted, PairStep
from nstcli.batch.plan import Job, Pair
from nstcli.batch.store import Results
from nstcli.errors import InputError, NstError, StoppedError

if TYPE_CHECKING:  # they import torch, which a run that has nothing to make does without
    from nstcli.batch.work import Worker
    from nstcli.engine.stylize import OnStep, Step


def prepare(store: Results, failures: Sequence[PairFailed]) -> None:
    """Make the output folder ready, and write down the pairs that failed before the run.

    Raises:
        InputError: the folder cannot be made.
        StoppedError: it cannot be written to.
    """
    try:
        store.prepare()
    except OSError as error:
        raise InputError(f"cannot write to '{store.where}': {error.strerror or error}") from error
    with _writing(store):
        for failure in failures:
            store.fail(failure.pair, failure.error, 0.0)


def run(
    jobs: Sequence[Job],
    worker: Worker,
    store: Results,
    listen: Listener,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Make every job; one that fails leaves the others alone.

    When `stop` becomes true, the running pair ends with its best picture so far. Each job ends in
    exactly one event, `PairDone` or `PairFailed`, sent when its record is on the disk.

    Raises:
        StoppedError: results cannot be written any more; what was written before stays.
    """
    for number, job in enumerate(jobs, start=1):
        listen(PairStarted(number, job.pair))
        started = time.perf_counter()
        try:
            made = worker.make(job, _steps_of(job.pair, listen, stop))
        except NstError as error:
            with _writing(store):
                store.fail(job.pair, str(error), time.perf_counter() - started)
            listen(PairFailed(job.pair, str(error)))
            continue
        with _writing(store):
            store.save(job.pair, made.data, made.record)
        listen(PairDone(job.pair, made.record))


def _steps_of(pair: Pair, listen: Listener, stop: Callable[[], bool]) -> OnStep:
    def on_step(step: Step) -> bool:
        listen(PairStep(pair, step.number, step.loss, step.done))
        return stop()

    return on_step


@contextmanager
def _writing(store: Results) -> Iterator[None]:
    """Tell a problem of the output folder, which ends the batch, from one of a pair."""
    try:
        yield
    except OSError as error:
        raise StoppedError(
            f"cannot write to '{store.where}': {error.strerror or error}; "
            "what was finished is safe, the same command goes on from there"
        ) from error
