"""Progress of a training: a bar with the time that is left, or a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from nstcli.cli.progress import HEARTBEAT_SECONDS
from nstcli.cli.screen import Screen
from nstcli.text import duration, plural
from nstcli.training.loop import Step
from nstcli.training.train import Checked, Ready, Remark, Saved


@contextmanager
def looking(screen: Screen) -> Iterator[Callable[[int, int], None]]:
    """Yield what hears how many photos were looked at, and shows that on a terminal."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("looking at photos"),
        BarColumn(),
        MofNCompleteColumn(),
        console=screen.console,
        transient=True,
        disable=not screen.animated,
    )
    task = bar.add_task("", total=None)
    with bar:
        yield lambda done, of: bar.update(task, completed=done, total=of)


class Watch:
    """A listener that shows how a training goes, while it is entered."""

    def __init__(self, screen: Screen, checked: Checked):
        self._screen = screen
        self._checked = checked
        self._last: Step | None = None
        self._told = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[details]}", markup=False),
            console=screen.console,
            expand=True,
            transient=True,
            disable=not screen.animated,
        )
        self._task = self._bar.add_task(checked.name, total=1.0, details="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    @property
    def reached(self) -> str:
        """Say how far it came."""
        if self._last is None:
            return "no step"
        return f"{plural(self._last.number, 'step')} in {duration(self._last.seconds)}"

    def __call__(self, event: Ready | Step | Saved | Remark) -> None:
        """Show it."""
        if isinstance(event, Remark):
            self._screen.remark(event.text)
        elif isinstance(event, Ready):
            self._screen.say(self._header(event))
        elif isinstance(event, Step):
            self._last = event
            self._bar.update(self._task, completed=event.progress, details=_details(event))
            silent = time.monotonic() - self._told < HEARTBEAT_SECONDS
            if not self._screen.animated and not silent:
                self._screen.say(f"{self._checked.name}: {_details(event)}")
                self._told = time.monotonic()
        elif self._screen.verbose:
            self._screen.say(f"checkpoint of step {event.step}")

    def _header(self, event: Ready) -> str:
        recipe, photos = self._checked.recipe, self._checked.photos.all
        budget = (
            f"{recipe.minutes:g} minutes" if recipe.minutes else plural(recipe.steps or 0, "step")
        )
        told = (
            f"{self._checked.name}: {plural(len(photos), 'photo')} · "
            f"{self._checked.settings.title} · {recipe.loss.size} px × {recipe.batch_size} · "
            f"width {recipe.width} · {budget} · {event.device} in {event.precision}"
        )
        return f"{told} · on from step {event.step}" if event.step else told


def _details(event: Step) -> str:
    terms = ", ".join(f"{name} {value:.3g}" for name, value in event.terms.items())
    left = duration(event.remaining)
    return f"step {event.number} · loss {event.loss:.4g} ({terms}) · {left} left"
