"""Exact tiles: a picture looked at part by part, with the loss and the gradient of the whole.

Statistics add up over positions. So those of a whole picture are found tile by tile and without
gradient; then each tile is looked at again, and the gradient of the loss with respect to the
statistics goes back through it. That is one forward pass more than a whole picture takes, and what
tiles overlap by: around its positions a tile has all the pixels that these see. Where it ends
inside of the picture, the network sees a border that is none; no position of the tile sees that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses.grid import STRIDE, Stretch, part_on_grid, places_along
from nstcli.engine.losses.statistics import LEAST_SUM, Statistic

# Numbers of parts that are looked at for an axis: beyond, tiles are all but what is around them.
_MOST_CHOICES = 32
# The most rows and columns of pixels that a tile has of its own.
TileSize = tuple[int, int]
# What is looked at: a layer, or None for the picture itself.
_Layer = str | None
# (pixels of a tile, the tile) -> tensors, which add up to those of the whole picture.
Look = Callable[[Tensor, "Tile"], list[Tensor]]


@dataclass(frozen=True)
class _Sight:
    """What the positions of a layer see along one axis.

    Position p sees no pixel before p · stride − before, and none behind p · stride + after.
    """

    stride: int
    before: int
    after: int
    count: int


@dataclass(frozen=True)
class _Part:
    """A tile along one axis.

    Attributes:
        pixels: its own.
        crop: those that are cut out; beyond a border where pictures wrap.
        positions: its own, of each layer.
        counts: of positions in the whole, of each layer.
        first: what a crop's first position is in the whole, of each layer.
        places: its own, of the grid.
        stretches: the same, as they are made of the positions of each layer.
    """

    pixels: range
    crop: range
    positions: Mapping[_Layer, range]
    counts: Mapping[_Layer, int]
    first: Mapping[_Layer, int]
    places: range
    stretches: Mapping[_Layer, Stretch]


@dataclass(frozen=True)
class _Axis:
    """One axis of a picture, as a network sees it.

    Attributes:
        edge: in pixels.
        least: pixels that the network needs.
        wraps: whether what is behind the last pixel is the first.
        sights: of each layer, the picture itself included.
        means: whether a layer comes to the grid of places by means.
    """

    edge: int
    least: int
    wraps: bool
    sights: Mapping[_Layer, _Sight]
    means: Mapping[_Layer, bool]

    @property
    def unit(self) -> int:
        """The pixels at whose multiples positions of all layers begin, and places."""
        return math.lcm(STRIDE, *(sight.stride for sight in self.sights.values()))

    def parts(self, tile: int, beyond: int = 0) -> list[_Part]:
        """Cut the axis into parts of about one length, of no more than `tile` pixels if it can be.

        `beyond` places on both sides of their own are needed, too.
        """
        units = -(-self.edge // self.unit)
        count = min(units, -(-units // max(1, tile // self.unit)))
        if tile >= self.edge or (self.wraps and self.edge % self.unit):
            count = 1  # positions behind the border are not where those of the other end are
        starts = [number * units // count * self.unit for number in range(count)]
        least = [(places_along(self.edge), STRIDE)]
        least += [(sight.count, sight.stride) for sight in self.sights.values()]
        # Of the last pixels, deep layers may have no position.
        starts = [s for s in starts if all(s // stride < number for number, stride in least)]
        ends = [*starts[1:], self.edge]
        found = [
            self._part(range(start, end), beyond) for start, end in zip(starts, ends, strict=True)
        ]
        if len(found) > 1 and all(len(part.crop) == self.edge for part in found):
            return self.parts(self.edge, beyond)  # where all is seen, tiles save nothing
        return found

    def choices(self) -> list[_Choice]:
        """List in how many parts the axis may be cut, which are few where they are many pixels."""
        units = -(-self.edge // self.unit)
        found: dict[int, _Choice] = {}
        for wanted in range(1, units + 1):
            tile = -(-units // wanted) * self.unit
            if tile in found:
                continue
            crops = [len(part.crop) for part in self.parts(tile)]
            found[tile] = _Choice(tile, len(crops), max(crops), sum(crops))
            if len(found) == _MOST_CHOICES:
                break
        return [*found.values()]

    def _own(self, pixels: range, stride: int, count: int) -> range:
        """Return the positions, of so many in the whole, that are those of a range of pixels."""
        last = pixels.stop == self.edge
        return range(pixels.start // stride, count if last else pixels.stop // stride)

    def _part(self, pixels: range, beyond: int) -> _Part:
        own = {name: self._own(pixels, s.stride, s.count) for name, s in self.sights.items()}
        all_places = places_along(self.edge)
        places = self._own(pixels, STRIDE, all_places)
        wider = range(max(0, places.start - beyond), min(all_places, places.stop + beyond))
        stretches = {
            name: Stretch(self.sights[name].count, all_places, wider, means)
            for name, means in self.means.items()
        }
        crop = self._crop(pixels, own, stretches)
        return _Part(
            pixels,
            crop,
            own,
            {name: sight.count for name, sight in self.sights.items()},
            {name: crop.start // sight.stride for name, sight in self.sights.items()},
            places,
            stretches,
        )

    def _crop(
        self,
        pixels: range,
        own: Mapping[_Layer, range],
        stretches: Mapping[_Layer, Stretch],
    ) -> range:
        """Return all the pixels that positions see, from a multiple of the unit on."""
        start, stop = pixels.start, pixels.stop
        for name, sight in self.sights.items():
            for seen in (own[name], *((stretches[name].needed,) if name in stretches else ())):
                start = min(start, seen.start * sight.stride - sight.before)
                stop = max(stop, (seen.stop - 1) * sight.stride + sight.after + 1)
        stop = max(stop, start + self.least)
        start, stop = start // self.unit * self.unit, -(-stop // self.unit) * self.unit
        if not self.wraps:
            stop = min(self.edge, stop)
            start = max(0, min(start, (stop - self.least) // self.unit * self.unit))
        return range(start, stop) if stop - start < self.edge else range(self.edge)


@dataclass(frozen=True)
class _Choice:
    """How an axis may be cut: the most pixels of a part, and what comes of it.

    Attributes:
        tile: pixels of a part's own, at most.
        count: parts.
        largest: pixels of the longest one, with those around.
        whole: those of all.
    """

    tile: int
    count: int
    largest: int
    whole: int


def _work(pixels: int, count: int) -> float:
    """Count the passes over pixels, one way, that one gradient takes by so many tiles.

    There and back, and once there before, without gradient, in all tiles but the last.
    """
    return pixels * (3 - 1 / count)


@dataclass(frozen=True)
class Tile:
    """A part of a picture (N, C, H, W), with the pixels around it that its positions see."""

    rows: _Part
    columns: _Part

    def cut(self, image: Tensor) -> Tensor:
        """Copy the pixels of the tile, and those around."""
        for dim, part in ((2, self.rows), (3, self.columns)):
            if part.crop.start >= 0 and part.crop.stop <= image.shape[dim]:
                image = image.narrow(dim, part.crop.start, len(part.crop))
            else:
                around = torch.arange(part.crop.start, part.crop.stop, device=image.device)
                image = image.index_select(dim, around % image.shape[dim])
        return image.clone(memory_format=torch.contiguous_format)

    def add(self, gradient: Tensor, own: Tensor) -> None:
        """Add to the gradient of a picture that of the pixels which `cut` copies."""
        for i, down in _segments(self.rows.crop, gradient.shape[2]):
            for j, right in _segments(self.columns.crop, gradient.shape[3]):
                gradient[:, :, down, right] += own[:, :, i, j]

    def own(self, x: Tensor, layer: _Layer) -> Tensor:
        """Of what a layer gives for the pixels cut out, return the tile's own positions."""
        rows, columns = (
            slice(own.start - first, own.stop - first)
            for own, first in (
                (part.positions[layer], part.first[layer]) for part in (self.rows, self.columns)
            )
        )
        return x[..., rows, columns]

    def mean(
        self, statistic: Statistic, x: Tensor, layer: _Layer, weights: Tensor | None = None
    ) -> Tensor:
        """Return the tile's share of a statistic that is a mean over the whole picture.

        `weights` of all positions of the layer, (1 or N, 1, h, w), tell how much each counts.
        """
        own = self.own(x, layer)
        if weights is None:
            return statistic.of(own) * self._share(layer)
        counting = weights[..., *self.where(layer)]
        share = counting.sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp(min=LEAST_SUM)
        value = statistic.of(own, counting)
        return value * share.view(-1, *[1] * (value.dim() - 1))

    def places(self, x: Tensor, layer: str) -> Tensor:
        """Bring it to the tile's places of the grid, and those beyond that were asked for."""
        rows, columns = self.rows.stretches[layer], self.columns.stretches[layer]
        first = self.rows.first[layer], self.columns.first[layer]
        return part_on_grid(x, rows, columns, first)

    def own_places(self, x: Tensor) -> Tensor:
        """Leave out of what `places` returns the places beyond its own."""
        for dim, part in ((2, self.rows), (3, self.columns)):
            wider = next(iter(part.stretches.values())).wanted
            x = x.narrow(dim, part.places.start - wider.start, len(part.places))
        return x

    def where(self, layer: _Layer) -> tuple[slice, slice]:
        """Return its own positions of a layer, as rows and columns of the whole."""
        rows, columns = self.rows.positions[layer], self.columns.positions[layer]
        return slice(rows.start, rows.stop), slice(columns.start, columns.stop)

    def _share(self, layer: _Layer) -> float:
        """Return the share of all positions of a layer that are its own."""
        own = [part.positions[layer] for part in (self.rows, self.columns)]
        whole = [part.counts[layer] for part in (self.rows, self.columns)]
        return math.prod(map(len, own)) / math.prod(whole)

    @property
    def where_on_grid(self) -> tuple[slice, slice]:
        """Its own places, as rows and columns of the whole grid."""
        rows, columns = self.rows.places, self.columns.places
        return slice(rows.start, rows.stop), slice(columns.start, columns.stop)


@dataclass(frozen=True)
class Sights:
    """A picture as a network sees it along both axes: what tiles can be cut from."""

    rows: _Axis
    columns: _Axis

    @classmethod
    def of(
        cls,
        extractor: FeatureExtractor,
        shape: Sequence[int],
        layers: Collection[_Layer],
        on_grid: Collection[_Layer] = (),
    ) -> Sights:
        """Find out what each position of some layers sees of a picture (…, H, W).

        Args:
            extractor: as it will look at the picture.
            shape: of the picture.
            layers: that are looked at.
            on_grid: those that are brought to the grid of places.
        """
        edges = shape[-2], shape[-1]
        names = {name for name in layers if name is not None}
        seen = [_sights(extractor, edge, names, axis) for axis, edge in enumerate(edges)]
        means = {
            name: any(
                sights[name].count > places_along(edge)
                for sights, edge in zip(seen, edges, strict=True)
            )
            for name in on_grid
        }
        least = extractor.backbone.minimum_size
        rows, columns = (
            _Axis(edge, least, extractor.wraps, {**sights, None: _Sight(1, 0, 1, edge)}, means)
            for edge, sights in zip(edges, seen, strict=True)
        )
        return cls(rows, columns)

    def fitting(self, most: float) -> TileSize:
        """Return the tiles of at most so many pixels, with those around, that cost least work.

        Where none are so small, the smallest there are.
        """
        rows, columns = (axis.choices() for axis in (self.rows, self.columns))
        pairs = [(down, right) for down in rows for right in columns]
        small = [pair for pair in pairs if pair[0].largest * pair[1].largest <= most]
        if not small:
            down, right = min(pairs, key=lambda pair: pair[0].largest * pair[1].largest)
        else:
            down, right = min(
                small,
                key=lambda pair: _work(
                    pair[0].whole * pair[1].whole, pair[0].count * pair[1].count
                ),
            )
        return down.tile, right.tile

    def tiles(self, size: TileSize, beyond: int = 0) -> Tiles:
        """Cut the picture into tiles of at most so many rows and columns of pixels.

        `beyond` places on all sides of their own are needed, too.
        """
        rows, columns = (
            axis.parts(most, beyond)
            for axis, most in zip((self.rows, self.columns), size, strict=True)
        )
        return Tiles([Tile(row, column) for row in rows for column in columns], self)


@dataclass(frozen=True)
class Tiles:
    """The tiles of a picture: each position of each layer is one tile's own."""

    tiles: list[Tile]
    sights: Sights

    def __iter__(self) -> Iterator[Tile]:
        return iter(self.tiles)

    def __len__(self) -> int:
        return len(self.tiles)

    @cached_property
    def largest(self) -> int:
        """The pixels of the largest one, with those around it."""
        return max(len(tile.rows.crop) * len(tile.columns.crop) for tile in self.tiles)

    @cached_property
    def work(self) -> float:
        """What a gradient takes, by what it would of the whole picture at once."""
        pixels = sum(len(tile.rows.crop) * len(tile.columns.crop) for tile in self.tiles)
        whole = self.sights.rows.edge * self.sights.columns.edge
        return _work(pixels, len(self.tiles)) / _work(whole, 1)

    def grid(self, layer: _Layer) -> tuple[int, int]:
        """Return how many rows and columns of positions a layer has in the whole picture."""
        return self.sights.rows.sights[layer].count, self.sights.columns.sights[layer].count

    def summed(self, image: Tensor, look: Look) -> list[Tensor]:
        """Add up what `look` finds in the tiles of a picture (N, 3, H, W), with gradients.

        Nothing of a tile is kept but the last one's, for which the way back begins with it.
        """
        keep = torch.is_grad_enabled() and image.requires_grad
        found: tuple[Tensor, ...] = _Summed.apply(image, look, self.tiles, keep)
        return list(found)


class _Summed(Function):
    """The sum over tiles, whose gradient goes back through one tile after the other."""

    @staticmethod
    def forward(
        ctx: Any, image: Tensor, look: Look, tiles: Sequence[Tile], keep: bool
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(image)
        ctx.look, ctx.tiles, ctx.last = look, tiles, None
        found: list[Tensor] = []
        for tile in tiles:
            with torch.set_grad_enabled(keep and tile is tiles[-1]):
                crop = tile.cut(image).requires_grad_(torch.is_grad_enabled())
                own = look(crop, tile)
            if crop.requires_grad:
                ctx.last = crop, own
            values = [each.detach() for each in own]
            found = [a + b for a, b in zip(found, values, strict=True)] if found else values
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (image,) = ctx.saved_tensors
        total = torch.zeros_like(image)
        for tile in reversed(ctx.tiles):
            if ctx.last is None:
                with torch.enable_grad():
                    crop = tile.cut(image).requires_grad_()
                    own = ctx.look(crop, tile)
            else:
                (crop, own), ctx.last = ctx.last, None
            pairs = [
                (value, gradient)
                for value, gradient in zip(own, gradients, strict=True)
                if value.requires_grad
            ]
            del own
            values, given = zip(*pairs, strict=True)
            del pairs
            (back,) = torch.autograd.grad(values, crop, given)
            del values
            tile.add(total, back)
            del crop, back
        return total, None, None, None


def _segments(crop: range, edge: int) -> Iterator[tuple[slice, slice]]:
    """Part a crop that may reach beyond borders: where in it, and where in the picture."""
    at = crop.start
    while at < crop.stop:
        end = min(crop.stop, (at // edge + 1) * edge)
        there = at % edge
        yield slice(at - crop.start, end - crop.start), slice(there, there + end - at)
        at = end


@torch.no_grad()
def _sights(
    extractor: FeatureExtractor, edge: int, layers: Collection[str], axis: int
) -> dict[_Layer, _Sight]:
    """Find out what layers see along an axis of so many pixels; 0 are the rows.

    In a strip, one line is not a number, and neither is any activation that sees it.
    """
    known = {name: extractor.layer(name) for name in layers}
    unit = math.lcm(*(layer.stride for layer in known.values()))
    field = max((layer.receptive_field for layer in known.values()), default=0)
    least = extractor.backbone.minimum_size
    # As long as to keep the line's traces from both ends, and of the same remainder as the edge.
    middle = -(-(max(field, least) + unit) // unit) * unit
    length = min(edge, edge % unit + 2 * middle + unit)
    middle = min(middle, length // 2 // unit * unit)
    strip = torch.full((1, 3, least, length), 0.5)
    strip[..., middle] = math.nan
    if axis == 0:
        strip = strip.mT.contiguous()
    found: dict[_Layer, _Sight] = {}
    for name, x in extractor(strip.to(extractor.gain.device), layers).items():
        stride, count = known[name].stride, x.shape[2 + axis]
        # What has no values, on the meta device, might see everything.
        seen = [] if x.is_meta else x.isnan().any(1).any(2 - axis)[0].nonzero()[:, 0].tolist()
        whole = count + (edge - length) // stride
        if not seen or seen[0] == 0 or seen[-1] == count - 1:
            found[name] = _Sight(stride, edge, edge, whole)
        else:
            at = middle // stride
            more = stride - 1
            before, after = (seen[-1] - at) * stride + more, (at - seen[0]) * stride + more
            found[name] = _Sight(stride, before, after, whole)
    return found
