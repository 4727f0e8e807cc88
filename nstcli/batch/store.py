"""An output folder with its records: one file each, the source of truth of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from backbones.files import sweep, write_atomic
from nstcli.batch.digests import Digests
from nstcli.batch.locks import Locks
from nstcli.batch.plan import Pair, shown, stored
from nstcli.batch.records import Failure, Record, State, embedded_key, stopped_key
from nstcli.batch.results import Held
from nstcli.errors import InputError

Known = TypeVar("Known", bound=BaseModel)


class Store:
    """An output folder with its records: the `Results` of a batch."""

    def __init__(self, folder: Path):
        self.where = self.folder = folder
        self.hidden = folder / ".nst"
        self.digests = Digests(self.hidden / "digests.json")
        self.locks = Locks(folder)
        self._pairs = self.hidden / "pairs"
        self._failures = self.hidden / "failures"
        self._coming = self.hidden / "coming"

    def load(self, output: str) -> Record | None:
        """Return the record of a result; an unreadable one counts as none."""
        return _read(self._record(output), Record)

    def failure(self, output: str) -> str | None:
        """Return why a result could not be made at the last try, if it was not made since."""
        failure = _read(self._failure(output), Failure)
        return failure.error if failure else None

    def records(self) -> Iterator[tuple[str, Record]]:
        """List what was made here, by the names of the results, in order."""
        return _listed(self._pairs, Record)

    def failures(self) -> Iterator[tuple[str, Failure]]:
        """List what failed here and was not made since, by the names of the results, in order."""
        return _listed(self._failures, Failure)

    def state(self, pair: Pair, key: str) -> State:
        """Tell how a pair stands, by its record and the bytes that lie in the folder."""
        path = self.path(pair)
        if not path.exists():
            return State.FAILED if self._failure(pair.output).exists() else State.MISSING
        record = self.load(pair.output)
        with suppress(InputError):  # what cannot be read is told below
            sha256 = self.digests.digest(path)
            if record and sha256 == record.output_sha256:
                return State.UP_TO_DATE if record.key == key else State.STALE
            coming = _read(self._announced(pair.output), Record)
            if coming and sha256 == coming.output_sha256:  # killed between a result and its record
                return State.MISSING if coming.key == key else State.STALE
        data = read_result(path)
        if data is None:  # gone in the meantime
            return State.MISSING
        if record is None:  # somebody removed it, or copied the result alone
            state = state_by_itself(data, key)
            return State.MISSING if state is State.UP_TO_DATE else state
        return State.EDITED if is_image(data, pair.output) else State.DAMAGED

    def prepare(self) -> None:
        """Make the folders, and remove temporary files of processes that were killed.

        Raises:
            OSError: they cannot be made, or not be written to.
        """
        for folder in (self._pairs, self._failures):
            folder.mkdir(parents=True, exist_ok=True)
        sweep(self.hidden, recursive=True)
        # Results lie beside their users' files: only folders that have some are looked at.
        for folder in {self.folder, *(path.parent for path in self.recorded())}:
            sweep(folder)
        self.digests.save()

    @property
    def warning(self) -> str | None:
        """What the user should know of the output folder."""
        return self.locks.warning

    def take(self, pair: Pair) -> Held | None:
        """Take a pair for this process without waiting; None if another has it in hand.

        A record whose writer was killed right after the result comes to its place here, where
        nobody else can be about to do so.

        Raises:
            OSError: the folder is gone or read-only.
        """
        lock = self.locks.take(pair.output)
        announced = self._announced(pair.output)
        if lock and announced.exists():
            coming = _read(announced, Record)
            with suppress(InputError):  # there is no result
                if coming and self.digests.digest(self.path(pair)) == coming.output_sha256:
                    _make_folder(self._record(pair.output).parent, self.hidden)
                    announced.replace(self._record(pair.output))
        return lock

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Write a result, then its record, and forget an earlier failure.

        The record is written first, but beside its place: an older result keeps its own until
        it is replaced, and killed in between, the new one is known as ours.

        Raises:
            OSError: the disk is full, or the folder gone or read-only.
        """
        result, known = self.path(pair), self._record(pair.output)
        coming = self._announced(pair.output)
        for path in (result, known, coming):
            _make_folder(path.parent, self.hidden)
        write_atomic(coming, record.model_dump_json(indent=1).encode() + b"\n")
        write_atomic(result, data)
        coming.replace(known)
        self._failure(pair.output).unlink(missing_ok=True)

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Write down why a pair could not be made."""
        failure = Failure(
            content=stored(pair.content),
            style=stored(pair.style),
            error=error,
            seconds=round(seconds, 3),
        )
        path = self._failure(pair.output)
        _make_folder(path.parent, self.hidden)
        write_atomic(path, failure.model_dump_json(indent=1).encode() + b"\n")

    def path(self, pair: Pair) -> Path:
        """Return where the result of a pair is or will be."""
        return self.folder / pair.output

    def recorded(self) -> Iterator[Path]:
        """List where results lie or lay, also those whose record cannot be read."""
        for path in self._pairs.rglob("*.json"):
            yield self.folder / path.relative_to(self._pairs).with_suffix("")

    def _announced(self, output: str) -> Path:
        return self._coming / f"{output}.json"

    def _record(self, output: str) -> Path:
        return self._pairs / f"{output}.json"

    def _failure(self, output: str) -> Path:
        return self._failures / f"{output}.json"


def _make_folder(folder: Path, hidden: Path) -> None:
    """Make a folder for mirrored results; not the output folder itself, should that be gone.

    Raises:
        OSError: the output folder has vanished, or is read-only.
    """
    if not folder.is_dir():
        hidden.stat()
        folder.mkdir(parents=True, exist_ok=True)


def _read(path: Path, kind: type[Known]) -> Known | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _listed(folder: Path, kind: type[Known]) -> Iterator[tuple[str, Known]]:
    for path in sorted(folder.rglob("*.json")):
        known = _read(path, kind)
        if known:
            yield path.relative_to(folder).as_posix().removesuffix(".json"), known


def read_result(path: Path) -> bytes | None:
    """Return the bytes under a result's name, or None if there is nothing.

    Raises:
        InputError: something is there that is no file, or cannot be read.
    """
    if path.is_dir():
        raise InputError(f"'{shown(path)}' is a folder where a result should go; move it away")
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"cannot read '{shown(path)}': {error.strerror or error}") from error


def state_by_itself(data: bytes, key: str) -> State:
    """Tell the state of a result by the key in its own metadata."""
    found = embedded_key(data)
    if found is None:
        return State.FOREIGN
    if found == key:
        return State.UP_TO_DATE
    return State.STOPPED if found == stopped_key(key) else State.STALE


def is_image(data: bytes, name: str) -> bool:
    """Tell whether these bytes are a whole picture."""
    from nstcli.images import decode

    try:
        decode(data, name)
    except InputError:
        return False
    return True
