"""Make an experiment: variant by variant, each as any run is made; then judge all pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from backbones import BackboneError
from nstcli.errors import StoppedError
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.variant import Variant
from nstcli.plan.pair import Pair
from nstcli.remembered import digest
from nstcli.run.check import Checked
from nstcli.run.driver import forget_failures, prepare
from nstcli.run.events import Event
from nstcli.run.job import Downloading, Execution
from nstcli.run.make import End, make


@dataclass(frozen=True)
class VariantStarted:
    """Something is done for a variant; `pairs` are to be made of it."""

    variant: Variant
    doing: str
    pairs: int = 0


@dataclass(frozen=True)
class JudgingStarted:
    """All pictures are made, and so many are to be judged."""

    pictures: int


@dataclass(frozen=True)
class PictureJudged:
    """A picture was judged, or could not be."""

    pair: Pair


ExperimentEvent = Event | VariantStarted | JudgingStarted | PictureJudged
Listener = Callable[[ExperimentEvent], None]


@dataclass(frozen=True)
class RunContext:
    """By what means an experiment is made, who hears of it, and who may end it.

    Attributes:
        execution: of each variant; one worker.
        listeners: hear every event.
        stop: is asked at every step.
        downloading: shows downloads.
    """

    execution: Execution
    listeners: Sequence[Listener]
    stop: Callable[[], bool]
    downloading: Downloading

    def tell(self, event: ExperimentEvent) -> None:
        """Let all listeners know."""
        for listener in self.listeners:
            listener(event)

    def raise_if_stopped(self) -> None:
        """End here if somebody asked for it.

        Raises:
            KeyboardInterrupt: somebody did.
        """
        if self.stop():
            raise KeyboardInterrupt


def run(experiment: Experiment, checked: Checked, context: RunContext) -> None:
    """Make and judge what is missing.

    Args:
        experiment: is told of every result.
        checked: all its pairs.
        context: how it is made.

    Raises:
        KeyboardInterrupt: `context.stop` became true.
        StoppedError: the output folder cannot be written to.
    """
    for failure in checked.failures:
        experiment(failure)
    forget_failures(experiment.made, experiment.store)
    _count_parameters(experiment)
    for variant in list(experiment.variants):
        part = checked.part(variant.pairs)
        if part.jobs:
            _make(experiment, variant, part, context)
    if checked.failures:
        prepare(experiment.store, checked.failures)
    if experiment.records:
        with suppress(OSError):  # they are counted again then
            experiment.counts.save()
    _judge(experiment, context)


def _make(experiment: Experiment, variant: Variant, part: Checked, context: RunContext) -> None:
    """Make what is missing of a variant."""
    context.tell(VariantStarted(variant, "loading", len(part.jobs)))
    try:
        summary = make(
            part,
            context.execution,
            (experiment, *context.listeners),
            stop=context.stop,
            downloading=context.downloading,
        )
    except BackboneError as error:
        experiment.update(variant, error=str(error))  # which is told at the end
    else:
        if summary.end is End.STOPPED:
            raise StoppedError(summary.problem)
        if summary.end is End.INTERRUPTED:
            raise KeyboardInterrupt
    context.raise_if_stopped()


def _count_parameters(experiment: Experiment) -> None:
    """Count what each network uses; the folder remembers it, as torch takes its time."""
    for variant in list(experiment.variants):
        # What is made at once has no layers of terms that the parameters could be counted to.
        if variant.settings is None or not variant.settings.recipe.by.stepwise:
            continue
        recipe = variant.settings.recipe
        layers = sorted({name for names in recipe.layers_of_terms.values() for name in names})
        key = digest([variant.backbone.name, recipe.weights, layers])
        count = experiment.counts.count(f"parameters {key}")
        if count is None:
            from nstcli.experiments.parameters import parameters_used

            count = parameters_used(variant.backbone, layers)
            experiment.counts.put(f"parameters {key}", count)
        experiment.update(variant, parameters=count)


def _judge(experiment: Experiment, context: RunContext) -> None:
    """Judge what was not, all pictures being made; without any, torch is not imported."""
    count = sum(map(len, experiment.unjudged().values()))
    if not count:
        return
    from nstcli.experiments.judging import judge_all, load_judge

    context.tell(JudgingStarted(count))
    device, offline = context.execution.device, context.execution.offline
    for pair in judge_all(
        experiment,
        lambda name, witness: load_judge(
            name, witness, device, offline=offline, progress=context.downloading
        ),
        context.execution.max_pixels,
    ):
        context.tell(PictureJudged(pair))
        context.raise_if_stopped()
