"""The inventory of an output folder: how each result stands, by records and files alone."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backbones.atomic import abandoned
from backbones.hints import closest
from backbones.paths import exists, is_file, is_folder
from nstcli.errors import InputError
from nstcli.images import EXTENSIONS, read_metadata
from nstcli.plan.layout import Layout
from nstcli.plan.names import folded
from nstcli.report.origins import InputState, Origin, find_origins
from nstcli.results.folder import Store
from nstcli.results.records import Failure, Record
from nstcli.results.state import State, embedded_key
from nstcli.run.journal import Run, newest_run
from nstcli.text import shown

# Folders named where the one asked for holds no batch.
_HINTS = 3


# How pictures can stand as far as that can be told without their inputs and settings.
STATES = (
    State.UP_TO_DATE,
    State.STOPPED,
    State.MISSING,
    State.DAMAGED,
    State.EDITED,
    State.UNREADABLE,
    State.UNRECORDED,
    State.FOREIGN,
)
# What the next batch would make again, or stop at.
_TROUBLES = {State.STOPPED, State.MISSING, State.DAMAGED, State.EDITED, State.UNREADABLE}


@dataclass(frozen=True)
class Item:
    """A picture in an output folder, or one that should be there; `why` if it is unreadable."""

    name: str
    state: State
    record: Record | None = None
    why: str = ""


@dataclass(frozen=True)
class Inventory:
    """All that an output folder holds, in the order of names.

    Attributes:
        folder: whose it is.
        items: results and other pictures; the records are without their loss curves.
        failures: what failed and was not made since, by the names of the results.
        broken_records: results whose record cannot be read.
        origins: the contents and styles.
        leftovers: temporary files of processes that were killed; the next batch removes them.
        at_work: whether another nst makes pairs here now; None where nobody can tell.
        run: the newest run that made or tried something.
        unfinished: what that run began and did not end, and no record or failure tells of.
    """

    folder: Path
    items: tuple[Item, ...]
    failures: tuple[tuple[str, Failure], ...]
    broken_records: tuple[str, ...]
    origins: tuple[Origin, ...]
    leftovers: tuple[Path, ...]
    at_work: bool | None
    run: Run | None
    unfinished: tuple[str, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """What was begun, and is in nobody's hand any more."""
        return () if self.at_work else self.unfinished

    @property
    def is_well(self) -> bool:
        """Tell whether nothing needs the user's attention."""
        return not (
            self.failures
            or self.broken_records
            or self.lost
            or any(item.state in _TROUBLES for item in self.items)
            or any(
                origin.state in {InputState.CHANGED, InputState.UNREADABLE}
                for origin in self.origins
            )
        )


def take_inventory(folder: Path) -> Inventory:
    """Look at everything in an output folder. Nothing is written but remembered digests.

    Raises:
        InputError: it is no output folder, or cannot be read.
    """
    _refuse_no_batch(folder)
    store = Store(folder)
    # First: what a process at work writes meanwhile shall not look like what a killed one left.
    at_work = store.locks.any_held()
    # Thousands of curves would fill the memory, and nobody asks for them here.
    records = {name: one.model_copy(update={"curve": ()}) for name, one in store.records()}
    failures = tuple(store.failures())
    broken = {path.relative_to(folder).as_posix() for path in store.recorded()} - records.keys()
    results = _results(store, records)
    known = {*records, *(name for name, _ in failures), *broken}
    others = _others(folder, records.keys(), broken, known)
    origins = find_origins(records.values(), folder, store.digests)
    store.digests.save()
    run = newest_run(store.layout)
    return Inventory(
        folder,
        tuple(sorted([*results, *others], key=lambda item: item.name)),
        failures,
        tuple(sorted(broken)),
        tuple(origins),
        tuple(_leftovers(store, known)),
        at_work,
        run,
        tuple(name for name in run.unfinished if name not in known) if run else (),
    )


def _refuse_no_batch(folder: Path) -> None:
    layout = Layout(folder)
    try:
        if not layout.hidden.is_dir():
            raise InputError(_no_batch(folder))
        for place in (folder, layout.hidden, layout.records, layout.failures):
            with suppress(FileNotFoundError), os.scandir(place):
                pass
    except OSError as error:
        raise InputError(
            f"cannot read '{shown(error.filename)}': {error.strerror or error}"
        ) from error


def _no_batch(folder: Path) -> str:
    """Say why a folder holds no batch, and where one may be."""
    if not is_folder(folder):
        what = "is not a folder" if exists(folder) else "is not there"
        near: list[str] = []
        with suppress(OSError):
            near = [shown(entry.name) for entry in folder.absolute().parent.iterdir()]
        return f"'{shown(folder)}' {what}{closest(shown(folder.name), near)}"
    inside = sorted(shown(found.parent) for found in folder.glob("*/.nst"))[:_HINTS]
    hint = "; there is one in " + ", ".join(f"'{each}'" for each in inside) if inside else ""
    return (
        f"no batch was made in '{shown(folder)}': it holds no folder .nst{hint}; "
        "name the folder that -o named"
    )


def _results(store: Store, records: Mapping[str, Record]) -> Iterator[Item]:
    """Compare each result with its record."""
    digests = store.digests.of(store.folder / name for name in records)
    for name, record in records.items():
        sha256 = digests[store.folder / name]
        try:
            yield Item(name, store.compared(name, record, sha256), record)
        except InputError as error:
            why = sha256 if isinstance(sha256, InputError) else error
            yield Item(name, State.UNREADABLE, record, str(why))


def _others(
    folder: Path, recorded: Iterable[str], broken: Container[str], known: Iterable[str]
) -> Iterator[Item]:
    """Find the pictures beside the results that no record tells of, or a broken one.

    Only folders that have, or should have, results are looked at: anything may lie in the others.
    """
    names = set(recorded)
    twins = {folded(name): name for name in names}
    for place in {folder, *((folder / name).parent for name in known)}:
        try:
            entries = [entry for entry in place.iterdir() if _may_be_picture(entry)]
        except OSError:
            continue
        for entry in entries:
            name = entry.relative_to(folder).as_posix()
            # File systems may list a name in another form than it was written in.
            twin = twins.get(folded(name))
            if name in names or (twin and _same(entry, folder / twin)):
                continue
            state = State.UNRECORDED if name in broken else _state_without_record(entry)
            if state:
                yield Item(name, state)


def _may_be_picture(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and is_file(path)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _state_without_record(path: Path) -> State | None:
    """Tell whose a picture without a record is; None for sheets and the like of ours."""
    try:
        data = path.read_bytes()
    except OSError:
        return State.FOREIGN
    if embedded_key(data):
        return State.UNRECORDED
    ours = read_metadata(data).get("Software", "").startswith("nst ")
    return None if ours else State.FOREIGN


def _leftovers(store: Store, known: Iterable[str]) -> list[Path]:
    places = store.folders() | {(store.folder / name).parent for name in known}
    found = abandoned(store.layout.hidden, recursive=True)
    return sorted([*found, *(path for place in places for path in abandoned(place))])
