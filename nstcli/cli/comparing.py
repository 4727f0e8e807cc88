"""A comparison from its plan to its end: measure, make, judge, tell."""

from contextlib import suppress
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from backbones import BackboneError
from nstcli.cli.compare_files import Exports, everything, summarise
from nstcli.cli.compare_progress import LiveTable, PlainLines
from nstcli.cli.compare_table import fitting
from nstcli.cli.interruption import Interruption
from nstcli.cli.screen import Screen, console, harmless
from nstcli.config.options import ExecutionOptions, InputOptions, MessageOptions, OutputOptions
from nstcli.errors import InputError, StoppedError
from nstcli.experiment import captions
from nstcli.experiment.budget import refuse_early, share_seconds
from nstcli.experiment.cache import Notes, digest
from nstcli.experiment.experiment import Contest, Entry
from nstcli.experiment.figures import Row, rows
from nstcli.images import DEFAULT_MAX_PIXELS
from nstcli.run import backends
from nstcli.run.check import broken
from nstcli.run.driver import forget_failures, prepare, run
from nstcli.run.events import Event, PairStep
from nstcli.run.journal import Journal
from nstcli.run.settings import Execution

if TYPE_CHECKING:
    from nstcli.metrics.judge import Judge

# A process for each backbone, so that its peak memory is its own.
_BACKEND = "process"


class Comparison:
    """One run of the command."""

    def __init__(
        self,
        contest: Contest,
        taken: InputOptions,
        written: OutputOptions,
        execution: ExecutionOptions,
        messages: MessageOptions,
        screen: Screen,
        time_budget: float | None,
        exports: Exports,
    ):
        self._contest = contest
        self._taken = taken
        self._written = written
        self._messages = messages
        self._screen = screen
        self._budget = time_budget
        self._exports = exports
        self._title = captions.title(contest, time_budget)
        self._notes = Notes(contest.store.hidden)
        self._journal = Journal(contest.store.hidden)
        self._interruption = Interruption(screen, keeps_best=False)
        self._execution = Execution(
            device=execution.device,
            precision=execution.precision,
            pairs_per_step=1,  # seconds of several at once are nobody's
            timeout=execution.timeout,
            offline=execution.offline,
            max_pixels=taken.max_pixels or DEFAULT_MAX_PIXELS,
            backend=_BACKEND,
        )
        self._watch: LiveTable | PlainLines = (
            LiveTable(screen, contest, self._title, time_budget is not None)
            if screen.animated
            else PlainLines(screen)
        )

    def run(self) -> int:
        """Make and judge what is missing, write and print everything; return the exit code.

        Raises:
            InputError: results are in the way.
            StoppedError: an export cannot be written.
        """
        try:
            with self._interruption, self._watch:
                self._work()
        except (KeyboardInterrupt, StoppedError) as error:
            how = "Stopped" if isinstance(error, StoppedError) else "Interrupted"
            self._screen.complain(f"{how}. Re-run the same command for the rest.")
            if self._messages.as_json:
                self._print_json(self._rows())
            if isinstance(error, StoppedError):
                self._screen.complain(f"nst: {error}")
                return 3
            return self._interruption.exit_code or 130
        if self._contest.store.warning:
            self._screen.complain(f"warning: {self._contest.store.warning}")
        return self._tell()

    def _work(self) -> None:
        contest = self._contest
        if self._budget:
            if not self._written.overwrite:
                refuse_early(contest)
            share_seconds(
                contest,
                self._budget,
                self._execution,
                self._notes,
                prepare=lambda entry: self._prepare(entry, "measuring its pace"),
                stop=lambda: self._interruption.asked,
            )
        unreadable = contest.look(force=self._written.force, overwrite=self._written.overwrite)
        pairs = [job.pair for entry in contest.entries for job in entry.jobs]
        unreadable += broken(pairs, self._execution.max_pixels)
        if self._taken.strict and unreadable:
            raise InputError(f"{unreadable[0].error}; --strict makes nothing then")
        for failure in unreadable:
            contest(failure)
        forget_failures(contest.made, contest.store)
        self._count_parameters()
        for entry in list(contest.entries):
            jobs = tuple(job for job in entry.jobs if job.pair.output not in contest.failures)
            if jobs:
                self._make(contest.update(entry, jobs=jobs))
        if unreadable:
            prepare(contest.store, unreadable)
        if contest.records:
            with suppress(OSError):  # they are counted again then
                self._notes.save()
        self._judge()

    def _prepare(self, entry: Entry, doing: str) -> None:
        """Tell what is done next, and download the weights that it needs.

        Raises:
            BackboneError: they cannot be had.
        """
        self._watch.begin(entry, doing)
        if entry.settings:
            with self._watch.aside():
                progress = self._screen.downloading(entry.title)
                entry.settings.fetch(self._execution.offline, progress)

    def _count_parameters(self) -> None:
        """Count what each network uses; the folder remembers it, as torch takes its time."""
        for entry in list(self._contest.entries):
            if entry.settings is None:
                continue
            recipe = entry.settings.recipe
            layers = sorted({*recipe.content_layers, *recipe.style_layers})
            key = digest([entry.contender.backbone.name, recipe.weights, layers])
            count = self._notes.get("parameters", key)
            if count is None:
                from nstcli.experiment.parameters import parameters_used

                count = parameters_used(entry.contender.backbone, layers)
                self._notes.put("parameters", key, count)
            self._contest.update(entry, parameters=count)

    def _make(self, entry: Entry) -> None:
        """Make all pairs of an entry that are missing, with everybody listening."""
        if entry.settings is None:
            return
        try:
            self._prepare(entry, "loading")
            run(
                entry.jobs,
                entry.settings,
                backends.get(self._execution),
                self._execution,
                self._contest.store,
                self._listen,
                overwrite=self._written.overwrite,
                force=self._written.force,
                stop=lambda: self._interruption.asked,
            )
        except BackboneError as error:
            self._contest.update(entry, error=str(error))  # which is told at the end
        self._heed()

    def _listen(self, event: Event) -> None:
        for listener in (self._contest, self._journal, self._watch):
            listener(event)
        if isinstance(event, PairStep):
            self._heed()

    def _heed(self) -> None:
        """End here if somebody asked for it."""
        if self._interruption.asked:
            raise KeyboardInterrupt

    def _judge(self) -> None:
        """Judge what was not, all pictures being made; without any, torch is not imported."""
        count = sum(map(len, self._contest.unjudged().values()))
        if not count:
            return
        from nstcli.experiment.judging import judge_all, load_judge

        def call(name: str) -> "Judge":
            with self._watch.aside():
                return load_judge(
                    name,
                    self._execution.device,
                    offline=self._execution.offline,
                    progress=self._screen.downloading,
                )

        self._watch.judging(count)
        for pair in judge_all(self._contest, call, self._execution.max_pixels):
            self._watch.judged(pair)
            self._heed()

    def _tell(self) -> int:
        """Write the files, print the table, and say what went wrong."""
        contest, found = self._contest, self._rows()
        files = []
        if contest.records or contest.failures:  # else there may be no folder
            files = summarise(contest, self._screen, gallery=self._written.gallery)
        files += self._exports.write(contest, found, self._title, self._budget)
        if self._messages.as_json:
            self._print_json(found)
        else:
            out = console(stderr=False, color=self._messages.color)
            table, left_out = fitting(out, found, harmless(self._title))
            out.print(table)
            remarks = captions.remarks(contest, found, best="with a *")
            for remark in remarks + ([left_out] if left_out else []):
                out.print(harmless(remark), style="dim", soft_wrap=False)
        for error, titles in contest.problems().items():
            self._screen.complain(
                Text.assemble(("✗ ", "red"), ", ".join(titles), "   ", error),
            )
        for path in files:
            self._screen.say(f"→ {path}")
        return 0 if contest.complete else 1

    def _rows(self) -> list[Row]:
        return rows(self._contest, same_seconds=self._budget is not None)

    def _print_json(self, found: list[Row]) -> None:
        typer.echo(everything(self._contest, found, self._budget), nl=False)
