"""Small copies of pictures, kept in the output folder under the sha256 of what they show."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backbones.atomic import write_atomic
from nstcli.errors import InputError
from nstcli.images import Picture, decode, encode, resize
from nstcli.plan.layout import Layout
from nstcli.results.records import Record
from nstcli.results.state import State

# Longest edges. SMALL fills a cell of the grid on a dense screen; LARGE fills the screen.
SMALL = 420
LARGE = 1280

# At which no artefact of WebP shows in a picture made of brush strokes.
_QUALITY = 82

_NAME = re.compile(r"([0-9a-f]{64})\.(\d+)\.(\d+)x(\d+)\.webp")


@dataclass(frozen=True)
class Thumb:
    """A small copy on the disk, and its size in pixels."""

    path: Path
    width: int
    height: int


class Thumbs:
    """The small copies of an output folder, made where they are missing.

    A name says all: `SHA256.420.420x315.webp` is at most 420 pixels long and 420 × 315 large. So
    none is ever stale, one look at the folder tells what there is, and a gallery that is written
    again while a batch runs makes the new ones only.
    """

    def __init__(self, folder: Path):
        self._folder = Layout(folder).thumbs
        # Not its parents: where there are records, they are there, or the folder was taken away.
        self._folder.mkdir(exist_ok=True)
        self._known: dict[tuple[str, int], Thumb] = {}
        for path in self._folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name:
                thumb = Thumb(path, int(name[3]), int(name[4]))
                self._known[name[1], int(name[2])] = thumb

    def find(self, sha256: str, longest: int) -> Thumb | None:
        """Return the copy of a picture, if there is one."""
        return self._known.get((sha256, longest))

    def make(self, sha256: str, read: Callable[[], bytes | None], *longest: int) -> None:
        """Make the copies of these sizes that are missing; `read` is called for them alone.

        A picture that is gone or cannot be decoded gets none.

        Raises:
            OSError: the folder cannot be written to.
        """
        missing = [size for size in longest if (sha256, size) not in self._known]
        data = read() if missing else None
        if data is None:
            return
        try:
            picture = decode(data, sha256)
        except InputError:
            return
        for size in missing:
            self._known[sha256, size] = self._write(sha256, resize(picture, size), size)

    def _write(self, sha256: str, small: Picture, longest: int) -> Thumb:
        name = f"{sha256}.{longest}.{small.width}x{small.height}.webp"
        path = self._folder / name
        write_atomic(path, encode(small.rgb, small.alpha, "webp", _QUALITY))
        return Thumb(path, small.width, small.height)


# Formats that browsers do not show: the large copy stands in.
_NOT_FOR_BROWSERS = {"tiff"}


@dataclass(frozen=True)
class ResultThumbs:
    """What can be shown of a result.

    Attributes:
        small: for the grid.
        large: where the file itself cannot be shown.
        readable: the file is there, and browsers show it.
        state: how its file is, as far as it had to be looked at.
    """

    small: Thumb | None
    large: Thumb | None
    readable: bool
    state: State = State.UP_TO_DATE


def result_thumbs(
    folder: Path, output: str, record: Record, thumbs: Thumbs, embeds: bool
) -> ResultThumbs:
    """Make the copies of a result that are missing, and tell what can be shown of it.

    The file is read when there is no copy of it yet, or when it is newer than its copy.

    Args:
        folder: the output folder.
        output: name of the result in it.
        record: what is known of it.
        thumbs: where copies are.
        embeds: the page holds its pictures, and wants large ones.

    Raises:
        OSError: the copies cannot be written.
    """
    needs_large = embeds or record.format in _NOT_FOR_BROWSERS
    sizes = [LARGE] if embeds else [SMALL, LARGE] if needs_large else [SMALL]
    path = folder / output
    sha256, state = record.output_sha256, State.UP_TO_DATE
    if not path.is_file():
        state = State.MISSING
    elif not all(_is_fresh(path, thumbs.find(sha256, size)) for size in sizes):
        data = _read(path)
        sha256 = hashlib.sha256(data or b"").hexdigest()
        thumbs.make(sha256, lambda: data, *sizes)
        copies = [thumbs.find(sha256, size) for size in sizes]
        if not all(copies):
            state = State.UNREADABLE
        elif sha256 != record.output_sha256:
            state = State.EDITED
        else:  # as it was made, only written again: the next look need not read it
            for copy in copies:
                if copy:
                    os.utime(copy.path)
    return ResultThumbs(
        thumbs.find(sha256, SMALL),
        thumbs.find(sha256, LARGE) if needs_large or state is State.MISSING else None,
        state in {State.UP_TO_DATE, State.EDITED},
        state,
    )


def _is_fresh(path: Path, copy: Thumb | None) -> bool:
    return copy is not None and path.stat().st_mtime_ns <= copy.path.stat().st_mtime_ns


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
