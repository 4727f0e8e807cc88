"""What the commands that make pairs have in common: look, ask, make, report."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

import typer
from rich.text import Text

from nstcli.batch.events import Event, PairDone, PairFailed
from nstcli.batch.plan import Job, Pair
from nstcli.batch.records import State
from nstcli.batch.run import prepare, run
from nstcli.batch.session import (
    Settings,
    Standing,
    memory_needed,
    refusal,
    refuse_inputs_as_outputs,
    settle,
    survey,
)
from nstcli.batch.store import Results
from nstcli.cli.interruption import Interruption
from nstcli.cli.options import RecipeOptions, RunOptions
from nstcli.cli.screen import Screen, console, failed_line
from nstcli.errors import InputError
from nstcli.presets import chosen


def run_pairs(
    pairs: Sequence[Pair],
    store: Results,
    recipe: RecipeOptions,
    running: RunOptions,
    format: str,
    dry_run: bool = False,
    keep_best: bool = False,
) -> None:
    """Make the pairs that are not up to date, and end with the exit code that this earns.

    With `keep_best`, Ctrl-C writes the best picture so far; else it drops the running pair.

    Raises:
        InputError: results are in the way and `--overwrite` was not given.
        StoppedError: the output folder cannot be written to.
        BackboneError: the backbone or its weights cannot be had.
    """
    screen = Screen(running.quiet, running.verbose)
    refuse_inputs_as_outputs(pairs, store)
    settings = _settings(recipe, running, format, screen)
    standings, failures = survey(pairs, settings, store)
    if dry_run:
        _list(standings, failures)
        sound = [standing.job.pair for standing in standings]
        needed = memory_needed(settings, sound, running.precision)
        screen.say(f"peak memory: up to {needed / 2**30:.1f} GiB besides torch and the network")
        return
    problem = None if running.overwrite else refusal(standings, settings, store)
    if problem:
        raise InputError(problem)
    todo = [standing for standing in standings if standing.state is not State.UP_TO_DATE]
    report = Report(store, len(standings) - len(todo), failures, keep_best)
    screen.say(_header(pairs, report.cached, settings))
    try:
        if todo or failures:
            _make([standing.job for standing in todo], settings, running, screen, report)
    except KeyboardInterrupt:
        screen.complain(f"Interrupted. {report.counts()} The same command makes the rest.")
        raise
    report.show(screen)
    if report.interrupted():
        raise typer.Exit(130)
    if failures:
        raise typer.Exit(1)


def _settings(recipe: RecipeOptions, running: RunOptions, format: str, screen: Screen) -> Settings:
    options = asdict(recipe)
    choices = chosen(options.pop("preset"), options)
    model, weight_set = choices.pop("model"), choices.pop("weights")
    return settle(
        model,
        weight_set,
        choices,
        format=format,
        quality=running.quality,
        offline=running.offline,
        progress=screen.downloading,
    )


@dataclass
class Report:
    """What became of the pairs of a run."""

    store: Results
    cached: int
    failures: list[PairFailed]
    keeps_best: bool
    made: int = 0
    interrupted: Callable[[], bool] = lambda: False
    started: float = field(default_factory=time.monotonic)

    def __call__(self, event: Event) -> None:
        """Count what has ended."""
        if isinstance(event, PairDone):
            self.made += 1
        elif isinstance(event, PairFailed):
            self.failures.append(event)

    def counts(self) -> str:
        """Say it in one line."""
        parts = [(self.made, "made"), (self.cached, "cached"), (len(self.failures), "failed")]
        counts = ", ".join(f"{n} {what}" for n, what in parts if n) or "nothing made"
        return f"{counts} in {_duration(time.monotonic() - self.started)}."

    def show(self, screen: Screen) -> None:
        """Say it at length: the counts, where the results are, what failed and why."""
        screen.say(f"Done: {self.counts().removesuffix('.')} → {self.store.where}")
        for failure in self.failures:
            screen.complain(Text("  ").append_text(failed_line(failure)))
        if self.failures:
            screen.complain("Run the same command again to retry only what failed.")


def _make(
    jobs: Sequence[Job], settings: Settings, running: RunOptions, screen: Screen, report: Report
) -> None:
    """Write down the failures known already, then make every job."""
    if not jobs:
        prepare(report.store, report.failures)
        return
    progress = screen.downloading(f"{settings.backbone.name}:{settings.weight_set.name}")
    worker = settings.worker(running.device, running.precision, running.offline, progress)
    prepare(report.store, report.failures)
    screen.say(f"on {worker.device} in {worker.precision}")
    with ExitStack() as stack:
        if report.keeps_best:
            report.interrupted = stack.enter_context(Interruption(screen))
        show = stack.enter_context(screen.working(len(jobs), settings.recipe.steps))

        def listen(event: Event) -> None:
            report(event)
            show(event)

        run(jobs, worker, report.store, listen, report.interrupted)


def _header(pairs: Sequence[Pair], cached: int, settings: Settings) -> str:
    recipe = settings.recipe
    contents, styles = (len({getattr(p, role) for p in pairs}) for role in ("content", "style"))
    return (
        f"{_plural(len(pairs), 'pair')}: {_plural(contents, 'content')} × "
        f"{_plural(styles, 'style')}{f', {cached} cached' if cached else ''}"
        f" · {recipe.model} {settings.weight_set.name} · {recipe.size} px"
        f" · {_plural(recipe.steps, 'step')}"
    )


def _list(standings: Sequence[Standing], failures: Sequence[PairFailed]) -> None:
    """Print what a run would do, a pair a line, on the standard output."""
    out = console(stderr=False)
    for standing in standings:
        pair = standing.job.pair
        out.print(f"{standing.state.value:24}  {pair.title} → {pair.output}")
    for failure in failures:
        out.print(failed_line(failure))


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest:.1f}s"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{int(rest):02}s"
