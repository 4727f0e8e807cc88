"""The work of comparisons, whatever varies: plan, check, make, judge, and print the table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.text import Text

from backbones.spec import Progress, Tracker
from nstcli.cli.compare_progress import LiveTable, PlainLines
from nstcli.cli.compare_table import fitting
from nstcli.cli.info import gather
from nstcli.cli.interruption import Interruption
from nstcli.cli.making import CONSENT, find_pictures, tell_renamed, with_guides
from nstcli.cli.screen import Screen, console, escape_controls
from nstcli.config import presets
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.errors import InputError, StoppedError
from nstcli.experiments import captions
from nstcli.experiments.budget import share_seconds, with_steps_found
from nstcli.experiments.experiment import Experiment, with_pairs, with_settings
from nstcli.experiments.exports import Exports, as_json, summarise
from nstcli.experiments.figures import Row, rows
from nstcli.experiments.run import RunContext, run
from nstcli.experiments.trained import Artwork, by_networks, trained_for
from nstcli.experiments.variant import Variant
from nstcli.methods import METHODS, OPTIMIZE
from nstcli.results.folder import Store
from nstcli.run.check import Checked, Rules
from nstcli.run.job import execution_of, form_of
from nstcli.run.journal import Journal
from nstcli.terms import TERMS

# A process for each variant, so that its peak memory is its own.
_BACKEND = "process"


def refuse_layers(variants: Sequence[Variant], preset: str) -> None:
    """Refuse a preset of layers that only one of several backbones has.

    Raises:
        InputError: it is one.
    """
    values = presets.table(preset)
    others = [each for each in variants if each.backbone.name != values.get("model")]
    layers = {term.layers_option for term in TERMS.values()} & set(values)
    if others and layers and "model" in values:
        raise InputError(
            f"the preset '{preset}' names layers of {values['model']}, which "
            f"{others[0].backbone.name} does not have; compare with another --preset"
        )


@dataclass
class Comparison:
    """One run of the command.

    Attributes:
        arguments: contents and styles.
        variants: what is compared.
        output: folder of the results.
        time_budget: seconds a pair, instead of steps.
        exports: where figures are to be written.
        networks: where those are that were trained for the artworks, if there are any.
    """

    arguments: tuple[str, str]
    variants: Sequence[Variant]
    output: Path
    input_options: InputOptions
    output_options: OutputOptions
    recipe: RecipeOptions
    execution: ExecutionOptions
    messages: MessageOptions
    time_budget: float | None
    exports: Exports
    networks: str | None = None

    def __post_init__(self) -> None:
        messages, max_pixels = self.messages, self.input_options.max_pixels
        self._screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
        self._experiment = experiment = self._planned()
        pairs = [pair for variant in experiment.variants for pair in variant.pairs]
        inputs = [path for pair in pairs for path in pair.paths]
        self.exports.refuse(inputs, experiment.store.folder)
        self._title = captions.title(experiment, self.time_budget)
        self._rules = Rules.of(self.output_options, max_pixels)
        self._interruption = Interruption(self._screen, keeps_best=False)
        self._watch: LiveTable | PlainLines = (
            LiveTable(self._screen, experiment, self._title, self.time_budget is not None)
            if self._screen.animated
            else PlainLines(self._screen)
        )
        # Seconds of several pairs at once are nobody's.
        alone = replace(execution_of(self.execution, max_pixels), pairs_per_step=1)
        self._context = RunContext(
            replace(alone, backend=_BACKEND),
            (Journal(experiment.store.layout), self._watch),
            stop=lambda: self._interruption.asked,
            downloading=self._downloading,
        )

    def _planned(self) -> Experiment:
        """Find the pictures, and tell what was left out."""
        options, screen = self.input_options, self._screen
        if "," in self.execution.device:
            raise InputError("a comparison runs on one --device, or its seconds would say nothing")
        arguments = [[each] for each in self.arguments]
        contents, styles = find_pictures(arguments, options, self.output, screen)
        form, offline = form_of(self.output_options), self.execution.offline
        variants, renamed = with_pairs(
            self.variants,
            contents,
            styles,
            f".{form.format}",
            options.pairs,
            options.limit,
            choices=self.recipe.choices(),
        )
        tell_renamed(renamed, screen)
        variants, artworks = self._by_networks(variants)
        variants = [
            replace(each, pairs=tuple(with_guides(each.pairs, options, screen, quiet=number > 0)))
            for number, each in enumerate(variants)
        ]
        variants = with_settings(
            variants, self.recipe.choices(), form, offline=offline, progress=screen.downloading
        )
        return Experiment(Store(self.output), variants, artworks=artworks)

    def _by_networks(self, variants: list[Variant]) -> tuple[list[Variant], dict[str, Artwork]]:
        """Let the variants that paint by networks do so; return their artworks, too."""
        styles = [pair.path("style") for pair in variants[0].pairs]
        found = trained_for(styles, self.networks) if self.networks else {}
        artworks: dict[str, Artwork] = {}
        exchanged = []
        for variant in variants:
            if METHODS[variant.changes.get("method", OPTIMIZE)].networks:
                variant, own = by_networks(variant, found)
                artworks |= own
            exchanged.append(variant)
        return exchanged, artworks

    def run(self) -> int:
        """Make and judge what is missing, write and print everything; return the exit code.

        Raises:
            InputError: results are in the way.
            StoppedError: an export cannot be written.
        """
        experiment = self._experiment
        try:
            with self._interruption, self._watch:
                run(experiment, self._checked(), self._context)
        except (KeyboardInterrupt, StoppedError) as error:
            how = "Stopped" if isinstance(error, StoppedError) else "Interrupted"
            self._screen.complain(f"{how}. Re-run the same command for the rest.")
            if self.messages.as_json:
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
        if self.time_budget:
            early = with_steps_found(self._experiment)
            _refuse_what_is_in_the_way(early, early.survey(self._rules))
            share_seconds(self._experiment, self.time_budget, self._context)
        checked = self._experiment.check(self._rules)
        _refuse_what_is_in_the_way(self._experiment, checked)
        if self.input_options.strict:
            checked.refuse_failures()
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
        experiment, found = self._experiment, self._rows()
        files = []
        if experiment.records or experiment.failures:  # else there may be no folder
            files = summarise(experiment, self._warn, gallery=self.output_options.gallery)
        files += self.exports.write(experiment, found, self._title, self.time_budget, gather)
        if self.messages.as_json:
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
        out = console(stderr=False, color=self.messages.color)
        table, left_out = fitting(out, found, escape_controls(self._title))
        out.print(table)
        remarks = captions.remarks(self._experiment, found, best="with a *")
        for remark in remarks + ([left_out] if left_out else []):
            out.print(escape_controls(remark), style="dim", soft_wrap=False)

    def _print_json(self, found: list[Row]) -> None:
        typer.echo(as_json(self._experiment, found, gather(), self.time_budget), nl=False)

    def _rows(self) -> list[Row]:
        return rows(self._experiment, same_seconds=self.time_budget is not None)

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
