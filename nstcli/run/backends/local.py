"""The backend `local`: pairs are made in this process, on one device."""

from __future__ import annotations

import time

from nstcli.engine.device import at_once, choose, described, share_cores
from nstcli.run.backends import Driver
from nstcli.run.job import Execution, Settings
from nstcli.run.worker import Worker

# Seconds until the driver is asked again that had nothing to do.
_POLL_SECONDS = 0.2


def work(settings: Settings, execution: Execution, driver: Driver) -> None:
    """Make every job of the driver, one batch after the other.

    Raises:
        InputError: the device is not there.
        BackboneError: the weights cannot be had.
    """
    device = choose(execution.device)
    share_cores(workers=1)
    worker = Worker(device, execution)
    driver.ready(described(device), worker.load(settings))
    make_all(worker, driver, at_once(device, execution.pairs_per_step))


def make_all(worker: Worker, driver: Driver, most: int) -> None:
    """Make every job of the driver with one worker, at most so many at once."""
    while (jobs := driver.next_jobs(most)) is not None:
        if not jobs:
            time.sleep(_POLL_SECONDS)
            continue
        driver.started(jobs)
        for job, outcome in worker.make(jobs, driver.stepped, driver.staged):
            driver.ended(job, outcome)
