"""The same seconds for every backbone: a short run finds how many steps they are."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from backbones import BackboneError
from nstcli.errors import InputError
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.run import RunContext, VariantStarted
from nstcli.experiments.variant import Variant
from nstcli.plan.pair import Pair
from nstcli.remembered import digest
from nstcli.results.store import SingleFile
from nstcli.run.check import Checked, Rules, check
from nstcli.run.driver import writing
from nstcli.run.events import Event, PairDone, PairFailed, PairStep
from nstcli.run.job import Execution, Settings
from nstcli.run.make import make

# Steps of the short run: eight at each of three scales, which is what 512 px have.
_STEPS = 24
# At each scale at least so many, where the recipe has more scales.
_STEPS_PER_SCALE = 4


@dataclass(frozen=True)
class Pace:
    """Seconds of a pair: those that it takes however many steps it has, and those of a step."""

    fixed: float
    step: float

    def steps_in(self, seconds: float) -> int:
        """Return how many steps come nearest to these seconds; at least one."""
        return max(1, round((seconds - self.fixed) / self.step))


def budget_key(settings: Settings, execution: Execution, seconds: float) -> str:
    """Name all that the number of steps depends on, so that it is measured once."""
    recipe = {name: value for name, value in settings.recipe.dump().items() if name != "steps"}
    return digest([recipe, execution.device, execution.precision, seconds])


def with_steps(settings: Settings, steps: int) -> Settings:
    """Return the same settings with another number of steps."""
    return replace(settings, recipe=replace(settings.recipe, steps=steps))


def with_steps_found(experiment: Experiment) -> Experiment:
    """Return the experiment with the steps of what is already made of it.

    So that what no number of steps would make up to date is seen before anything is measured.
    """
    variants = [
        replace(variant, settings=_with_steps_found(variant, variant.settings, experiment))
        for variant in experiment.variants
        if variant.settings
    ]
    return Experiment(experiment.store, variants)


def _with_steps_found(variant: Variant, settings: Settings, experiment: Experiment) -> Settings:
    records = (experiment.store.load(pair.output) for pair in variant.pairs)
    found = next((record.recipe.get("steps") for record in records if record), None)
    return with_steps(settings, found) if isinstance(found, int) else settings


def measure(pairs: Sequence[Pair], settings: Settings, context: RunContext) -> Pace:
    """Make a pair with a few steps, over all scales and in a process as later, and drop it.

    It is the first of `pairs` whose pictures can be used. The steps are shared out evenly over the
    scales, so that a step of the recipe costs the mean of those of the scales. All else that the
    pair took is fixed: reading, the first step of a new process, encoding.

    Raises:
        InputError: no pair can be made, or the device is not there.
        BackboneError: the weights cannot be had.
        KeyboardInterrupt: somebody wanted an end.
    """
    scales = settings.recipe.scales
    steps = max(_STEPS, _STEPS_PER_SCALE * scales if isinstance(scales, int) else 0)
    times: list[tuple[int, float, float]] = []
    seconds: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, PairStep):
            times.append((event.step, event.done, time.perf_counter()))
        elif isinstance(event, PairDone):
            seconds.append(event.record.seconds)

    with TemporaryDirectory(prefix="nst-") as scratch:
        checked = _first(pairs, with_steps(settings, steps), Path(scratch), context.execution)
        summary = make(
            checked, context.execution, [listen], stop=context.stop, downloading=context.downloading
        )
    if summary.failures:
        raise InputError(summary.failures[0].error)
    if not seconds:
        raise KeyboardInterrupt
    step = seconds_per_step(times)
    return Pace(max(0.0, seconds[0] - steps * step), step)


def _first(
    pairs: Sequence[Pair], settings: Settings, scratch: Path, execution: Execution
) -> Checked:
    """Check pairs until one can be made, of which nothing is kept.

    Raises:
        InputError: none can.
    """
    failures: list[PairFailed] = []
    for pair in pairs:
        place = SingleFile(scratch / f"measured.{settings.form.format}")
        checked = check([(pair, settings)], place, Rules(max_pixels=execution.max_pixels))
        if checked.jobs:
            return checked
        failures += checked.failures
    raise InputError(failures[0].error)


def seconds_per_step(times: Sequence[tuple[int, float, float]]) -> float:
    """Return what a step costs on the average of the scales.

    Of each scale the median counts, since a first step does more than others.

    Args:
        times: (steps taken, share of the work done, time in seconds), after every step or, where
            a GPU is left alone in between, after every few.
    """
    by_work: dict[float, list[float]] = defaultdict(list)
    steps: Counter[float] = Counter()
    for (taken_before, done_before, before), (taken, done, now) in pairwise(times):
        count = taken - taken_before
        work = round((done - done_before) / count, 9)  # of a step, the same within a scale
        by_work[work].append((now - before) / count)
        steps[work] += count
    mean = sum(steps[work] * median(paces) for work, paces in by_work.items())
    return max(mean / max(1, steps.total()), 1e-6)


def share_seconds(experiment: Experiment, seconds: float, context: RunContext) -> None:
    """Give every variant the steps that it can take in so many seconds for a pair.

    They are measured on the first pair whose pictures can be used, once: the counts keep them, so
    that the recipe stays the same when the experiment goes on. A variant that fails is given up.

    Args:
        experiment: whose variants are changed.
        seconds: for a pair.
        context: how pairs are made, and who hears of it.

    Raises:
        KeyboardInterrupt: somebody wanted an end.
        StoppedError: the counts cannot be written.
    """
    for variant in list(experiment.variants):
        settings = variant.settings
        if settings is None:
            continue
        key = budget_key(settings, context.execution, seconds)
        steps = experiment.counts.count(f"steps {key}")
        if steps is None:
            try:
                context.tell(VariantStarted(variant, "measuring its pace"))
                steps = measure(variant.pairs, settings, context).steps_in(seconds)
            except (BackboneError, InputError) as error:
                experiment.update(variant, settings=None, error=str(error))
                continue
            experiment.counts.put(f"steps {key}", steps)
            with writing(experiment.store):
                experiment.counts.save()
        experiment.update(variant, settings=with_steps(settings, steps))
