"""Exact tiles: a picture looked at part by part, with the loss and the gradient of the whole.

Statistics add up over positions. So those of a whole picture are found tile by tile and without
gradient; then each tile is looked at again, and the gradient of the loss with respect to the
statistics goes back through it. That is one forward pass more than a whole picture takes, and what
tiles overlap by: around its positions a tile has all the pixels that these see. Where it ends
inside of the picture, the network sees a border that is none; no position of the tile sees that.

Both are small where tiles end at a neck: a layer that is a fraction of the picture's size, and
through which all deeper ones see it. Laid side by side, the tiles' activations there are those of
the whole, which the rest of the network, whose fields are wide, looks at at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses.grid import STRIDE, Stretch, part_on_grid, places_along
from nstcli.engine.losses.statistics import LEAST_SUM, Statistic
from nstcli.engine.losses.window import layout_of, window

# Numbers of parts that are looked at for an axis: beyond, tiles are all but what is around them.
_MOST_CHOICES = 32
# The most rows and columns of pixels that a tile has of its own.
TileSize = tuple[int, int]
# What is looked at: a layer, or None for the picture itself.
_Layer = str | None


@dataclass(frozen=True)
class Tiling:
    """How a picture is looked at in tiles.

    Attributes:
        size: of a tile, at most.
        neck: the layer at which tiles end; None where they go through all of the network.
        kept: how many tiles' activations are kept from the first pass for the way back.
        share: of a step's work, what is done in tiles.
    """

    size: TileSize
    neck: str | None = None
    kept: int = 1
    share: float = 1.0

    def work(self, pixels: int, count: int, whole: int) -> float:
        """Return what a step takes, by what it would without tiles.

        There and back, and once there before, without gradient, in all tiles but those kept.

        Args:
            pixels: of all tiles, with those around.
            count: of tiles.
            whole: pixels of the picture.
        """
        passes = 3 - min(self.kept, count) / count
        return self.share * passes * pixels / (2 * whole) + 1 - self.share


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
        first: the first position there is, of each layer: that of the crop, or of the whole behind
            a neck.
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
        behind: the layers that come after the neck.
    """

    edge: int
    least: int
    wraps: bool
    sights: Mapping[_Layer, _Sight]
    means: Mapping[_Layer, bool]
    behind: Collection[_Layer]

    @cached_property
    def unit(self) -> int:
        """The pixels at whose multiples positions of all layers begin, and places."""
        return math.lcm(STRIDE, *(sight.stride for sight in self.sights.values()))

    @cached_property
    def _before(self) -> Mapping[_Layer, _Sight]:
        """What the layers see that are looked at in tiles."""
        return {name: sight for name, sight in self.sights.items() if name not in self.behind}

    @cached_property
    def _step(self) -> int:
        """The pixels at whose multiples positions of those layers begin."""
        return math.lcm(*(sight.stride for sight in self._before.values()))

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
            found[tile] = self.choice(tile)
            if len(found) == _MOST_CHOICES:
                break
        return [*found.values()]

    def choice(self, tile: int) -> _Choice:
        """Tell what comes of parts of at most so many pixels."""
        crops = [len(part.crop) for part in self.parts(tile)]
        return _Choice(tile, len(crops), max(crops), sum(crops))

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
            {
                name: 0 if name in self.behind else crop.start // sight.stride
                for name, sight in self.sights.items()
            },
            places,
            stretches,
        )

    def _crop(
        self,
        pixels: range,
        own: Mapping[_Layer, range],
        stretches: Mapping[_Layer, Stretch],
    ) -> range:
        """Return all the pixels that positions see, from where one of each layer begins."""
        start, stop = pixels.start, pixels.stop
        for name, sight in self._before.items():
            for seen in (own[name], *((stretches[name].needed,) if name in stretches else ())):
                start = min(start, seen.start * sight.stride - sight.before)
                stop = max(stop, (seen.stop - 1) * sight.stride + sight.after + 1)
        stop = max(stop, start + self.least)
        start, stop = start // self._step * self._step, -(-stop // self._step) * self._step
        if not self.wraps:
            stop = min(self.edge, stop)
            start = max(0, min(start, (stop - self.least) // self._step * self._step))
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


@dataclass(frozen=True)
class Cut:
    """How a picture may be cut, as its axes may be.

    Attributes:
        size: of a tile, at most.
        count: of tiles.
        largest: pixels of the largest one, with those around.
        pixels: those of all.
    """

    size: TileSize
    count: int
    largest: int
    pixels: int


def _cut(rows: _Choice, columns: _Choice) -> Cut:
    return Cut(
        (rows.tile, columns.tile),
        rows.count * columns.count,
        rows.largest * columns.largest,
        rows.whole * columns.whole,
    )


# What a tile cuts out, and the tile -> tensors, which add up to those of the whole.
_Look = Callable[[Tensor, "Tile"], list[Tensor]]
# The same of a part of a layer -> (N,).
_DistanceOfPart = Callable[[Tensor, "PartOfLayer"], Tensor]


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
        return self.cut_out(x, self.part_of(layer, on_grid=False), layer)

    def cut_out(self, x: Tensor, where: PartOfLayer, layer: _Layer) -> Tensor:
        """Return what it looks at of what a layer gives for the pixels cut out."""
        first = self.rows.first[layer], self.columns.first[layer]
        rows, columns = (
            slice(own.start - start, own.stop - start)
            for own, start in zip((where.rows, where.columns), first, strict=True)
        )
        return window(x, rows, columns)

    def mean(
        self, statistic: Statistic, own: Tensor, layer: _Layer, weights: Tensor | None = None
    ) -> Tensor:
        """Return the share of a statistic that is a mean over the picture, of the own positions.

        `weights` of all positions of the layer, (1 or N, 1, h, w), tell how much each counts.
        """
        if weights is None:
            return statistic.of(own) * self._share(layer)
        counting = weights[..., *self.where(layer)]
        share = counting.sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp(min=LEAST_SUM)
        value = statistic.of(own, counting)
        return value * share.view(-1, *[1] * (value.dim() - 1))

    def places(self, x: Tensor, layer: _Layer, first: tuple[int, int] | None = None) -> Tensor:
        """Bring it to the tile's places of the grid, and those beyond that were asked for.

        `first` are the row and the column that it begins with, where it is not all that there is.
        """
        rows, columns = self.rows.stretches[layer], self.columns.stretches[layer]
        first = first or (self.rows.first[layer], self.columns.first[layer])
        return part_on_grid(x, rows, columns, first)

    def part_of(self, layer: _Layer, on_grid: bool) -> PartOfLayer:
        """Return its positions of a layer, or those of which its places on the grid are made."""
        rows, columns = (
            part.stretches[layer].needed if on_grid else part.positions[layer]
            for part in (self.rows, self.columns)
        )
        return PartOfLayer(self, rows, columns)

    def own_places(self, x: Tensor) -> Tensor:
        """Leave out of what `places` returns the places beyond its own."""
        for dim, part in ((2, self.rows), (3, self.columns)):
            wider = next(iter(part.stretches.values())).wanted
            x = x.narrow(dim, part.places.start - wider.start, len(part.places))
        return x

    def canvas(self, own: Tensor, layer: str) -> Tensor:
        """Make room for what a layer has in the whole, where tiles have such as their own."""
        counts = self.rows.counts[layer], self.columns.counts[layer]
        size, layout = (*own.shape[:2], *counts), layout_of(own)
        return torch.empty(size, dtype=own.dtype, device=own.device, memory_format=layout)

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
class PartOfLayer:
    """What a tile looks at of a layer that is there in the whole.

    Attributes:
        tile: that looks.
        rows: of positions.
        columns: likewise.
    """

    tile: Tile
    rows: range
    columns: range

    def cut(self, x: Tensor) -> Tensor:
        """Copy the positions, of all that the layer has."""
        return x[..., *self._where].clone(memory_format=torch.preserve_format)

    def add(self, gradient: Tensor, own: Tensor) -> None:
        """Add to a gradient of the layer's that of what `cut` copies."""
        gradient[..., *self._where] += own

    @property
    def first(self) -> tuple[int, int]:
        """The row and the column that it begins with."""
        return self.rows.start, self.columns.start

    @property
    def _where(self) -> tuple[slice, slice]:
        return slice(self.rows.start, self.rows.stop), slice(self.columns.start, self.columns.stop)


@dataclass(frozen=True)
class Sights:
    """A picture as a network sees it along both axes: what tiles can be cut from.

    Attributes:
        rows: its axis from top to bottom.
        columns: from left to right.
        neck: where tiles end, if not at the deepest layer.
    """

    rows: _Axis
    columns: _Axis
    neck: str | None = None

    @classmethod
    def of(
        cls,
        extractor: FeatureExtractor,
        shape: Sequence[int],
        layers: Collection[_Layer],
        on_grid: Collection[_Layer] = (),
        neck: str | None = None,
    ) -> Sights:
        """Find out what each position of some layers sees of a picture (…, H, W).

        Args:
            extractor: as it will look at the picture.
            shape: of the picture.
            layers: that are looked at.
            on_grid: those that are brought to the grid of places.
            neck: where tiles are to end, if any layer comes after it.
        """
        edges = shape[-2], shape[-1]
        names = {name for name in layers if name is not None}
        behind = extractor.behind(neck, names)
        neck = neck if behind else None
        names |= {neck} if neck else set()
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
            _Axis(
                edge,
                least,
                extractor.wraps,
                {**sights, None: _Sight(1, 0, 1, edge)},
                means,
                behind,
            )
            for edge, sights in zip(edges, seen, strict=True)
        )
        return cls(rows, columns, neck)

    @property
    def pixels(self) -> int:
        """Those of the picture."""
        return self.rows.edge * self.columns.edge

    def cuts(self) -> list[Cut]:
        """List how the picture may be cut into tiles."""
        return [
            _cut(down, right) for down in self.rows.choices() for right in self.columns.choices()
        ]

    def cut(self, size: TileSize) -> Cut:
        """Tell what comes of cutting it into tiles of at most so many rows and columns."""
        return _cut(self.rows.choice(size[0]), self.columns.choice(size[1]))

    def tiles(self, size: TileSize, beyond: int = 0) -> list[Tile]:
        """Cut the picture into tiles of at most so many rows and columns of pixels.

        `beyond` places on all sides of their own are needed, too.
        """
        rows, columns = (
            axis.parts(most, beyond)
            for axis, most in zip((self.rows, self.columns), size, strict=True)
        )
        return [Tile(row, column) for row in rows for column in columns]


@dataclass(frozen=True)
class Tiles:
    """The tiles of a picture: each position of each layer is one tile's own."""

    tiles: list[Tile]
    sights: Sights
    tiling: Tiling

    @classmethod
    def of(
        cls,
        extractor: FeatureExtractor,
        shape: Sequence[int],
        layers: Collection[_Layer],
        tiling: Tiling,
        on_grid: Collection[_Layer] = (),
        beyond: int = 0,
    ) -> Tiles:
        """Cut a picture (…, H, W) into tiles; see `Sights.of` and `Sights.tiles`."""
        sights = Sights.of(extractor, shape, layers, on_grid, tiling.neck)
        return cls(sights.tiles(tiling.size, beyond), sights, tiling)

    def __iter__(self) -> Iterator[Tile]:
        return iter(self.tiles)

    def __len__(self) -> int:
        return len(self.tiles)

    @cached_property
    def largest(self) -> int:
        """The pixels of the largest one, with those around it."""
        return max(len(tile.rows.crop) * len(tile.columns.crop) for tile in self.tiles)

    @cached_property
    def whole(self) -> Tile:
        """All of the picture as one tile: what is behind the neck."""
        (tile,) = self.sights.tiles((self.sights.rows.edge, self.sights.columns.edge))
        return tile

    @property
    def work(self) -> float:
        """What a step takes, by what it would without tiles."""
        pixels = sum(len(tile.rows.crop) * len(tile.columns.crop) for tile in self.tiles)
        return self.tiling.work(pixels, len(self.tiles), self.sights.pixels)

    @property
    def neck(self) -> str | None:
        """Where they end; None where they go through all layers."""
        return self.sights.neck

    def behind(self, layer: _Layer) -> bool:
        """Tell whether a layer comes after the neck."""
        return layer in self.sights.rows.behind

    def before(self, layers: Iterable[_Layer]) -> list[str]:
        """Return those of the layers that are looked at in tiles, the neck, if any, included."""
        names = [name for name in layers if name is not None and not self.behind(name)]
        return [*names, self.neck] if self.neck else names

    def grid(self, layer: _Layer) -> tuple[int, int]:
        """Return how many rows and columns of positions a layer has in the whole picture."""
        return self.sights.rows.sights[layer].count, self.sights.columns.sights[layer].count

    def summed(self, image: Tensor, look: _Look) -> list[Tensor]:
        """Add up what `look` finds in the tiles of a picture (N, 3, H, W), with gradients.

        Where there is a neck, what it finds last is the tile's own positions there, which are
        laid side by side. The way back begins with the last tiles.
        """
        wanted = torch.is_grad_enabled() and image.requires_grad
        kept = self.tiling.kept if wanted else 0
        found: tuple[Tensor, ...] = _Summed.apply(image, look, self.tiles, kept, self.neck)
        return list(found)

    def distance_behind(
        self, x: Tensor, layer: _Layer, distance: _DistanceOfPart, on_grid: bool
    ) -> Tensor:
        """Add up a distance over the tiles of a layer that is there in the whole, with gradients.

        `on_grid` tells whether it brings them to the grid of places.
        """
        parts = [tile.part_of(layer, on_grid) for tile in self.tiles]
        result: Tensor = _SummedDistance.apply(x, distance, parts)
        return result

    @torch.no_grad()
    def activations_behind(
        self, extractor: FeatureExtractor, image: Tensor, layers: Iterable[_Layer]
    ) -> dict[str, Tensor]:
        """Return the activations of a whole picture at those of the layers after the neck."""
        behind = [name for name in layers if name is not None and self.behind(name)]
        neck = self.neck
        if neck is None or not behind:
            return {}
        (x,) = self.summed(
            image, lambda crop, tile: [tile.own(extractor(crop, [neck])[neck], neck)]
        )
        return extractor.onward(x, neck, behind)


class _Summed(Function):
    """The sum over tiles, whose gradient goes back through one tile after the other."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        look: _Look,
        tiles: Sequence[Tile],
        kept: int,
        neck: str | None,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x)
        ctx.look, ctx.tiles, ctx.neck = look, tiles, neck
        ctx.kept = []
        sums: list[Tensor] = []
        laid: Tensor | None = None
        for number, tile in enumerate(tiles):
            with torch.set_grad_enabled(number >= len(tiles) - kept):
                crop = tile.cut(x.detach()).requires_grad_(torch.is_grad_enabled())
                own = look(crop, tile)
            if crop.requires_grad:
                ctx.kept.append((crop, own))
            values = [each.detach() for each in own]
            if neck:
                *values, at_neck = values
                laid = tile.canvas(at_neck, neck) if laid is None else laid
                laid[..., *tile.where(neck)] = at_neck
            sums = [a + b for a, b in zip(sums, values, strict=True)] if sums else values
        return tuple(sums) if laid is None else (*sums, laid)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (x,) = ctx.saved_tensors
        total = torch.zeros_like(x)
        for tile in reversed(ctx.tiles):
            if ctx.kept:
                crop, own = ctx.kept.pop()
            else:
                with torch.enable_grad():
                    crop = tile.cut(x.detach()).requires_grad_()
                    own = ctx.look(crop, tile)
            wanted = [*gradients]
            if ctx.neck:
                wanted[-1] = wanted[-1][..., *tile.where(ctx.neck)]
            pairs = [
                (value, gradient)
                for value, gradient in zip(own, wanted, strict=True)
                if value.requires_grad
            ]
            del own
            values, given = zip(*pairs, strict=True)
            del pairs
            (back,) = torch.autograd.grad(values, crop, given)
            del values
            tile.add(total, back)
            del crop, back
        return total, None, None, None, None


class _SummedDistance(Function):
    """The sum over parts of a distance, one for each picture, whose gradient is found at once.

    Whatever weighs the sum multiplies it. So no part is looked at twice.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, distance: _DistanceOfPart, parts: Sequence[PartOfLayer]
    ) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        gradient = torch.zeros_like(x) if wanted else None
        distances = []
        for part in parts:
            own = part.cut(x.detach()).requires_grad_(wanted)
            with torch.set_grad_enabled(wanted):
                found = distance(own, part)
            distances.append(found.detach())
            if gradient is not None:
                (back,) = torch.autograd.grad(found, own, torch.ones_like(found))
                part.add(gradient, back)
                del back
            del own, found
        ctx.save_for_backward(gradient)
        return torch.stack(distances).sum(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * weight.to(gradient.dtype).view(-1, 1, 1, 1), None, None


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
