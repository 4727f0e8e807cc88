"""Which scales of a pair are looked at in tiles, and in which: by memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

from nstcli.engine.memory import InTiles, Needs
from nstcli.engine.tiling import Sights, Tiling

# `auto`, the longest edge of a tile in pixels, or `off`.
Wanted = int | Literal["auto", "off"]
Shape = tuple[int, int]


class Seeing(Protocol):
    """Tells what a network sees of a picture of some shape, in tiles that end at a layer."""

    def __call__(self, shape: Shape, *, neck: str | None) -> Sights:
        """Return it."""


# The share of the memory left over that tiles may be kept in, to spare a pass. The rest is for
# other programs.
_SPARE = 0.5


@dataclass(frozen=True)
class Chosen:
    """How a pair is looked at.

    Attributes:
        tilings: of each scale; None for all of it at once.
        style: of its artworks, likewise.
        peak: the bytes that it will take.
        work: of a step at each scale, by that without tiles.
    """

    tilings: tuple[Tiling | None, ...]
    style: Tiling | None
    peak: float
    work: tuple[float, ...]


@dataclass(frozen=True)
class _Option:
    """A way to look at a scale; attributes as above."""

    tiling: Tiling | None
    peak: float
    work: float = 1.0


def chosen(
    needed: Needs,
    scales: Sequence[Shape],
    style: Shape,
    wanted: Wanted,
    free: float,
    ways: Callable[[], Sequence[InTiles]],
    sights: Seeing,
) -> Chosen:
    """Choose the tiles of a pair.

    `auto` has them at the scales that would not fit otherwise, such as cost least work. A number
    has them wherever a picture is longer. What does not fit either has a larger peak.

    Args:
        needed: by the pair.
        scales: (H, W) of each, from coarse to fine.
        style: (H, W) of the largest artwork.
        wanted: by the user.
        free: bytes that there are.
        ways: returns what is needed in tiles, by the layers that these may end at.
        sights: by what the network sees of a picture.
    """
    largest = max(map(_pixels, scales))
    growing = max(needed.of_content(largest), needed.of_style(_pixels(style)))
    count = len(scales)
    whole = Chosen((None,) * count, None, needed.fixed + growing, (1.0,) * count)
    if wanted == "off" or not needed.tiled or (wanted == "auto" and whole.peak <= free):
        return whole
    sights = cache(sights)
    measured = ways()
    held = max(way.held for way in measured) * largest
    options = []
    for shape in scales:
        at_once = _Option(None, needed.fixed + held + needed.of_content(_pixels(shape)))
        fits = max(shape) <= wanted if isinstance(wanted, int) else at_once.peak <= free
        if fits:
            options.append(at_once)
        else:
            options.append(_best(measured, held, shape, wanted, free, sights))
    tilings = tuple(each.tiling for each in options)
    peaks = [each.peak for each in options]
    to_read = needed.fixed + held + needed.of_style(_pixels(style))
    of_style = None if to_read <= free and wanted == "auto" else tilings[-1]
    if of_style:
        way = next(way for way in measured if way.neck == of_style.neck)
        tile = sights(style, neck=way.neck).cut(of_style.size).largest
        to_read = way.fixed + held + way.at_work(_pixels(style), tile)
    work = tuple(each.work for each in options)
    in_tiles = Chosen(tilings, of_style, max(*peaks, to_read), work)
    # Of small pictures, what is fixed is most.
    return whole if wanted == "auto" and whole.peak <= in_tiles.peak else in_tiles


def _pixels(shape: Shape) -> int:
    return shape[0] * shape[1]


def _best(
    ways: Sequence[InTiles],
    held: float,
    shape: Shape,
    wanted: Wanted,
    free: float,
    sights: Seeing,
) -> _Option:
    """Return what costs least work of all that fits, or takes least memory where nothing does."""
    options = [
        option for way in ways for option in _options(way, held, shape, wanted, free, sights)
    ]
    fitting = [option for option in options if option.peak <= free]
    if fitting:
        return min(fitting, key=lambda option: option.work)
    return min(options, key=lambda option: option.peak)


def _options(
    way: InTiles,
    held: float,
    shape: Shape,
    wanted: Wanted,
    free: float,
    sights: Seeing,
) -> Iterator[_Option]:
    """List the tiles that end at one layer."""
    seen, pixels = sights(shape, neck=way.neck), _pixels(shape)
    there = way.fixed + held + way.picture * pixels
    # The way back begins with the last tile, unless all that is behind the neck comes before.
    last = 0 if way.neck else 1
    for cut in [seen.cut((wanted, wanted))] if isinstance(wanted, int) else seen.cuts():
        at_work, each = way.at_work(pixels, cut.largest), way.tile * cut.largest
        more = 0
        if wanted == "auto":
            spare = max(0.0, _SPARE * (free - there - at_work))
            more = int(min(cut.count - last, spare / each))
        tiling = Tiling(cut.size, way.neck, last + more, way.share)
        work = tiling.work(cut.pixels, cut.count, pixels)
        yield _Option(tiling, there + at_work + more * each, work)
