"""The work of `nst compare-backbones`: plan, check, make, judge, and print the table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.text import Text

from backbones.spec import Progress, Tracker
from nstcli.cli.compare_progress import LiveTable, PlainLines
from nstcli.cli.compare_table import fitting
from nstcli.cli.info import gather
from nstcli.cli.interruption import Interruption
from nstcli.cli.making import CONSENT, find_pictures, tell_renamed
from nstcli.cli.screen import Screen, console, escape_controls
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.config.presets import PRESETS
from nstcli.errors import InputError, StoppedError
from nstcli.experiment import captions
from nstcli.experiment.budget import share_seconds, with_steps_found
from nstcli.experiment.experiment import Experiment, with_pairs, with_settings
from nstcli.experiment.exports import Exports, as_json, summarise
from nstcli.experiment.figures import Row, rows
from nstcli.experiment.run import RunContext, run
from nstcli.experiment.variant import Variant, of_backbones
from nstcli.images import DEFAULT_MAX_PIXELS
from nstcli.results.folder import Store
from nstcli.results.records import Form
from nstcli.run.check import Checked, Rules
from nstcli.run.job import Execution
from nstcli.run.journal import Journal
from nstcli.terms import TERMS

# A process for each backbone, so that its peak memory is its own.
_BACKEND = "process"


@dataclass(frozen=True)
class Request:
    """What the command was given.

    Attributes:
        arguments: contents and styles.
        models: which backbones.
        time_budget: seconds a pair, instead of steps.
    """

    arguments: tuple[str, str]
    models: str
    output: Path
    input_options: InputOptions
    output_options: OutputOptions
    recipe: RecipeOptions
    execution: ExecutionOptions
    messages: MessageOptions
    time_budget: float | None
    exports: Exports


def compare(request: Request) -> int:
    """Make and judge what is missing, write and print everything; return the exit code.

    Raises:
        InputError: something cannot be compared, or results are in the way.
        BackboneError: an unknown backbone, or none of them can be had.
        StoppedError: an export cannot be written.
    """
    messages = request.messages
    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    experiment = _planned(request, screen)
    pairs = [pair for variant in experiment.variants for pair in variant.pairs]
    request.exports.refuse([path for pair in pairs for path in pair.paths], experiment.store.folder)
    return _Comparison(request, experiment, screen).run()


def _planned(request: Request, screen: Screen) -> Experiment:
    """Find pictures and backbones, and tell what was left out."""
    input_options, output_options = request.input_options, request.output_options
    variants, broken = of_backbones(request.models)
    for error in broken:
        screen.complain(f"warning: {error}")
    _refuse(variants, request.recipe.preset, request.execution.device)
    contents, styles = find_pictures(request.arguments, input_options, request.output, screen)
    form = Form(output_options.format or "png", output_options.quality, output_options.metadata)
    variants, renamed = with_pairs(
        variants,
        contents.sources,
        styles.sources,
        f".{form.format}",
        input_options.pairs,
        input_options.limit,
    )
    tell_renamed(renamed, screen)
    choices = request.recipe.choices()
    variants = with_settings(
        variants, choices, form, offline=request.execution.offline, progress=screen.downloading
    )
    return Experiment(Store(request.output), variants)


def _refuse(variants: list[Variant], preset: str, device: str) -> None:
    """Refuse what cannot be compared.

    Raises:
        InputError: a preset of another network's layers, or several devices.
    """
    values = PRESETS[preset]
    others = [each for each in variants if each.backbone.name != values.get("model")]
    if others and {term.layers_option for term in TERMS.values()} & set(values):
        raise InputError(
            f"the preset '{preset}' names layers of {values['model']}, which "
            f"{others[0].backbone.name} does not have; compare with another --preset"
        )
    if "," in device:
        raise InputError("a comparison runs on one --device, or its seconds would say nothing")


class _Comparison:
    """One run of the command."""

    def __init__(self, request: Request, experiment: Experiment, screen: Screen):
        self._request = request
        self._experiment = experiment
        self._screen = screen
        self._budget = request.time_budget
        self._title = captions.title(experiment, self._budget)
        layout = experiment.store.layout
        max_pixels = request.input_options.max_pixels or DEFAULT_MAX_PIXELS
        self._rules = Rules(
            overwrite=request.output_options.overwrite,
            force=request.output_options.force,
            max_pixels=max_pixels,
        )
        self._interruption = Interruption(screen, keeps_best=False)
        self._watch: LiveTable | PlainLines = (
            LiveTable(screen, experiment, self._title, self._budget is not None)
            if screen.animated
            else PlainLines(screen)
        )
        execution = request.execution
        self._context = RunContext(
            Execution(
                device=execution.device,
                precision=execution.precision,
                pairs_per_step=1,  # seconds of several at once are nobody's
                timeout=execution.timeout,
                offline=execution.offline,
                max_pixels=max_pixels,
                backend=_BACKEND,
            ),
            (Journal(layout), self._watch),
            stop=lambda: self._interruption.asked,
            downloading=self._downloading,
        )

    def run(self) -> int:
        """Make, judge, and tell; return the exit code."""
        experiment = self._experiment
        try:
            with self._interruption, self._watch:
                run(experiment, self._checked(), self._context)
        except (KeyboardInterrupt, StoppedError) as error:
            how = "Stopped" if isinstance(error, StoppedError) else "Interrupted"
            self._screen.complain(f"{how}. Re-run the same command for the rest.")
            if self._request.messages.as_json:
                self._print_json(self._rows())
            if isinstance(error, StoppedError):
                self._screen.complain(f"nst: {error}")
                return 3
            return self._interruption.exit_code or 130
        if experiment.store.warning:
            self._screen.complain(f"warning: {experiment.store.warning}")
        return self._tell()

    def _checked(self) -> Checked:
        """Check all pairs, and ask the user where that is necessary."""
        if self._budget:
            early = with_steps_found(self._experiment)
            _refuse_what_is_in_the_way(early, early.check(self._rules))
            share_seconds(self._experiment, self._budget, self._context)
        checked = self._experiment.check(self._rules)
        _refuse_what_is_in_the_way(self._experiment, checked)
        if self._request.input_options.strict and checked.failures:
            raise InputError(f"{checked.failures[0].error}; --strict makes nothing then")
        return checked

    def _downloading(self, what: str) -> Progress:
        """Show the progress of a download, while the table is paused."""
        shown = self._screen.downloading(what)

        @contextmanager
        def start(total: int | None) -> Iterator[Tracker]:
            with self._watch.paused(), shown(total) as tracker:
                yield tracker

        return start

    def _tell(self) -> int:
        """Write the files, print the table, and say what went wrong."""
        experiment, found, request = self._experiment, self._rows(), self._request
        files = []
        if experiment.records or experiment.failures:  # else there may be no folder
            files = summarise(experiment, self._warn, gallery=request.output_options.gallery)
        files += request.exports.write(experiment, found, self._title, self._budget, gather)
        if request.messages.as_json:
            self._print_json(found)
        else:
            self._print_table(found)
        for error, titles in experiment.problems().items():
            self._screen.complain(
                Text.assemble(("✗ ", "red"), ", ".join(titles), "   ", error),
            )
        for path in files:
            self._screen.say(f"→ {path}")
        return 0 if experiment.complete else 1

    def _print_table(self, found: list[Row]) -> None:
        out = console(stderr=False, color=self._request.messages.color)
        table, left_out = fitting(out, found, escape_controls(self._title))
        out.print(table)
        remarks = captions.remarks(self._experiment, found, best="with a *")
        for remark in remarks + ([left_out] if left_out else []):
            out.print(escape_controls(remark), style="dim", soft_wrap=False)

    def _print_json(self, found: list[Row]) -> None:
        typer.echo(as_json(self._experiment, found, gather(), self._budget), nl=False)

    def _rows(self) -> list[Row]:
        return rows(self._experiment, same_seconds=self._budget is not None)

    def _warn(self, problem: str) -> None:
        self._screen.complain(f"warning: {problem}")


def _refuse_what_is_in_the_way(experiment: Experiment, checked: Checked) -> None:
    """Make nothing where results would be replaced without the user's consent.

    Raises:
        InputError: says which.
    """
    problems = experiment.in_the_way(checked)
    if problems:
        title, problem = next(iter(problems.items()))
        others = f" (Likewise: {', '.join(list(problems)[1:])}.)" if len(problems) > 1 else ""
        raise InputError(f"{title}: {problem} {CONSENT}{others}")
