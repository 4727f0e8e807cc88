"""An output folder with its records: one file each, the source of truth of a batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from backbones.atomic import make_folder, move, sweep, write_atomic
from backbones.paths import exists, expanded, is_folder
from nstcli.errors import InputError
from nstcli.plan.layout import Layout
from nstcli.plan.pair import Pair
from nstcli.results.digests import Digests
from nstcli.results.locks import Locks
from nstcli.results.records import Before, Failure, Measured, Record, known_inputs
from nstcli.results.stages import StageFolder
from nstcli.results.state import State, state_of
from nstcli.results.store import Held
from nstcli.text import shown

Known = TypeVar("Known", bound=BaseModel)


class Store:
    """An output folder with its records: the `Results` of a batch."""

    def __init__(self, folder: Path):
        self.where = self.folder = expanded(folder)
        self.layout = Layout(self.folder)
        self.digests = Digests(self.layout.digests)
        self.locks = Locks(self.folder)

    def load(self, output: str) -> Record | None:
        """Return the record of a result; an unreadable one counts as none."""
        return _read(self.layout.record(output), Record)

    def before(self, output: str) -> Before | None:
        """Return how a result was made, if there is a record of it."""
        record = self.load(output)
        return Before.of_record(record) if record else None

    def failure(self, output: str) -> str | None:
        """Return why a result could not be made at the last try, if it was not made since."""
        failure = _read(self.layout.failure(output), Failure)
        return failure.error if failure else None

    def records(self) -> Iterator[tuple[str, Record]]:
        """List what was made here, by the names of the results, in order."""
        return _listed(self.layout.records, Record)

    def failures(self) -> Iterator[tuple[str, Failure]]:
        """List what failed here and was not made since, by the names of the results, in order."""
        for output, failure in _listed(self.layout.failures, Failure):
            if not self._is_made(output):
                yield output, failure

    def state(self, pair: Pair, key: str) -> State:
        """Tell how a pair stands, by its record and the bytes that lie in the folder.

        Raises:
            InputError: what lies there cannot be read, or is none that a result could replace.
        """
        record = self.load(pair.output)
        state = self.compared(pair.output, record, key=key)
        if state.needs_consent:
            # Another process may have finished the pair between the look at record and result.
            before, record = record, self.load(pair.output)
            if record != before:
                state = self.compared(pair.output, record, key=key)
        if state is State.MISSING and not exists(self.path(pair)):
            _refuse_files_as_folders(self.folder, pair.output)
            return State.FAILED if exists(self.layout.failure(pair.output)) else state
        return state

    def stages(self, pair: Pair) -> StageFolder:
        """Return the folder of the stages of a pair, which need not be there."""
        return StageFolder(self.layout.stages(pair.output))

    def compared(
        self,
        output: str,
        record: Record | None,
        sha256: str | InputError | None = None,
        key: str | None = None,
    ) -> State:
        """Compare a result with its record and, if one is asked for, with a key.

        `sha256` is that of its bytes, or why there is none; it is found out if it is not given.

        Raises:
            InputError: what lies there cannot be read.
        """
        path = self.folder / output
        announced = _read(self.layout.announcement(output), Record)
        found = sha256 or self.digests.digest_or_error(path)
        return state_of(path, found, record, announced, key)

    def measured(self, output: str, sha256: str) -> Measured | None:
        """Return what was measured of a result; of other bytes under its name, it is nothing."""
        measured = _read(self.layout.measured(output), Measured)
        return measured if measured and measured.output_sha256 == sha256 else None

    def save_measured(self, output: str, measured: Measured) -> None:
        """Keep what was measured of a result.

        Raises:
            OSError: the disk is full, or the folder gone or read-only.
        """
        path = self.layout.measured(output)
        make_folder(path.parent)
        write_atomic(path, _written(measured))

    def prepare(self) -> None:
        """Make the folders, and remove temporary files of processes that were killed.

        Raises:
            OSError: they cannot be made, or not be written to.
        """
        for folder in (self.layout.records, self.layout.failures):
            make_folder(folder)
        sweep(self.layout.hidden, recursive=True)
        for folder in self.folders():
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
        if lock and (coming := _read(self.layout.announcement(pair.output), Record)):
            with suppress(InputError):  # there is no result
                if self.digests.digest(self.path(pair)) == coming.output_sha256:
                    self._place(pair.output, coming)
        return lock

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Write a result, forget an earlier failure, and write its record.

        The record is written first, but beside its place: an older result keeps its own until
        it is replaced, and killed in between, the new one is known as ours.

        Raises:
            OSError: the disk is full, or the folder gone or read-only.
        """
        result, coming = self.path(pair), self.layout.announcement(pair.output)
        for path in (result, coming):
            _make_folder(path.parent, self.layout.hidden)
        write_atomic(coming, _written(record))
        write_atomic(result, data)
        self._place(pair.output, record)

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Write down why a pair could not be made, unless there is a result as it was recorded.

        That may be of another recipe, whose run was sooner, or of this one, which `--force` wanted
        made again.
        """
        if self._is_made(pair.output):
            self.forget(pair)
            return
        inputs = known_inputs(pair)
        failure = Failure(inputs=inputs, error=error, seconds=round(seconds, 3))
        path = self.layout.failure(pair.output)
        _make_folder(path.parent, self.layout.hidden)
        write_atomic(path, _written(failure))

    def forget(self, pair: Pair) -> bool:
        """Forget the failure of a pair that is made; tell whether there was one.

        Raises:
            OSError: the folder is read-only.
        """
        path = self.layout.failure(pair.output)
        known = exists(path)  # even where there is nothing, removing it fails if it is read-only
        if known:
            path.unlink(missing_ok=True)
        return known

    def path(self, pair: Pair) -> Path:
        """Return where the result of a pair is or will be."""
        return self.folder / pair.output

    def recorded(self) -> Iterator[Path]:
        """List where results lie or lay, also those whose record cannot be read."""
        for path in self.layout.records.rglob("*.json"):
            yield self.folder / path.relative_to(self.layout.records).with_suffix("")

    def folders(self) -> set[Path]:
        """Return the folders of results; others, where users keep their files, are let alone."""
        coming = self.layout.announcements
        announced = (self.folder / path.relative_to(coming) for path in coming.rglob("*.json"))
        return {self.folder, *(path.parent for path in (*self.recorded(), *announced))}

    def _is_made(self, output: str) -> bool:
        """Tell whether a result is there with the bytes that its record says, whatever its key."""
        record = self.load(output)
        found = record and self.digests.digest_or_error(self.folder / output)
        return record is not None and found == record.output_sha256

    def _place(self, output: str, record: Record) -> None:
        """Bring the announced record of a result that is there to its place.

        An earlier failure goes first: nothing would look for it afterwards.
        """
        known, failure = self.layout.record(output), self.layout.failure(output)
        _make_folder(known.parent, self.layout.hidden)
        failure.unlink(missing_ok=True)
        try:
            move(self.layout.announcement(output), known)
        except FileNotFoundError:  # another process made the same pair, where there are no locks
            write_atomic(known, _written(record))


def _make_folder(folder: Path, hidden: Path) -> None:
    """Make a folder for mirrored results; not the output folder itself, should that be gone.

    Raises:
        OSError: the output folder has vanished, or is read-only.
    """
    if not folder.is_dir():
        hidden.stat()
        make_folder(folder)


def _refuse_files_as_folders(folder: Path, output: str) -> None:
    """Refuse what would keep the mirrored folders of a result from being made."""
    for parent in PurePosixPath(output).parents:
        place = folder / parent
        if place != folder and os.path.lexists(place) and not is_folder(place):
            raise InputError(
                f"'{shown(place)}' is a file where a folder of results should go; move it away"
            )


def _written(known: BaseModel) -> bytes:
    return known.model_dump_json(indent=1).encode() + b"\n"


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
