"""One result on its own, without a folder of records: what it needs to know is in itself."""

from pathlib import Path

from backbones.files import sweep, write_atomic
from backbones.paths import expanded
from nstcli.batch.digests import Digests
from nstcli.batch.found import is_damaged, read_result, state_by_itself
from nstcli.batch.plan import Pair
from nstcli.batch.records import Record, State
from nstcli.batch.results import Held


class _Free:
    """A lock of nothing."""

    def release(self) -> None:
        """Do nothing."""


class LoneFile:
    """A result under any name anywhere; it offers what `Store` does."""

    warning = None

    def __init__(self, path: Path):
        self.where = self._path = expanded(path)
        self.digests = Digests(None)

    def path(self, pair: Pair) -> Path:
        """Return the file, whatever the pair would be called."""
        return self._path

    def load(self, output: str) -> Record | None:
        """Return None: there are no records."""
        return None

    def failure(self, output: str) -> str | None:
        """Return None: failures leave no trace."""
        return None

    def state(self, pair: Pair, key: str) -> State:
        """Tell how the pair stands, by the key in the file itself.

        Raises:
            InputError: what lies there cannot be read.
        """
        data = read_result(self._path)
        if data is None:
            return State.MISSING
        state = state_by_itself(data, key)
        # In most formats the key stands before the pixels, which may be cut short.
        damaged = state is State.UP_TO_DATE and is_damaged(data, self._path.name)
        return State.DAMAGED if damaged else state

    def prepare(self) -> None:
        """Make the folder, and remove temporary files of processes that were killed in it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        sweep(self._path.parent)

    def take(self, pair: Pair) -> Held | None:
        """Take the pair; two processes that write one file are the user's wish."""
        return _Free()

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Write the result."""
        write_atomic(self._path, data)

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Leave no trace: the user sees the error, and there is nothing to resume."""

    def forget(self, pair: Pair) -> bool:
        """Return False: failures leave no trace."""
        return False
