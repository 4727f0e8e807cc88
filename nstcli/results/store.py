"""What a run asks of the place where its results go."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from backbones.atomic import make_folder, sweep, write_atomic
from backbones.paths import expanded
from nstcli.plan.layout import STAGES
from nstcli.plan.pair import Pair
from nstcli.results.digests import Digests
from nstcli.results.records import Before, Record
from nstcli.results.stages import StageFolder
from nstcli.results.state import State, state_by_itself


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

    def before(self, output: str) -> Before | None:
        """Return how a result was made that lies there, as far as that is known."""

    def failure(self, output: str) -> str | None:
        """Return why a result could not be made at the last try."""

    def state(self, pair: Pair, key: str) -> State:
        """Tell how a pair stands that would be made with this key."""

    def stages(self, pair: Pair) -> StageFolder:
        """Return the folder of the stages of a pair, which need not be there."""

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


class _NoLock:
    """What stands for a lock where there is none."""

    def release(self) -> None:
        """Do nothing."""


class SingleFile:
    """A result under any name anywhere; it offers what `Store` does."""

    warning = None

    def __init__(self, path: Path):
        self.where = self._path = expanded(path)
        self.digests = Digests(None)

    def path(self, pair: Pair) -> Path:
        """Return the file, whatever the pair would be called."""
        return self._path

    def before(self, output: str) -> Before | None:
        """Return how the file was made, as it tells itself."""
        from nstcli.images import read_made

        try:
            return Before.of_file(read_made(self._path.read_bytes()))
        except OSError:
            return None

    def failure(self, output: str) -> str | None:
        """Return None: failures leave no trace."""
        return None

    def state(self, pair: Pair, key: str) -> State:
        """Tell how the pair stands, by the key in the file itself.

        Raises:
            InputError: what lies there cannot be read.
        """
        return state_by_itself(self._path, key)

    def stages(self, pair: Pair) -> StageFolder:
        """Return the folder of the stages, which need not be there."""
        return StageFolder(self._path.with_name(f"{self._path.name}{STAGES}"))

    def prepare(self) -> None:
        """Make the folder, and remove temporary files of processes that were killed in it."""
        make_folder(self._path.parent)
        sweep(self._path.parent)

    def take(self, pair: Pair) -> Held | None:
        """Take the pair; two processes that write one file are the user's wish."""
        return _NoLock()

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Write the result."""
        write_atomic(self._path, data)

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Leave no trace: the user sees the error, and there is nothing to resume."""

    def forget(self, pair: Pair) -> bool:
        """Return False: failures leave no trace."""
        return False
