"""Pictures that are maps: gray levels that are weights, flat colours that are regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nstcli.errors import InputError
from nstcli.images.picture import Picture

# What of a map is no more than this share of it is noise, and no region.
_LEAST_SHARE = 0.005
# Colours that differ by less in every channel are one: JPEG and soft edges make many of one.
_NEAR = 40
# More flat colours than this are no map, but a photo.
_MOST = 32
# Within a region, neighbours differ by no more than this; at its soft edge, they do.
_CALM = 8
# Levels of a channel are compared in steps of 8.
_SHIFT = 3
_STEPS = 256 >> _SHIFT

# A colour, 0 to 255 each.
Color = tuple[int, int, int]


def gray(picture: Picture) -> NDArray[np.uint8]:
    """Return the gray levels of a map, uint8 (H, W); of a gray one, its own."""
    # A copy: torch warns of arrays that it may not write.
    return np.array(Image.fromarray(picture.rgb).convert("L"), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class RegionMap:
    """A map of regions: its flat colours, the largest first, and the number of each pixel's.

    Attributes:
        colors: no two alike.
        numbers: uint8 (H, W); a pixel of another colour belongs to the nearest.
    """

    colors: tuple[Color, ...]
    numbers: NDArray[np.uint8]

    def mask(self, color: Color) -> NDArray[np.uint8]:
        """Return 255 where a colour is and 0 elsewhere, uint8 (H, W)."""
        return np.where(self.numbers == self.colors.index(color), 255, 0).astype(np.uint8)


def regions(picture: Picture) -> RegionMap:
    """Read a map of regions.

    Raises:
        InputError: it has too many colours to be one.
    """
    steps = (picture.rgb >> _SHIFT).astype(np.int32)
    cells = (steps[..., 0] * _STEPS + steps[..., 1]) * _STEPS + steps[..., 2]
    counts = np.bincount(cells.ravel(), minlength=_STEPS**3)
    calm = _calm(picture.rgb)
    used = np.flatnonzero(counts)
    # The mean of the colours in every cell, so that a flat colour is told as it is.
    means = np.stack(
        [
            np.bincount(cells.ravel(), picture.rgb[..., channel].ravel(), _STEPS**3)[used]
            / counts[used]
            for channel in range(3)
        ],
        axis=1,
    )
    flat = _flat(means, np.bincount(cells[calm], minlength=_STEPS**3)[used])
    distances = np.abs(means[:, None] - flat[None]).max(2)
    number_of = np.zeros(_STEPS**3, dtype=np.uint8)
    number_of[used] = distances.argmin(1)
    colors = tuple((int(r), int(g), int(b)) for r, g, b in flat.round())
    return RegionMap(colors, number_of[cells])


def _calm(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which pixels look like their neighbours: (H, W); all of them where none does."""
    levels = rgb.astype(np.int16)
    right = np.abs(np.diff(levels, axis=1)).max(2) <= _CALM
    down = np.abs(np.diff(levels, axis=0)).max(2) <= _CALM
    calm = np.ones(rgb.shape[:2], dtype=np.bool_)
    calm[:, 1:] &= right
    calm[:, :-1] &= right
    calm[1:] &= down
    calm[:-1] &= down
    return calm if calm.any() else ~calm


def _flat(means: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Find the flat colours among those of all cells: (K, 3), by area."""
    left = np.argsort(-counts, kind="stable")
    found: list[tuple[int, NDArray[np.float64]]] = []
    least = _LEAST_SHARE * counts.sum()
    while left.size:
        near = np.abs(means[left] - means[left[0]]).max(1) < _NEAR
        area = int(counts[left[near]].sum())
        # The first one is there however little it is.
        if area >= least or not found:
            found.append((area, means[left[0]]))
        left = left[~near]
        if len(found) > _MOST:
            raise InputError(
                f"has more than {_MOST} colours: a map of regions has a flat one for each"
            )
    found.sort(key=lambda each: -each[0])
    return np.stack([color for _, color in found])


def shared_colors(one: RegionMap, other: RegionMap) -> list[tuple[Color, Color]]:
    """Match the colours of two maps, each of the one with the nearest of the other, if any is."""
    pairs = []
    for color in one.colors:
        distances = np.abs(np.array(other.colors) - np.array(color)).max(1)
        if distances.min() < _NEAR:
            pairs.append((color, other.colors[int(distances.argmin())]))
    return pairs
