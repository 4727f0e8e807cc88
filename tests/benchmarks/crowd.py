"""How thousands of pairs and a hundred workers fare, where making a picture takes no time.

So what is left is the driver's: planning, locks, results and records, the journal, the gallery and
the manifest. Whoever makes 10 000 pairs waits for the sum of it, and a hundred workers wait for
one another as long as each pair takes here.
"""

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import psutil

from nstcli import images
from nstcli.plan import product
from nstcli.plan.pair import Pair
from nstcli.report.gallery import write_gallery
from nstcli.report.manifest import write_manifest
from nstcli.report.summaries import Summaries
from nstcli.results.folder import Store
from nstcli.results.records import Record
from nstcli.run import backends
from nstcli.run.backends import Driver
from nstcli.run.check import Checked, Rules, check
from nstcli.run.events import Made
from nstcli.run.job import Execution, Job, Settings
from nstcli.run.journal import Journal
from nstcli.run.make import End, make
from nstcli.version import VERSION
from tests.benchmarks import case
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import Scope
from tests.conftest import draw

_WORKERS = 100
# Of the drawn results, in pixels, and how many different ones there are.
_SIZE, _DRAWN = 64, 20

_DRIVER = (
    Column("pairs", "pairs"),
    Column("pair_ms", "ms per pair", "{:.2f}"),
    Column("disk_ms", "of it waiting for the disk", "{:.2f}"),
    Column("syncs", "fsyncs per pair", "{:.1f}"),
    Column("per_second", "pairs per second", "{:.0f}"),
    Column("early_mib", "MiB at a tenth", "{:.0f}"),
    Column("late_mib", "MiB at the end", "{:.0f}"),
)
_STEPS = (
    Column("step", "step"),
    Column("s", "s", "{:.2f}"),
    Column("pair_ms", "ms per pair", "{:.2f}"),
    Column("mib", "MiB afterwards", "{:.0f}"),
)
_BYTES = (Column("what", "what"), Column("bytes", "bytes per pair", "{:.0f}"))


def measure(scope: Scope) -> Section:
    """Measure a batch of so many contents, with as many styles."""
    folder = scope.scratch / "crowd"
    asked = case.settings(scope.small)
    steps: list[Row] = []

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        pair_ms = 1e3 * seconds / scope.crowd**2
        steps.append({"step": step, "s": seconds, "pair_ms": pair_ms, "mib": _mib()})

    inputs = [_inputs(folder / role, scope.crowd) for role in ("content", "style")]
    store = Store(folder / "results")
    with timed("plan"):
        pairs = product.planned(*inputs, product.Naming()).pairs
    with timed("check: hash and decode"):
        checked = _checked(pairs, asked, store)
    crowd = _Crowd(len(pairs))
    summaries = Summaries(store, _complain, gallery=True)
    with timed("make"), patch.object(backends, "get", lambda execution: crowd.work):
        summary = make(checked, Execution(), [Journal(store.layout), summaries])
    if (summary.made, summary.end) != (len(pairs), End.COMPLETE):
        raise RuntimeError(f"{summary.made} of {len(pairs)} made: {summary.problem}")
    with timed("manifest"):
        write_manifest(store)
    with timed("gallery, with the copies that are missing"):
        write_gallery(store.folder)
    with timed("gallery once more"):
        write_gallery(store.folder)
    with timed("check: all is done"):
        again = _checked(pairs, asked, Store(store.folder))
    if again.jobs:
        raise RuntimeError(f"{len(again.jobs)} pairs would be made again")
    return Section(
        "Crowd",
        f"{scope.crowd} contents × {scope.crowd} styles, {_WORKERS} workers that take no time. The "
        "driver alone, in one process; pictures of 64 px. A batch cannot have more pairs per "
        "second than its driver; each fsync is a turn of the disk, so that no power cut takes back "
        "what was told as done.",
        [
            Table("Driver", _DRIVER, [crowd.row()]),
            Table("Steps", _STEPS, steps),
            Table("On the disk", _BYTES, list(_bytes(store, len(pairs)))),
        ],
    )


def _checked(pairs: list[Pair], asked: Settings, store: Store) -> Checked:
    return check([(pair, asked) for pair in pairs], store, Rules())


class _Crowd:
    """A backend whose workers have their results ready, and how the driver fared with them."""

    def __init__(self, pairs: int):
        self._pairs = pairs
        self._results = [images.encode(draw(_SIZE, _SIZE, seed)) for seed in range(_DRAWN)]
        self._seconds = self._synced = 0.0
        self._syncs = 0
        self._mib: list[float] = []

    def work(self, settings: Settings, execution: Execution, driver: Driver) -> None:
        """Have each worker hold a job, and end the oldest."""
        hands: deque[Job] = deque()
        more, ended = True, 0
        driver.ready("nothing", "float32")
        started = time.perf_counter()
        with patch.object(os, "fsync", self._noting(os.fsync)):
            while more or hands:
                if more and len(hands) < _WORKERS:
                    jobs = driver.next_jobs(1)
                    more = jobs is not None
                    driver.started(jobs or ())
                    hands.extend(jobs or ())
                    continue
                job = hands.popleft()
                driver.ended(job, self._made(job, ended))
                ended += 1
                if ended in {self._pairs // 10, self._pairs}:
                    self._mib.append(_mib())
        self._seconds = time.perf_counter() - started

    def row(self) -> Row:
        """Return the figures."""
        return {
            "pairs": self._pairs,
            "pair_ms": 1e3 * self._seconds / self._pairs,
            "disk_ms": 1e3 * self._synced / self._pairs,
            "syncs": self._syncs / self._pairs,
            "per_second": self._pairs / self._seconds,
            "early_mib": self._mib[0],
            "late_mib": self._mib[-1],
        }

    def _noting(self, fsync: Callable[[int], None]) -> Callable[[int], None]:
        driver = threading.get_ident()

        def noted(handle: int) -> None:
            started = time.perf_counter()
            fsync(handle)
            if threading.get_ident() == driver:  # and not that of a gallery
                self._synced += time.perf_counter() - started
                self._syncs += 1

        return noted

    def _made(self, job: Job, number: int) -> Made:
        data = self._results[number % _DRAWN] + number.to_bytes(4, "big")  # no two the same
        losses = ("loss", "loss_before", "content_error", "style_error", "style_error_before")
        record = Record(
            key=job.key,
            output_sha256=hashlib.sha256(data).hexdigest(),
            inputs=job.inputs,
            recipe=job.settings.recipe.dump(),
            format="png",
            quality=95,
            bits=8,
            version=VERSION,
            device="cpu",
            precision="float32",
            width=_SIZE,
            height=_SIZE,
            seconds=30.0,
            steps=300,
            figures=dict.fromkeys((*losses, "step_seconds", "step_spread", "threads"), 0.5),
            peak_memory=2**30,
            curve=tuple((step, 10 / step) for step in range(3, 303, 3)),  # as long as a worker's
        )
        return Made(data, record)


def _inputs(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{folder.name}{number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(images.encode(draw(48, 64, number)))
    return paths


def _bytes(store: Store, pairs: int) -> Iterator[Row]:
    layout = store.layout
    places = {
        "records": list(layout.records.rglob("*.json")),
        "journal and log": [layout.events, *layout.hidden.glob(layout.log("*").name)],
        "manifest": [layout.manifest],
        "gallery": [layout.gallery],
        "its small copies": list(layout.thumbs.iterdir()),
    }
    for what, paths in places.items():
        yield {"what": what, "bytes": sum(path.stat().st_size for path in paths) / pairs}


def _complain(problem: str) -> None:
    raise RuntimeError(problem)


def _mib() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)
