"""The work of `nst run`: plan an experiment, say what it is, and make it as one batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nstcli.cli.dry_run import memory_of
from nstcli.cli.making import (
    Order,
    find_pictures,
    part_of,
    product_of,
    run_pairs,
    tell_renamed,
    with_guides,
)
from nstcli.cli.previewing import ChoosingFrom, in_turn
from nstcli.cli.screen import Screen
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.errors import InputError
from nstcli.experiments.budget import measure
from nstcli.experiments.chosen import addresses, cells, in_cells, which
from nstcli.experiments.experiment import (
    Experiment,
    in_folders,
    refuse_unable,
    same_pictures,
    with_settings,
)
from nstcli.experiments.file import ExperimentFile
from nstcli.experiments.kept import Kept, resolved
from nstcli.experiments.preview import Preview
from nstcli.experiments.run import RunContext
from nstcli.experiments.sweep import Axis, Range
from nstcli.experiments.variant import Variant, variants_of
from nstcli.networks import ready
from nstcli.plan.layout import Layout
from nstcli.plan.pair import Pair
from nstcli.plan.product import Naming, planned
from nstcli.report.summaries import Summaries
from nstcli.results.folder import Store
from nstcli.run.alone import alone
from nstcli.run.check import Checked
from nstcli.run.events import Listener
from nstcli.run.job import Settings, execution_of, form_of
from nstcli.run.journal import Journal
from nstcli.run.pace import Paces
from nstcli.text import duration, plural

# Values of an axis that the header names.
_NAMED = 8
# Pictures from which it is worth to make one with a few steps, to tell the time of all.
_WORTH_MEASURING = 10


@dataclass(frozen=True)
class Request:
    """An experiment, and all that was settled of it.

    Attributes:
        cells: which of its pictures are wanted, `b2,c4`; empty for all.
        where: likewise, by an expression.
        preview: what to make of them instead; None for the pictures themselves.
    """

    file: ExperimentFile
    output: Path
    input_options: InputOptions
    output_options: OutputOptions
    recipe: RecipeOptions
    execution: ExecutionOptions
    messages: MessageOptions
    cells: str = ""
    where: str = ""
    preview: Preview | None = None

    def previewed(self) -> "Request":
        """Return what is to be made in its place, if that is a preview."""
        if self.preview is None:
            return self
        smaller = self.preview.of(self.recipe.choices())
        return replace(
            self,
            file=self.preview.of_file(self.file),
            output=Layout(self.output).preview,
            recipe=replace(self.recipe, **smaller),
        )


def run_experiment(request: Request, *, dry_run: bool) -> int:
    """Make what is missing of an experiment, and return the exit code that this earns.

    Raises:
        InputError: something of it cannot be; or results are in the way.
        BackboneError: an unknown name, or weights that cannot be had.
    """
    request = request.previewed()
    messages, written = request.messages, request.output_options
    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    if request.preview and request.preview.note:
        screen.say(f"note: {request.preview.note}")
    # Before pictures are looked for, since a slip in it is told at once.
    pairs_of = _wanted(request)
    experiment = plan(request, screen)
    pairs = pairs_of(experiment)
    chosen = len(pairs) if request.cells or request.where else None
    pairs = part_of(pairs, request.execution, "picture", screen)
    store, layout = experiment.store, experiment.store.layout
    named = addresses(_columns(experiment))
    complain = _complaining(screen)
    summaries = Summaries(store, complain, written.gallery)
    settled = request.input_options, written, request.recipe
    table = resolved(request.file, *settled)
    kept = Kept(store, table, request.file.sweep.order(), complain)
    listeners: list[Listener] = [Journal(layout), summaries, kept]
    finishes: list[Callable[[], object]] = [kept.finish, summaries.finish]
    if request.preview:
        limits = [f"--{key}" for key in ("size", "steps")]
        choosing = ChoosingFrom(layout, named, screen, limits)
        listeners.insert(1, choosing.listener)
        finishes.insert(0, choosing.finish)
    order = Order(
        pairs,
        store,
        written,
        request.execution,
        messages,
        _Header(request, experiment.variants, screen, dry_run, chosen),
        dry_run=dry_run,
        max_pixels=request.input_options.max_pixels,
        strict=request.input_options.strict,
        listeners=listeners,
        finish=in_turn(*finishes),
        cells=named,
    )
    return run_pairs(order, screen)


def _wanted(request: Request) -> Callable[[Experiment], list[tuple[Pair, Settings]]]:
    """Read which pictures are wanted, and return what takes them out of an experiment.

    Raises:
        InputError: it cannot be read; of an experiment, that none of its pictures is meant.
    """
    wanted = cells(request.cells) if request.cells else ()
    choices = request.recipe.choices()
    named = which(request.where, request.file.sweep, choices) if request.where else None

    def pairs_of(experiment: Experiment) -> list[tuple[Pair, Settings]]:
        variants, found = experiment.variants, None
        if wanted:
            found = in_cells(_columns(experiment), wanted)
        if named:
            meant = set().union(*map(named, variants))
            found = meant if found is None else found & meant
        if found is None:
            return experiment.settled
        if not found:
            asked = " in these cells" if wanted else ""
            varies = "; ".join(f"{axis.key}: {_values(axis)}" for axis in request.file.sweep.axes)
            raise InputError(
                f"--where '{request.where}': no picture{asked} is like that"
                + (f"; what varies is {varies}" if varies else "")
            )
        return [each for each in experiment.settled if each[0].output in found]

    return pairs_of


def _columns(experiment: Experiment) -> list[Sequence[Pair]]:
    """Return the pictures as the table whose cells can be named."""
    return [variant.pairs for variant in experiment.variants]


def plan(request: Request, screen: Screen) -> Experiment:
    """Plan an experiment, and tell what was left out.

    Raises:
        InputError: something of it cannot be.
        BackboneError: an unknown name, or weights that cannot be had.
    """
    file, taken = request.file, request.input_options
    has_contents, has_styles = file.contents is not None, file.styles is not None
    choices = alone(request.recipe.choices(), has_contents, has_styles)
    form = form_of(request.output_options)
    variants = with_settings(
        variants_of(file.sweep, choices, file.own),
        choices,
        form,
        offline=request.execution.offline,
        progress=screen.downloading,
    )
    refuse_unable(variants)
    same = same_pictures(variants, file.sweep)
    if same:
        one, other = same[0]
        screen.say(
            f"note: {plural(len(same), 'variant')} will show the same as others, "
            f"such as '{one.title}' and '{other.title}'"
        )
    arguments = file.contents or (), file.styles or ()
    ready.fetch(arguments[1], request.execution.offline, screen.downloading)
    method = choices["method"]
    found = find_pictures(arguments, taken, request.output, screen, method=method)
    contents, styles = found[0] if has_contents else None, found[1] if has_styles else None
    suffix = f".{form.format}"
    naming = Naming(suffix, request.output_options.name)
    combined = planned(contents, styles, naming, taken.pairs, taken.limit)
    tell_renamed(combined.renamed, screen)
    pairs = with_guides(combined.pairs, taken, screen)
    return Experiment(Store(request.output), in_folders(variants, pairs, suffix, choices))


def _complaining(screen: Screen) -> Callable[[str], None]:
    return lambda text: screen.complain(f"warning: {text}")


@dataclass(frozen=True)
class _Header:
    """Says what an experiment is, how long it will take, and in how much memory."""

    request: Request
    variants: Sequence[Variant]
    screen: Screen
    dry_run: bool
    chosen: int | None

    def __call__(self, checked: Checked) -> list[str]:
        """Write it in lines."""
        pairs = self.variants[0].pairs
        count = len(pairs) * len(self.variants)
        variants = [plural(len(self.variants), "variant")] if len(self.variants) > 1 else []
        shard = self.request.execution.part
        lines = [
            (f"part {shard} of " if shard else "")
            + ("" if self.chosen is None else f"{self.chosen} chosen of ")
            + plural(count, "picture")
            + product_of(pairs, *variants)
            + (f", {checked.cached} cached" if checked.cached else ""),
            " · ".join([*self._axes(), *self._common()]),
        ]
        expected = self._expected(checked)
        return [*lines, expected] if expected else lines

    def _axes(self) -> list[str]:
        sweep = self.request.file.sweep
        axes = [f"{axis.key} {_values(axis)}" for axis in sweep.axes]
        joined = {"grid": " × ", "zip": " with ", "random": ", "}[sweep.how].join(axes)
        return [joined] if axes else []

    def _common(self) -> list[str]:
        """Say what is worth to be said of the settings that do not vary."""
        made = [variant.settings for variant in self.variants if variant.settings]
        recipes = [settings.recipe for settings in made]
        said = {
            "model": {
                each.recipe.model if each.recipe.by.stepwise else each.title for each in made
            },
            "size": {f"{recipe.size} px" for recipe in recipes},
            "steps": {plural(recipe.steps, "step") for recipe in recipes if recipe.by.stepwise},
        }
        return [values.pop() for values in said.values() if len(values) == 1]

    def _expected(self, checked: Checked) -> str:
        """Say what time and memory the jobs will take, as far as that is known."""
        jobs = checked.jobs
        if not jobs or self.screen.quiet:
            return ""
        execution = execution_of(self.request.execution, self.request.input_options.max_pixels)
        paces = Paces(execution)
        if not self.dry_run:
            self._measure(checked, paces)
        said = []
        unknown = sum(map(len, paces.unknown(jobs)))
        if unknown < len(jobs):
            more = f" and {plural(unknown, 'picture')} of unknown pace" if unknown else ""
            said.append(
                f"about {duration(paces.seconds(jobs))}{more}, by this machine's pace so far"
            )
        if not self.dry_run:  # whose plan tells it
            said.append(f"memory {memory_of(checked.foretold(execution))}")
        return " · ".join(said)

    def _measure(self, checked: Checked, paces: Paces) -> None:
        """Find out paces that nobody knows, by a few steps of one picture each."""
        execution = execution_of(self.request.execution, self.request.input_options.max_pixels)
        if execution.jobs > 1 or "," in execution.device:
            return  # alone, one has another pace
        context = RunContext(execution, (), lambda: False, self.screen.downloading)
        for jobs in paces.unknown(checked.jobs):
            job = jobs[0]
            if len(jobs) < _WORTH_MEASURING or not job.settings.recipe.by.stepwise:
                continue
            self.screen.say(f"measuring the pace of {job.settings.title}")
            try:
                pace = measure([job.pair], job.settings, context)
            except InputError:
                continue  # the batch will tell
            paces.learn(job, pace.fixed + pace.step * job.settings.recipe.steps)
        paces.save()


def _values(axis: Axis | Range) -> str:
    if isinstance(axis, Range):
        return f"{axis.start:g} to {axis.end:g}"
    labels = [value.label for value in axis.values]
    if len(labels) > _NAMED:
        return f"{labels[0]} … {labels[-1]} ({len(labels)} values)"
    return ", ".join(labels)
