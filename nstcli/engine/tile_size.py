"""Which scales of a pair are looked at in tiles, and how large these are: by memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from nstcli.engine.memory import InTiles, Needs
from nstcli.engine.tiling import Sights, TileSize

# `auto`, the longest edge of a tile in pixels, or `off`.
Wanted = int | Literal["auto", "off"]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Chosen:
    """How a pair is looked at.

    Attributes:
        tiles: of each scale; None for all of it at once.
        style: of its artworks, likewise.
        peak: the bytes that it will take.
        work: of a step at each scale, by that without tiles.
    """

    tiles: tuple[TileSize | None, ...]
    style: TileSize | None
    peak: float
    work: tuple[float, ...]


def chosen(
    needed: Needs,
    scales: Sequence[Shape],
    style: Shape,
    wanted: Wanted,
    free: float,
    sights: Callable[[Shape], Sights],
) -> Chosen:
    """Choose the tiles of a pair.

    `auto` has them at the scales that would not fit otherwise, of the size that costs least work. A
    number has them wherever a picture is longer. What does not fit either has a larger peak.

    Args:
        needed: by the pair.
        scales: (H, W) of each, from coarse to fine.
        style: (H, W) of the largest artwork.
        wanted: by the user.
        free: bytes that there are.
        sights: returns what the network sees of a picture of some shape.
    """
    largest = max(map(_pixels, scales))
    growing = max(needed.of_content(largest), needed.of_style(_pixels(style)))
    count = len(scales)
    whole = Chosen((None,) * count, None, needed.fixed + growing, (1.0,) * count)
    tiled = needed.in_tiles
    if wanted == "off" or tiled is None or (wanted == "auto" and whole.peak <= free):
        return whole
    sights = cache(sights)
    held = tiled.held * largest
    sizes: list[TileSize | None] = []
    peaks = []
    for shape in scales:
        alone = needed.fixed + held + needed.of_content(_pixels(shape))
        size: TileSize | None
        if isinstance(wanted, int):
            size = (wanted, wanted) if max(shape) > wanted else None
        else:
            size = None if alone <= free else _fitting(tiled, held, shape, free, sights)
        sizes.append(size)
        peaks.append(alone if size is None else _peak(tiled, held, shape, size, sights))
    to_read = needed.fixed + held + needed.of_style(_pixels(style))
    of_style = None if to_read <= free and wanted == "auto" else sizes[-1]
    if of_style:
        to_read = tiled.fixed + held + tiled.tile * sights(style).tiles(of_style).largest
    work = [
        sights(shape).tiles(size).work if size else 1.0
        for shape, size in zip(scales, sizes, strict=True)
    ]
    in_tiles = Chosen(tuple(sizes), of_style, max(*peaks, to_read), tuple(work))
    # Of small pictures, what is fixed is most.
    return whole if wanted == "auto" and whole.peak <= in_tiles.peak else in_tiles


def _pixels(shape: Shape) -> int:
    return shape[0] * shape[1]


def _fitting(
    tiled: InTiles, held: float, shape: Shape, free: float, sights: Callable[[Shape], Sights]
) -> TileSize:
    left = free - tiled.fixed - held - tiled.picture * _pixels(shape)
    return sights(shape).fitting(left / tiled.tile)


def _peak(
    tiled: InTiles, held: float, shape: Shape, size: TileSize, sights: Callable[[Shape], Sights]
) -> float:
    of_tile = tiled.tile * sights(shape).tiles(size).largest
    return tiled.fixed + held + tiled.picture * _pixels(shape) + of_tile
