"""The photos of a training: any folder of pictures, and the squares that are cut out of them."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nstcli import images
from nstcli.errors import InputError, StoppedError
from nstcli.images import Picture
from nstcli.plan import inputs
from nstcli.plan.walk import Selection, trouble
from nstcli.remembered import digest
from nstcli.text import plural, shown

# Decoders let other threads run; beyond some, the disk is what is short.
_THREADS = 8
# Batches that wait until the network comes to them, for each thread.
_AHEAD = 2
# Decoded photos are kept until they fill this; others are read anew each time.
_KEPT_BYTES = 2**30
# Squares are up to so many times larger than what is cut out of them is shown as; photos are kept
# as small as that allows.
_FARTHEST = 2.0
# A photo whose shorter edge is less than this share of a square would be all blur.
_SMALLEST = 0.25


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture to be cut squares out of: where it is, what it is, its pixels if they are kept."""

    path: Path
    sha256: str
    pixels: Picture | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Photos:
    """The pictures of a training that can be used, in a lasting order.

    Attributes:
        all: at least one.
        size: edge of the squares.
        max_pixels: that a picture may have before it is decoded.
        notes: what was left out and why, a line each.
    """

    all: Sequence[Photo]
    size: int
    max_pixels: int
    notes: Sequence[str] = ()

    @property
    def digest(self) -> str:
        """What stands for all their bytes, whatever they are called."""
        return digest([photo.sha256 for photo in self.all])

    def square(self, random: np.random.Generator) -> Picture:
        """Cut a square out of one of them, `size` pixels wide, and maybe mirror it.

        It shows the photo at its own scale or up to twice as small, as far as it has the pixels;
        a photo that is too small for it is enlarged.
        """
        photo = self.all[int(random.random() * len(self.all))]
        zoom, top, left, mirrored = random.random(4)
        picture = photo.pixels or self._again(photo)
        shortest = min(picture.height, picture.width)
        largest = min(shortest / self.size, _FARTHEST)
        edge = round(self.size * largest**zoom) if largest > 1 else shortest
        row = int(top * (picture.height - edge + 1))
        column = int(left * (picture.width - edge + 1))
        cut = np.ascontiguousarray(picture.rgb[row : row + edge, column : column + edge])
        if mirrored < 0.5:
            cut = np.ascontiguousarray(cut[:, ::-1])
        return images.resize(Picture(cut), edge, self.size / edge)

    def batch(self, seed: int, step: int, squares: int) -> Tensor:
        """Return the batch of a step, (N, 3, size, size) in [0, 1]: the same for the same numbers.

        Raises:
            StoppedError: a photo cannot be read any more.
        """
        random = np.random.default_rng([seed, step])
        cut = [torch.from_numpy(self.square(random).rgb) for _ in range(squares)]
        return torch.stack(cut).permute(0, 3, 1, 2).float().div(255).contiguous()

    def _again(self, photo: Photo) -> Picture:
        try:
            data, picture = read(photo.path, self.max_pixels)
        except InputError as error:
            raise StoppedError(f"a photo of the training is lost: {error}") from error
        if hashlib.sha256(data).hexdigest() != photo.sha256:
            raise StoppedError(f"{shown(photo.path)}: changed while the network was trained")
        return _shrunk(picture, self.size)


def find(
    folders: Sequence[str],
    output: Path,
    size: int,
    max_pixels: int = images.DEFAULT_MAX_PIXELS,
    on_looked: Callable[[int, int], None] = lambda done, of: None,
) -> Photos:
    """Look for the pictures of folders and all below them, and decode every one of them once.

    What cannot be used is left out and told. `on_looked` hears how many of how many were looked at.

    Raises:
        InputError: there is no picture that can be used, or the `output` would lie among them.
    """
    found = [inputs.find(folder, Selection(recursive=True)) for folder in folders]
    for each in found:
        inputs.refuse_nested(output.parent, each)
    paths = list(dict.fromkeys(source.path for each in found for source in each))
    notes = [note for each in found for note in each.notes]
    photos: list[Photo] = []
    room = _KEPT_BYTES
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        looked = pool.map(lambda path: _looked(path, size, max_pixels), paths)
        for number, photo in enumerate(looked, 1):
            on_looked(number, len(paths))
            if isinstance(photo, str):
                notes.append(f"{photo}; left out")
                continue
            room -= photo.pixels.rgb.nbytes if photo.pixels else 0
            photos.append(photo if room > 0 else replace(photo, pixels=None))
    if not photos:
        named = ", ".join(f"'{shown(folder)}'" for folder in folders)
        why = f": {notes[0]}" if notes else ""
        raise InputError(f"none of {plural(len(paths), 'photo')} in {named} can be used{why}")
    return Photos(photos, size, max_pixels, notes)


def read(path: Path, max_pixels: int) -> tuple[bytes, Picture]:
    """Return the bytes of a picture file, and what they show.

    Raises:
        InputError: it cannot be read, is no picture, or has more than `max_pixels` pixels.
    """
    name = shown(path)
    problem = trouble(path)
    if problem:  # opening a pipe would wait for a writer
        raise InputError(f"{name}: {problem}")
    try:
        data = path.read_bytes()
        return data, images.decode(data, name, max_pixels)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise InputError(f"{name}: does not fit into memory") from error


def _looked(path: Path, size: int, max_pixels: int) -> Photo | str:
    """Return a photo with its pixels, or what is wrong with it."""
    try:
        data, picture = read(path, max_pixels)
    except InputError as error:
        return str(error)
    if min(picture.height, picture.width) < _SMALLEST * size:
        return f"{shown(path)}: {picture.width}×{picture.height} px are too few for {size} px"
    return Photo(path, hashlib.sha256(data).hexdigest(), _shrunk(picture, size))


def _shrunk(picture: Picture, size: int) -> Picture:
    """Shrink a photo to what squares need of it, in 8 bits and without its transparency."""
    shortest = min(picture.height, picture.width)
    longest = max(picture.height, picture.width)
    wanted = max(1, round(longest * min(1.0, _FARTHEST * size / shortest)))
    return images.resize(Picture(picture.rgb), wanted)


def batches(photos: Photos, seed: int, first: int, squares: int) -> Generator[Tensor]:
    """Yield the batches of all steps from the `first` on, cut while the network is at work.

    Threads are enough, as decoding and scaling lets others run, and they end with the process. The
    order is that of the steps, whoever is done first.
    """
    threads = max(1, min(_THREADS, (os.cpu_count() or 1) // 2))
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Tensor]] = deque()
        try:
            for step in count(first):
                waiting.append(pool.submit(photos.batch, seed, step, squares))
                if len(waiting) > threads * _AHEAD:
                    yield waiting.popleft().result()
        finally:  # nobody wants those that wait
            pool.shutdown(cancel_futures=True)
