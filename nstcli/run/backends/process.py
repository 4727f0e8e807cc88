"""The backend `process`: workers in processes of their own; one that dies is replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait

import torch

from nstcli.engine.device import at_once, choose
from nstcli.engine.memory import free_bytes
from nstcli.run.backends import Driver
from nstcli.run.backends.messages import Message
from nstcli.run.backends.pool import Pool, Staff
from nstcli.run.backends.worker_process import WorkerProcess
from nstcli.run.job import Execution, Settings

# Seconds between two looks for new jobs, while none of the workers says anything.
_POLL_SECONDS = 0.2


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
    free = min(free_bytes(torch.device("cpu")), execution.memory)
    execution = replace(execution, memory=free / max(1, places.count("cpu")))
    staff = Staff(
        places,
        start=lambda settings, device: WorkerProcess(
            settings, replace(execution, gpu_share=1 / places.count(device)), device, count
        ),
        hear=_heard,
        most_together=lambda device: at_once(device, execution.pairs_per_step),
        one_by_one=True,
        tries=2,
        advice="try fewer --jobs or a smaller --size",
    )
    pool = Pool(settings, driver, staff)
    try:
        pool.run()
    finally:
        pool.close()


def _heard(workers: Sequence[WorkerProcess]) -> Iterator[tuple[WorkerProcess, Message | None]]:
    """Yield a message of each worker that says something; None for one that died."""
    for connection in wait([worker.connection for worker in workers], _POLL_SECONDS):
        worker = next(each for each in workers if each.connection is connection)
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):  # the latter where it died in the middle of a message
            message = None
        yield worker, message
