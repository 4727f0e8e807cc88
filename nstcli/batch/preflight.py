"""Decode every picture before anything is computed, so that a bad one is known at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from backbones.paths import is_folder
from nstcli import images
from nstcli.batch.plan import shown
from nstcli.batch.walk import trouble
from nstcli.errors import InputError

# Decoders let other threads run; beyond a few, the disk and the memory are what is short.
_THREADS = 4

# Pixels from which pictures are decoded one at a time: from here on, one takes 300 MB or more.
_LARGE = 50_000_000
_one_large = threading.Lock()


@dataclass(frozen=True)
class Looked:
    """A picture that can be used.

    Attributes:
        width: in pixels, as it is seen: turned by the EXIF orientation.
        height: likewise.
        notes: what the user should know of the file, a line each.
    """

    width: int
    height: int
    notes: tuple[str, ...] = ()


def look(path: Path, max_pixels: int = images.DEFAULT_MAX_PIXELS) -> Looked:
    """Decode one picture in full, as only that finds every damage, and forget its pixels.

    Raises:
        InputError: it cannot be read, is no picture, or has more than `max_pixels` pixels.
    """
    name = shown(path)
    problem = "is a folder, not a file" if is_folder(path) else trouble(path)
    if problem:  # opening a pipe would wait for a writer
        raise InputError(f"{name}: {problem}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    width, height = images.size_of(data) or (0, 0)
    with _one_large if width * height > _LARGE else nullcontext():
        try:
            picture = images.decode(data, name, max_pixels)
        except MemoryError as error:
            raise InputError(f"{name}: {width}×{height} px do not fit into memory") from error
    return Looked(picture.width, picture.height, picture.notes)


def look_at_all(
    paths: Iterable[Path], max_pixels: int = images.DEFAULT_MAX_PIXELS
) -> Iterator[tuple[Path, Looked | InputError]]:
    """Look at each path once, several at a time, and tell in their order how each one is.

    A picture that cannot be used is told like the others, as the error that says why. An
    interruption waits only for the few that are being decoded.
    """

    def looked(path: Path) -> tuple[Path, Looked | InputError]:
        try:
            return path, look(path, max_pixels)
        except InputError as error:
            return path, error

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        yield from pool.map(looked, dict.fromkeys(paths))  # drops what waits when it is left
