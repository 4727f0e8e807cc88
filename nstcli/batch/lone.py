"""One result on its own, without a folder of records: what it needs to know is in itself."""

from pathlib import Path

from backbones.files import write_atomic
from nstcli.batch.plan import Pair
from nstcli.batch.records import Record, State, embedded_key


class LoneFile:
    """A result under any name anywhere; it offers what `Store` does."""

    def __init__(self, path: Path):
        self.folder = path.parent
        self._path = path

    def load(self, output: str) -> Record | None:
        """Return None: there are no records."""
        return None

    def state(self, pair: Pair, key: str) -> State:
        """Tell how the pair stands, by the key in the file itself."""
        if not self._path.exists():
            return State.MISSING
        found = embedded_key(self._path.read_bytes())
        if found is None:
            return State.FOREIGN
        return State.UP_TO_DATE if found == key else State.STALE

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Write the result."""
        write_atomic(self._path, data)

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Leave no trace: the user sees the error, and there is nothing to resume."""
