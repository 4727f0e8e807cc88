"""Printing to the standard error stream: lines about pairs, warnings, bars of downloads."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Self

from rich import filesize
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from backbones.spec import Progress as DownloadProgress
from backbones.spec import Tracker
from nstcli.results.records import Record
from nstcli.run.events import FewerWorkers, PairDone, PairFailed, PairFound, Waiting, WorkerReady
from nstcli.text import printable

# Columns of tables that no terminal limits.
_PIPED_WIDTH = 120


class _Console(Console):
    """One that nobody has to look at: where the reader of a pipe is gone, the work goes on."""

    def on_broken_pipe(self) -> None:
        redirect_to_devnull(self.file)
        self.quiet = True


def redirect_to_devnull(stream: IO[str]) -> None:
    """Lead a stream that nobody reads any more to nowhere, also what it still holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def console(stderr: bool = True, color: str = "auto") -> Console:
    """Return a console that prints user text as it is: no markup, no emoji, no highlighting.

    `color` is `auto`, `always` or `never`; NO_COLOR in the environment means `never`, too.
    """
    stream = sys.stderr if stderr else sys.stdout
    colored = {"auto": None, "always": False, "never": True}[color]
    # By the stream itself: FORCE_COLOR and the like would animate into log files.
    return _Console(
        file=stream,
        force_terminal=stream.isatty() or color == "always",
        color_system="standard" if color == "always" and not stream.isatty() else "auto",
        no_color=colored,
        width=None if stream.isatty() else _PIPED_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
    )


def escape_controls(text: str) -> str:
    """Escape what a terminal would obey instead of showing it: names of files may hold it."""
    return "\n".join(printable(line) for line in text.split("\n"))


class Screen:
    """Where lines are printed, and whether anything may move."""

    def __init__(
        self,
        quiet: bool = False,
        verbose: bool = False,
        progress: bool = True,
        color: str = "auto",
    ):
        self.console = console(color=color)
        self.quiet = quiet
        self.verbose = verbose
        moving = sys.stderr.isatty() and not self.console.is_dumb_terminal
        self.animated = moving and progress and not quiet
        self._remarked: set[str] = set()

    def say(self, text: str | Text) -> None:
        """Print one line, unless the user wants quiet."""
        if not self.quiet:
            self.complain(text)

    def complain(self, text: str | Text) -> None:
        """Print one line, come what may."""
        escaped = escape_controls(str(text))
        # Our own colours are not worth the trouble where there is anything to escape.
        self.console.print(text if escaped == str(text) else escaped)

    def remark(self, note: str) -> None:
        """Print what is remarkable of a file, once for all the pairs that it is in."""
        if note not in self._remarked:
            self._remarked.add(note)
            self.say(Text.assemble(("  ! ", "yellow"), note))

    def downloading(self, what: str) -> DownloadProgress:
        """Return what shows the progress of a download."""

        def start(total: int | None) -> AbstractContextManager[Tracker]:
            if self.animated:
                return DownloadBar(self.console, what, total)
            self.say(f"downloading weights {what}" + (f" ({size(total)})" if total else ""))
            return nullcontext(UncountedDownload())

        return start


def done_line(event: PairDone, verbose: bool) -> Text:
    """Describe a finished pair in one line."""
    record = event.record
    line = Text.assemble(
        ("! ", "yellow") if record.shortfall else ("✓ ", "green"),
        event.pair.title, (" → ", "dim"), event.pair.output,
        (f"  {record.seconds:.1f}s", "dim"),
        (f"  stopped at step {record.steps}; the same command makes it whole", "yellow")
        if record.stopped else "",
        f"  {record.shortfall}" if record.shortfall else "",
    )  # fmt: skip
    if verbose:
        line.append(f"  {record.width}×{record.height}{_figures(record)}", "dim")
    return line


def _figures(record: Record) -> str:
    """Write how a picture turned out, as far as its method told."""
    figures, told = record.figures, ""
    if "loss" in figures:
        told += f", loss {figures['loss']:.4g}"
    if "psnr" in figures:
        told += f", PSNR {figures['psnr']:.1f} dB"
    if "content_error" in figures:
        told += f", content {figures['content_error']:.3f}"
    if {"style_error", "style_error_before"} <= set(figures):
        told += f", style {figures['style_error_before']:.3f} → {figures['style_error']:.4f}"
    return told


def failed_line(event: PairFailed) -> Text:
    """Describe a failed pair in one line."""
    return Text.assemble(("✗ ", "red"), event.pair.title, "   ", event.error)


def tell_of_worker(screen: Screen, event: WorkerReady) -> None:
    """Print on what the work is done."""
    screen.say(f"on {event.device} in {event.precision}")


def tell_of_fewer_workers(screen: Screen, event: FewerWorkers) -> None:
    """Print that workers are not there."""
    screen.complain(Text.assemble(("! ", "yellow"), event.why))


def tell_of_waiting(screen: Screen, event: Waiting) -> None:
    """Print why no work is done."""
    screen.say(f"waiting for {event.pairs} more that another nst has in hand")


def tell(screen: Screen, event: PairDone | PairFailed | PairFound, prefix: str = "") -> None:
    """Print the line of a pair that ended, and what its files gave cause to remark."""
    if isinstance(event, PairFound):
        screen.say(f"{prefix}✓ {event.pair.title}   was made by another nst")
        return
    if isinstance(event, PairFailed):
        screen.complain(Text(prefix).append_text(failed_line(event)))
        return
    screen.say(Text(prefix).append_text(done_line(event, screen.verbose)))
    for note in event.record.notes:
        screen.remark(note)


def size(count: int | None) -> str:
    """Write a number of bytes for people."""
    return "" if count is None else filesize.decimal(count)


class DownloadBar:
    """A bar that counts bytes."""

    def __init__(self, screen: Console, what: str, total: int | None):
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
        )
        self._task = self._progress.add_task(f"downloading weights {what}", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def update(self, increment: int, /) -> None:
        """Count `increment` more bytes."""
        self._progress.advance(self._task, increment)


class UncountedDownload:
    """Counts bytes for nobody."""

    def update(self, increment: int, /) -> None:
        """Do nothing."""
