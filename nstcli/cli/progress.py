"""Progress while pairs are made: two bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.text import Text

from nstcli.cli.screen import (
    Screen,
    tell,
    tell_of_fewer_workers,
    tell_of_waiting,
    tell_of_worker,
)
from nstcli.plan.pair import Pair
from nstcli.run.events import Event, FewerWorkers, PairStarted, PairStep, Waiting, WorkerReady

# Without a terminal, a sign of life at least so often.
HEARTBEAT_SECONDS = 60.0


class Watch:
    """A listener that shows what happens to pairs, while it is entered.

    Events of other pairs, such as those that failed before the run, are passed over.
    """

    def __init__(self, screen: Screen, pairs: Sequence[Pair]):
        self._pairs = {None, *pairs}
        self._shows: Lines | Bars
        self._shows = Bars(screen, len(pairs)) if screen.animated else Lines(screen, len(pairs))

    def __enter__(self) -> Self:
        self._shows.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._shows.__exit__(None, None, None)

    def __call__(self, event: Event) -> None:
        """Show it."""
        if getattr(event, "pair", None) in self._pairs:
            self._shows(event)


class Lines:
    """For logs and pipes: one line a pair, and a heartbeat in between."""

    def __init__(self, screen: Screen, pairs: int, heartbeat: float = HEARTBEAT_SECONDS):
        self._screen = screen
        self._pairs = pairs
        self._heartbeat = heartbeat
        self._ended = 0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, event: Event) -> None:
        """Print what the event is worth."""
        silent = time.monotonic() - self._last < self._heartbeat
        if isinstance(event, PairStarted):
            return
        if isinstance(event, PairStep):
            if silent:
                return
            self._screen.say(
                f"[{self._ended + 1}/{self._pairs}] {event.pair.title}: "
                f"step {event.step} of {event.steps}, loss {event.loss:.4g}"
            )
        elif isinstance(event, Waiting):
            if silent and not event.first:
                return
            tell_of_waiting(self._screen, event)
        elif isinstance(event, WorkerReady):
            tell_of_worker(self._screen, event)
        elif isinstance(event, FewerWorkers):
            tell_of_fewer_workers(self._screen, event)
        else:
            self._ended += 1
            tell(self._screen, event, f"[{self._ended}/{self._pairs}] ")
        self._last = time.monotonic()


class Bars:
    """For terminals: one bar for the batch with its remaining time, one for the running pair."""

    def __init__(self, screen: Screen, pairs: int):
        self._screen = screen
        self._ended = 0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Count(),
            _Remaining(),
            console=screen.console,
            expand=True,
            transient=True,
        )
        # In shares of the work, since steps at small scales are over sooner than others.
        self._batch = self._progress.add_task("batch", total=pairs, pairs=True)
        self._running: dict[Pair, TaskID] = {}
        self._done: dict[Pair, float] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Move the bars, and print finished pairs above them."""
        if isinstance(event, WorkerReady):
            tell_of_worker(self._screen, event)
        elif isinstance(event, FewerWorkers):
            tell_of_fewer_workers(self._screen, event)
        elif isinstance(event, Waiting):
            if event.first:
                tell_of_waiting(self._screen, event)
        elif isinstance(event, PairStarted):
            task = self._progress.add_task(event.pair.title, total=1, details="")
            self._running[event.pair] = task
        elif isinstance(event, PairStep):
            details = f"{event.step}/{event.steps} steps  loss {event.loss:.4g}"
            self._progress.update(self._running[event.pair], completed=event.done, details=details)
            self._done[event.pair] = event.done
        else:
            tell(self._screen, event)
            task_or_none = self._running.pop(event.pair, None)
            if task_or_none is not None:
                self._progress.remove_task(task_or_none)
            self._done.pop(event.pair, None)
            self._ended += 1
        completed = self._ended + sum(self._done.values())
        self._progress.update(self._batch, completed=completed)


class _Count(ProgressColumn):
    """Pairs of the batch, or step and loss of the pair."""

    def render(self, task: Task) -> Text:
        if "pairs" in task.fields:
            return Text(f"{int(task.completed)}/{int(task.total or 0)} pairs")
        return Text(task.fields["details"])


class _Remaining(ProgressColumn):
    """Time left at the mean pace since the start: steady, and true for pairs of similar size."""

    def render(self, task: Task) -> Text:
        if not task.elapsed or not task.completed or task.total is None:
            return Text("-:--:--", "cyan")
        left = int(task.elapsed / task.completed * (task.total - task.completed))
        return Text(f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}", "cyan")
