"""Progress while backbones are compared: a table that fills, or plain lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from nstcli.cli.compare_table import DONE, FAILED, RUNNING, fitting
from nstcli.cli.progress import Lines
from nstcli.cli.screen import Screen, done_line, tell
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.figures import Row, rows
from nstcli.experiments.run import ExperimentEvent, JudgingStarted, PictureJudged, VariantStarted
from nstcli.run.events import PairDone, PairFailed, PairStarted, PairStep
from nstcli.text import plural, printable


class PlainLines:
    """For logs and pipes: a line when a backbone begins, a line a pair."""

    def __init__(self, screen: Screen):
        self._screen = screen
        self._lines: Lines | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the screen to others."""
        yield

    def __call__(self, event: ExperimentEvent) -> None:
        """Print what the event is worth."""
        if isinstance(event, VariantStarted):
            self._lines = Lines(self._screen, event.pairs)
            self._screen.say(f"{event.variant.title}: {event.doing}")
        elif isinstance(event, JudgingStarted):
            self._screen.say(f"judging {plural(event.pictures, 'picture')}")
        elif self._lines and not isinstance(event, PictureJudged):
            self._lines(event)


class LiveTable:
    """For terminals: the table as far as it is known, and a bar for what is being done."""

    def __init__(self, screen: Screen, experiment: Experiment, title: str, same_seconds: bool):
        self._screen = screen
        self._experiment = experiment
        self._title = title
        self._same_seconds = same_seconds
        self._running = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[details]}", markup=False),
            console=screen.console,
        )
        self._task = self._bar.add_task("", total=1, details="")
        # The table is drawn when something changes; the bar moves in between.
        self._table: RenderableType = ""
        self._live = Live(
            get_renderable=lambda: Group(self._bar, self._table),
            console=screen.console,
            refresh_per_second=5,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._draw()
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the screen to others, who have bars of their own."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def __call__(self, event: ExperimentEvent) -> None:
        """Move the bar, or draw the table anew."""
        if isinstance(event, VariantStarted):
            self._running = event.variant.title
            self._begin(f"{event.variant.title}: {event.doing}")
            self._draw()
        elif isinstance(event, JudgingStarted):
            self._running = ""
            self._bar.reset(self._task, total=event.pictures, description="judging", details="")
            self._draw()
        elif isinstance(event, PictureJudged):
            self._bar.advance(self._task)
            self._draw()
        elif isinstance(event, PairStarted):
            self._begin(f"{self._running}  {event.pair.title}")
        elif isinstance(event, PairStep):
            details = f"step {event.step}  loss {event.loss:.4g}"
            self._bar.update(self._task, completed=event.done, details=details)
        elif isinstance(event, PairFailed):
            tell(self._screen, event)
            self._draw()
        elif isinstance(event, PairDone):
            if event.record.shortfall:
                self._screen.say(done_line(event, verbose=False))
            for note in event.record.notes:
                self._screen.remark(note)
            self._draw()

    def _begin(self, what: str) -> None:
        self._bar.reset(self._task, total=1, description=printable(what), details="")

    def _draw(self) -> None:
        # The baselines can wait: a table that is higher than its terminal cannot be seen whole.
        found = rows(self._experiment, same_seconds=self._same_seconds)
        found = [row for row in found if not row.baseline]
        signs = {row.title: self._sign(row) for row in found}
        self._table, _ = fitting(self._screen.console, found, printable(self._title), signs)

    def _sign(self, row: Row) -> str:
        if row.error:
            return FAILED
        if row.title == self._running:
            return RUNNING
        return DONE if row.made == row.pairs else " "
