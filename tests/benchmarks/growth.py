"""How time grows: with the pixels of a pair, and with the pairs of a batch.

A pair should cost its evaluations and little else, so seconds should grow as pixels do, and a
batch should cost the sum of its pairs.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from backbones.hooks import FeatureExtractor
from nstcli import images
from nstcli.engine.memory import keep_freed_memory
from nstcli.engine.methods.optimize import Optimizing
from nstcli.engine.precision import FLOAT32
from nstcli.engine.pyramid import resized
from nstcli.engine.stylize import Scale, stylize
from nstcli.plan import product
from nstcli.results.folder import Store
from nstcli.run.backends.local import make_all
from nstcli.run.check import Rules, check
from nstcli.run.driver import JobDriver
from nstcli.run.events import Event, PairFailed, PairStarted
from nstcli.run.job import Execution, Job, Settings
from nstcli.run.loader import Loader
from nstcli.run.worker import Worker
from tests.benchmarks import case
from tests.benchmarks.case import Pair
from tests.benchmarks.clock import interleaved
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import Scope

_CONTENTS, _STYLES = 2, 4

_SIZES = (
    Column("picture", "picture"),
    Column("pixels", "pixels ÷ first", "{:.2f}"),
    Column("one_scale_s", "s, one scale", "{:.2f}"),
    Column("one_scale", "seconds ÷ first", "{:.2f}"),
    Column("auto_s", "s, scales auto", "{:.2f}"),
    Column("auto", "seconds ÷ first", "{:.2f}"),
    Column("auto_share", "auto ÷ one scale", "{:.2f}"),
)
_BATCH = (
    Column("pairs", "pairs"),
    Column("batch_s", "batch s", "{:.2f}"),
    Column("bare_s", "loops alone s", "{:.2f}"),
    Column("ratio", "batch ÷ loops", "{:.3f}"),
    Column("overhead", "overhead %", "{:+.1f}"),
    Column("fixed_ms", "ms per pair", "{:.0f}"),
    Column("survey_ms", "of it looking at the files", "{:.0f}"),
)


def measure(scope: Scope) -> Section:
    """Measure both."""
    keep_freed_memory()
    return Section(
        "Growth",
        f"{scope.small}. Sizes: {scope.growth_steps} steps from two images in memory to the "
        f"result, best of {max(1, scope.rounds // 2)}. With scales auto the number of scales "
        "grows with the size. "
        f"Batch: {_CONTENTS}×{_STYLES} JPEG files of {scope.photo} px at --size "
        f"{scope.batch_size}, default recipe with {scope.growth_steps} steps: "
        "survey, decoding, reading, the loop, PNG, records, against `stylize` alone "
        f"for the same pairs, already read; best of {scope.rounds} for each pair.",
        [
            Table("One pair", _SIZES, list(_size_rows(scope))),
            Table("Batch", _BATCH, [_batch_row(scope)]),
        ],
    )


def _size_rows(scope: Scope) -> Iterator[Row]:
    first: tuple[int, dict[str, float]] | None = None
    for size in scope.sizes:
        size = case.check_minimum(scope.small, size)
        asked = case.settings(scope.small, size=size)
        extractor, _ = case.fastest(asked, scope.scratch)
        pair = case.framed(scope, size)
        best = interleaved(
            {scales: _painting(scope, extractor, pair, size, scales) for scales in ("1", "auto")},
            max(1, scope.rounds // 2),  # a pair is many evaluations already
        )
        pixels = pair.content[0, 0].numel()
        first = first or (pixels, best)
        yield {
            "picture": f"{pair.content.shape[-1]}×{pair.content.shape[-2]}",
            "pixels": pixels / first[0],
            "one_scale_s": best["1"],
            "one_scale": best["1"] / first[1]["1"],
            "auto_s": best["auto"],
            "auto": best["auto"] / first[1]["auto"],
            "auto_share": best["auto"] / best["1"],
        }


def _painting(
    scope: Scope, extractor: FeatureExtractor, pair: Pair, size: int, scales: str
) -> Callable[[], object]:
    recipe = case.settings(scope.small, size=size, steps=scope.growth_steps, scales=scales).recipe
    return lambda: stylize(extractor, case.scales(extractor, recipe, pair), recipe)


def _batch_row(scope: Scope) -> Row:
    """Compare pair by pair, the best of all rounds for each, since they differ by little."""
    size = case.check_minimum(scope.small, scope.batch_size)
    asked = case.settings(scope.small, size=size, steps=scope.growth_steps)
    extractor, precision = case.fastest(asked, scope.scratch)
    folder = scope.scratch / "batch"
    contents, styles = write_files(scope, folder)
    pairs = product.planned(contents, styles, product.Naming()).pairs
    batches, loops, surveys = [], [], []
    for number in range(scope.rounds):
        store = Store(folder / f"results-{number}")
        started = time.perf_counter()
        checked = check([(pair, asked) for pair in pairs], store)
        surveys.append(time.perf_counter() - started)
        if checked.failures:
            raise RuntimeError(f"the batch failed: {checked.failures[0].error}")
        worker = Worker("cpu", Execution(precision=precision.dtype))
        batches.append(batch_times(checked.jobs, asked, worker, store))
        loops.append(bare_times(checked.jobs, asked, extractor))
    batch = min(surveys) + sum(map(min, zip(*batches, strict=True)))
    bare = sum(map(min, zip(*loops, strict=True)))
    return {
        "pairs": len(pairs),
        "batch_s": batch,
        "bare_s": bare,
        "ratio": batch / bare,
        "overhead": 100 * (batch / bare - 1),
        "fixed_ms": 1e3 * (batch - bare) / len(pairs),
        "survey_ms": 1e3 * min(surveys) / len(pairs),
    }


def write_files(scope: Scope, folder: Path) -> tuple[list[Path], list[Path]]:
    """Write photos and artworks of a common size, each a mirrored or upturned copy of the pair."""
    folder.mkdir(exist_ok=True)
    pair = case.framed(scope, scope.photo)
    paths: dict[str, list[Path]] = {"content": [], "style": []}
    turns: tuple[list[int], ...] = ([], [-1], [-2], [-2, -1])
    for role, image, count in zip(paths, pair, (_CONTENTS, _STYLES), strict=True):
        for number in range(count):
            turned = resized(image.flip(turns[number]), scope.photo * 3 // 4, scope.photo)
            array = turned[0].mul(255).round().byte().permute(1, 2, 0).numpy()
            path = folder / f"{role}{number}.jpg"
            path.write_bytes(images.encode(np.ascontiguousarray(array), format="jpg"))
            paths[role].append(path)
    return paths["content"], paths["style"]


def batch_times(jobs: Sequence[Job], asked: Settings, worker: Worker, store: Store) -> list[float]:
    """Make the jobs as `nst batch` does; return the seconds from each start to the next."""
    starts: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, PairStarted):
            starts.append(time.perf_counter())
        elif isinstance(event, PairFailed):
            raise RuntimeError(f"the batch failed: {event.error}")

    driver = JobDriver(jobs, store, Rules(), (), listen, stop=lambda: False)
    driver.ready(worker.device, worker.load(asked))
    make_all(worker, driver, most=1)
    driver.release()
    starts.append(time.perf_counter())
    return [after - before for before, after in pairwise(starts)]


def bare_times(jobs: Sequence[Job], asked: Settings, extractor: FeatureExtractor) -> list[float]:
    """Return the seconds of the optimization alone, for each job."""
    loader = Loader(Optimizing(extractor, FLOAT32), "cpu", Execution())
    return [_bare(loader.load(job).scales, asked, extractor) for job in jobs]


def _bare(scales: list[Scale], asked: Settings, extractor: FeatureExtractor) -> float:
    started = time.perf_counter()
    stylize(extractor, scales, asked.recipe)
    return time.perf_counter() - started
