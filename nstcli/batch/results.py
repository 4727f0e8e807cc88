"""What a run asks of the place where its results go."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from nstcli.batch.digests import Digests
from nstcli.batch.plan import Pair
from nstcli.batch.records import Record, State


class Held(Protocol):
    """A pair taken for this process."""

    def release(self) -> None:
        """Let others have it."""


class Results(Protocol):
    """Where results go, and what is known of those that lie there."""

    where: Path
    digests: Digests

    def path(self, pair: Pair) -> Path:
        """Return where the result of a pair is or will be."""

    def load(self, output: str) -> Record | None:
        """Return the record of a result, if there is one."""

    def failure(self, output: str) -> str | None:
        """Return why a result could not be made at the last try."""

    def state(self, pair: Pair, key: str) -> State:
        """Tell how a pair stands that would be made with this key."""

    def prepare(self) -> None:
        """Make what the other methods write to, and remove what killed processes left."""

    @property
    def warning(self) -> str | None:
        """What the user should know of the place, once something was made there."""

    def take(self, pair: Pair) -> Held | None:
        """Take a pair for this process without waiting; None if another has it in hand."""

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Keep a finished result; nothing is lost if this is interrupted."""

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Write down why a pair could not be made."""

    def forget(self, pair: Pair) -> bool:
        """Forget the failure of a pair that was found up to date; tell whether there was one."""
