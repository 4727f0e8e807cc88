"""Find the inputs of results again, by what records say, and tell whether they changed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath

from backbones.paths import exists
from nstcli.errors import InputError
from nstcli.methods import NETWORK_SUFFIXES
from nstcli.networks.file import picture_of
from nstcli.report.thumbs import LARGE, SMALL, Thumbs
from nstcli.results.digests import Digests
from nstcli.results.records import Record
from nstcli.text import stored


def copy_input(path: str, sha256: str, folder: Path, thumbs: Thumbs) -> None:
    """Keep copies of a content or style, so that results stand beside it when it is gone.

    Of a style that is a network they are of a picture that stands for it, where there is one.

    Raises:
        OSError: the copies cannot be written.
    """
    if sha256:  # else only a failed pair tells of it, and nobody knows what its path held then
        thumbs.make(sha256, lambda: _picture_of(path, sha256, folder), SMALL, LARGE)


def _picture_of(path: str, sha256: str, folder: Path) -> bytes | None:
    """Return the picture of a content or style, or None when it is gone or has changed.

    Args:
        path: as a record has it; see `candidates`.
        sha256: of the bytes wanted.
        folder: the output folder.
    """
    for candidate in candidates(path, folder):
        try:
            data = candidate.read_bytes() if candidate.is_file() else b""
        except OSError:
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            is_network = candidate.suffix.lower() in NETWORK_SUFFIXES
            return picture_of(candidate) if is_network else data
    return None


class InputState(Enum):
    """What became of an input."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    GONE = "gone"
    NOT_FOUND = "not found"


@dataclass(frozen=True)
class Origin:
    """A content or style that results were made of.

    Attributes:
        role: "content" or "style".
        path: as records have it.
        sha256: of its bytes then.
        results: how many were made of it.
        state: what became of it.
        found: where it, or another file in its place, lies now.
    """

    role: str
    path: str
    sha256: str
    results: int
    state: InputState
    found: Path | None


def find_origins(records: Iterable[Record], folder: Path, digests: Digests) -> list[Origin]:
    """Look for every input of these records; each file is read once, if at all.

    Args:
        records: of the results in `folder`.
        folder: the output folder.
        digests: reads the files.
    """
    wanted: Counter[tuple[str, str, str]] = Counter()
    for record in records:
        wanted.update((each.role, each.path, each.sha256) for each in record.inputs)
    places = {path: list(candidates(path, folder)) for _, path, _ in wanted}
    known = digests.of(place for found in places.values() for place in found)
    return [
        Origin(role, path, sha256, results, *_found(path, sha256, places[path], known))
        for (role, path, sha256), results in sorted(wanted.items())
    ]


def candidates(path: str, folder: Path) -> Iterator[Path]:
    """Yield the files that a record may mean, likeliest first.

    Args:
        path: as a record has it: maybe relative to where the batch was started, with bytes that
            are not UTF-8 escaped.
        folder: the output folder. Whoever moved it together with its inputs, or calls from within
            it, finds them from there.
    """
    seen = set()
    for base in (Path(), folder.parent, folder):
        for place in _named(base, path):
            if place not in seen and exists(place):
                seen.add(place)
                yield place


def _found(
    path: str, sha256: str, places: list[Path], known: dict[Path, str | InputError]
) -> tuple[InputState, Path | None]:
    for place in places:
        if known[place] == sha256:
            return InputState.UNCHANGED, place
    if not places:
        return (InputState.GONE if PurePath(path).is_absolute() else InputState.NOT_FOUND), None
    first = places[0]
    unreadable = isinstance(known[first], InputError)
    return (InputState.UNREADABLE if unreadable else InputState.CHANGED), first


def _named(base: Path, path: str) -> Iterator[Path]:
    """Yield what `stored` would write as `path` below `base`: the plain path, then by listing."""
    plain = base / path
    yield plain
    if "\\x" not in path:  # nothing in it can stand for a byte that is not UTF-8
        return
    found = [base]
    for part in PurePath(path).parts:
        found = [entry for folder in found for entry in _entries(folder, part)]
    yield from (entry for entry in found if entry != plain)


def _entries(folder: Path, part: str) -> list[Path]:
    if "\\x" not in part:
        return [folder / part]
    try:
        return [entry for entry in folder.iterdir() if stored(entry.name) == part]
    except OSError:
        return []
