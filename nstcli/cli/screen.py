"""What a user sees while work is done. Everything here goes to the standard error stream."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Self

from rich import filesize
from rich.console import Console
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

from backbones.spec import Progress as DownloadProgress
from backbones.spec import Tracker
from nstcli.batch.events import Event, PairDone, PairFailed, PairStarted, PairStep
from nstcli.cli.download import DownloadBar, Silent

# Columns of tables that no terminal limits.
_PIPED_WIDTH = 120
# Without a terminal, a sign of life at least so often, in seconds.
_HEARTBEAT = 60.0


def console(stderr: bool = True) -> Console:
    """Return a console that prints user text as it is: no markup, no emoji, no highlighting."""
    stream = sys.stderr if stderr else sys.stdout
    # By the stream itself: FORCE_COLOR and the like would animate into log files.
    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        width=None if stream.isatty() else _PIPED_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
    )


class Screen:
    """Two bars on a terminal, plain lines elsewhere. A listener to the events of a batch."""

    def __init__(self, quiet: bool = False, verbose: bool = False):
        self.console = console()
        self.quiet = quiet
        self.verbose = verbose
        self._animated = self.console.is_terminal and not quiet

    def say(self, text: str | Text) -> None:
        """Print one line, unless the user wants quiet."""
        if not self.quiet:
            self.console.print(text)

    def complain(self, text: str | Text) -> None:
        """Print one line, come what may."""
        self.console.print(text)

    def downloading(self, what: str) -> DownloadProgress:
        """Return what shows the progress of a download."""

        def start(total: int | None) -> AbstractContextManager[Tracker]:
            if self._animated:
                return DownloadBar(self.console, what, total)
            self.say(f"downloading weights {what}" + (f" ({size(total)})" if total else ""))
            return nullcontext(Silent())

        return start

    @contextmanager
    def working(self, pairs: int, steps: int) -> Iterator["Lines | Bars"]:
        """Return a listener for the events of a batch of that many pairs."""
        if self._animated:
            with Bars(self, pairs, steps) as bars:
                yield bars
        else:
            yield Lines(self, pairs, steps)


def done_line(event: PairDone, verbose: bool) -> Text:
    """Describe a finished pair in one line."""
    record = event.record
    line = Text.assemble(
        ("✓ ", "green"), event.pair.title, (" → ", "dim"), event.pair.output,
        (f"  {record.seconds:.1f}s", "dim"),
    )  # fmt: skip
    if verbose:
        line.append(
            f"  {record.width}×{record.height}, loss {record.loss:.4g}, content "
            f"{record.content_error:.3f}, style {record.style_error_before:.3f} → "
            f"{record.style_error:.4f}",
            "dim",
        )
    return line


def failed_line(event: PairFailed) -> Text:
    """Describe a failed pair in one line."""
    return Text.assemble(("✗ ", "red"), event.pair.title, "   ", event.error)


def _tell(screen: Screen, event: PairDone | PairFailed, prefix: str = "") -> None:
    """Print the line of a pair that ended, and what its files gave cause to remark."""
    if isinstance(event, PairFailed):
        screen.complain(Text(prefix).append_text(failed_line(event)))
        return
    screen.say(Text(prefix).append_text(done_line(event, screen.verbose)))
    for note in event.record.notes:
        screen.say(Text.assemble(("  ! ", "yellow"), note))


class Lines:
    """For logs and pipes: one line a pair, and a heartbeat in between."""

    def __init__(self, screen: Screen, pairs: int, steps: int):
        self._screen = screen
        self._pairs = pairs
        self._steps = steps
        self._number = 0
        self._last = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Print what the event is worth."""
        if isinstance(event, PairStarted):
            self._number = event.number
        elif isinstance(event, PairStep):
            if time.monotonic() - self._last < _HEARTBEAT:
                return
            self._screen.say(
                f"[{self._number}/{self._pairs}] {event.pair.title}: "
                f"step {event.step} of {self._steps}, loss {event.loss:.4g}"
            )
        else:
            _tell(self._screen, event, f"[{self._number}/{self._pairs}] ")
        self._last = time.monotonic()


class Bars:
    """For terminals: one bar for the batch with its remaining time, one for the running pair."""

    def __init__(self, screen: Screen, pairs: int, steps: int):
        self._screen = screen
        self._ended = 0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Count(steps),
            _Remaining(),
            console=screen.console,
            expand=True,
            transient=True,
        )
        # In shares of the work, since steps at small scales are over sooner than others.
        self._batch = self._progress.add_task("batch", total=pairs, pairs=True)
        self._pair: TaskID | None = None

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
        if isinstance(event, PairStarted):
            self._pair = self._progress.add_task(event.pair.title, total=1, step=0, loss=None)
        elif isinstance(event, PairStep):
            if self._pair is not None:
                self._progress.update(
                    self._pair, completed=event.done, step=event.step, loss=event.loss
                )
            self._progress.update(self._batch, completed=self._ended + event.done)
        else:
            _tell(self._screen, event)
            if self._pair is not None:
                self._progress.remove_task(self._pair)
                self._pair = None
            self._ended += 1
            self._progress.update(self._batch, completed=self._ended)


class _Count(ProgressColumn):
    """Pairs of the batch, or step and loss of the pair."""

    def __init__(self, steps: int):
        super().__init__()
        self._steps = steps

    def render(self, task: Task) -> Text:
        if "pairs" in task.fields:
            return Text(f"{int(task.completed)}/{int(task.total or 0)} pairs")
        loss = task.fields["loss"]
        shown = "" if loss is None else f"  loss {loss:.4g}"
        return Text(f"{task.fields['step']}/{self._steps} steps{shown}")


class _Remaining(ProgressColumn):
    """Time left at the mean pace since the start: steady, and true for pairs of similar size."""

    def render(self, task: Task) -> Text:
        if not task.elapsed or not task.completed or task.total is None:
            return Text("-:--:--", "cyan")
        left = int(task.elapsed / task.completed * (task.total - task.completed))
        return Text(f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}", "cyan")


def size(count: int | None) -> str:
    """Write a number of bytes for people."""
    return "" if count is None else filesize.decimal(count)
