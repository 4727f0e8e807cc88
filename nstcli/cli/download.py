"""What a user sees of a download."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


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


class Silent:
    """Counts bytes for nobody."""

    def update(self, increment: int, /) -> None:
        """Do nothing."""
