"""Which place of the style goes where in the picture: nearest neighbours in a network's features.

After Kolkin et al. 2022 ("Neural Neighbor Style Transfer"), section 3: places are compared by the
activations of several layers, side by side (a hypercolumn), centred, by cosine. Unlike there, a
place counts by how much the content shows at it: what a clear sky is matched with is no better than
another brush stroke, and it would hold all of the sky to that one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Target
from nstcli.engine.losses.grid import STRIDE, on_grid, places_along
from nstcli.engine.losses.statistics import full_precision
from nstcli.engine.masks import pooled
from nstcli.engine.targets import Artwork
from nstcli.engine.tiling import Tile, Tiles, Tiling

# A style is offered as it is and turned by a quarter, a half and three.
_TURNS = 4
# How much of the content is in the picture that places are sought for; the rest is what has been
# painted at coarser scales.
_CONTENT_SHARE = 0.75
# A place whose neighbourhood varies by this share of the whole content's variance counts half.
_HALF_DETAIL = 0.1
# Places of a style, its quarter turns included, beyond which so many are drawn: those of 256 px
# square. Neighbours look alike, and what each adds costs as much as the first.
_MOST_PLACES = 2**14
OFFERED_PIXELS = _MOST_PLACES * STRIDE**2 // _TURNS
# Similarities that are there at a time.
_BLOCK = 2**22


def bytes_per_pixel(channels: int, value_bytes: int) -> float:
    """Return what each pixel of a style takes at most, its places as read and to be compared."""
    return 2 * channels * value_bytes * _TURNS / STRIDE**2


@torch.no_grad()
def matched(
    extractor: FeatureExtractor,
    content: Tensor,
    artworks: Sequence[Artwork],
    painted: Tensor | None,
    layers: Mapping[str, float],
    region: Tensor | None = None,
    tiling: Tiling | None = None,
) -> dict[str, Target]:
    """Find for every place of the content the most similar one of the style, or of its turns.

    Args:
        extractor: whose features are compared.
        content: (1, 3, H, W), RGB in [0, 1].
        artworks: the images of the style; they offer places in proportion to their shares.
        painted: (1, 3, H, W), the picture so far; None where there is none yet.
        layers: that are compared, with their relative weights.
        region: a mask (1, 1, H, W) of the places that matter: what is usual for a place of the
            content is what is usual there.
        tiling: how pictures are looked at in tiles; None for all at once.

    Returns:
        For every layer, the activations of all the style's places, (M, C), and which of them were
        found, (1, H/4, W/4), weighted by the detail of the content there.
    """
    if tiling:
        return _matched_in_tiles(extractor, content, artworks, painted, layers, region, tiling)
    height, width = _grid(content)
    sought = _places(extractor, content, layers)
    spreads = {layer: _Spread.of(values) for layer, values in sought.items()}
    detail = _detail(_as_maps(sought, height, width), spreads, layers)
    if painted is not None:
        mixture = torch.lerp(painted, content, _CONTENT_SHARE)
        sought = _places(extractor, mixture, layers)
    offered = _offered(extractor, artworks, layers)
    within = None if region is None else pooled(region, (height, width)).view(-1, 1)
    spreads = {layer: _Spread.of(values, within) for layer, values in sought.items()}
    found = _Offer(offered, layers).nearest(sought, spreads)
    rows = found.view(height, width)
    return {layer: Target.of_rows(values, rows, detail) for layer, values in offered.items()}


def _matched_in_tiles(
    extractor: FeatureExtractor,
    content: Tensor,
    artworks: Sequence[Artwork],
    painted: Tensor | None,
    layers: Mapping[str, float],
    region: Tensor | None,
    tiling: Tiling,
) -> dict[str, Target]:
    """Do what `matched` does, tile by tile; once before, for what is usual in the whole."""
    height, width = _grid(content)
    # The detail at a place is that among its neighbours.
    tiles = Tiles.of(extractor, content.shape, layers, tiling, layers, beyond=1)
    within = None if region is None else pooled(region, (height, width))

    def places(of: Tile, image: Tensor, behind: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = behind | extractor(of.cut(image), tiles.before(layers))
        return {layer: of.places(found[layer], layer) for layer in layers}

    def usual(
        image: Tensor, behind: Mapping[str, Tensor], within: Tensor | None = None
    ) -> dict[str, _Spread]:
        spreads = {layer: _Spread.none(content) for layer in layers}
        for each in tiles:
            counting = None if within is None else within[..., *each.where_on_grid].reshape(-1, 1)
            for layer, x in places(each, image, behind).items():
                spreads[layer] += _Spread.of(_as_rows(each.own_places(x)), counting)
        return spreads

    detail = torch.empty(1, 1, height, width, device=content.device)
    behind = tiles.activations_behind(extractor, content, layers)
    spreads = usual(content, behind)
    for each in tiles:
        shown = places(each, content, behind)
        detail[..., *each.where_on_grid] = each.own_places(_detail(shown, spreads, layers))
    mixture = content
    if painted is not None:
        mixture = torch.lerp(painted, content, _CONTENT_SHARE)
        behind = tiles.activations_behind(extractor, mixture, layers)
    if painted is not None or within is not None:
        spreads = usual(mixture, behind, within)
    offered = _offered(extractor, artworks, layers, tiling)
    offer = _Offer(offered, layers)
    rows = torch.empty(height, width, dtype=torch.long, device=content.device)
    for each in tiles:
        sought = places(each, mixture, behind)
        own = {layer: _as_rows(each.own_places(x)) for layer, x in sought.items()}
        found = offer.nearest(own, spreads)
        rows[each.where_on_grid] = found.view(len(each.rows.places), -1)
    return {layer: Target.of_rows(values, rows, detail) for layer, values in offered.items()}


@dataclass(frozen=True)
class _Spread:
    """What is usual for some places.

    Attributes:
        mean: of their vectors, (C,).
        square: mean squared distance from it.
        weight: how much the places count together.
    """

    mean: Tensor
    square: Tensor
    weight: Tensor

    @classmethod
    def of(cls, places: Tensor, within: Tensor | None = None) -> _Spread:
        """Measure vectors (M, C), each of which counts as `within` says, (M, 1)."""
        values = full_precision(places)
        if within is None:
            mean = values.mean(0)
            square = (values - mean).square().sum(1).mean()
            return cls(mean, square, mean.new_tensor(float(len(values))))
        within = within.to(values.dtype)
        weight = within.sum()
        shares = within / weight.clamp(min=1e-15)
        mean = (shares * values).sum(0)
        return cls(mean, (shares * (values - mean).square()).sum(), weight)

    @classmethod
    def none(cls, like: Tensor) -> _Spread:
        """Begin with no place, on the device of a picture."""
        nothing = like.new_zeros(())
        return cls(nothing, nothing, nothing)

    def __add__(self, other: _Spread) -> _Spread:
        """Take other places to these (Chan, Golub, LeVeque 1979)."""
        weight = self.weight + other.weight
        share = other.weight / weight.clamp(min=1e-15)
        apart = other.mean - self.mean
        between = share * (1 - share) * apart.square().sum()
        square = torch.lerp(self.square, other.square, share) + between
        return _Spread(self.mean + share * apart, square, weight)

    def standardized(self, places: Tensor, weight: float) -> Tensor:
        """Centre vectors (M, C) of a layer and divide them by their size.

        So a layer counts as its weight says, on every network; the paper divides by its channels.
        """
        size = self.square.sqrt().clamp(min=1e-15)
        return ((full_precision(places) - self.mean) * (math.sqrt(weight) / size)).to(places.dtype)


def _as_maps(places: Mapping[str, Tensor], height: int, width: int) -> dict[str, Tensor]:
    """Turn vectors (h · w, C) of layers into maps (1, C, h, w)."""
    return {
        layer: values.view(1, height, width, -1).permute(0, 3, 1, 2)
        for layer, values in places.items()
    }


def _as_rows(x: Tensor) -> Tensor:
    """Turn maps (1, C, h, w) into vectors (h · w, C)."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def _detail(
    places: Mapping[str, Tensor], usual: Mapping[str, _Spread], layers: Mapping[str, float]
) -> Tensor:
    """Return what the content shows at each place: (1, C, h, w) of layers -> (1, 1, h, w).

    With v the variance of the activations among a place and its eight neighbours, as a share of
    that of the whole layer, in the mean over the layers: v / (v + 0.1), between 0 and 1.
    """
    first = places[next(iter(layers))]
    shares = first.new_zeros(1, 1, *first.shape[-2:], dtype=torch.float32)
    for layer, weight in layers.items():
        x = full_precision(places[layer]) - usual[layer].mean.view(1, -1, 1, 1)
        whole = usual[layer].square.clamp(min=1e-30)
        around = avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)
        squares = avg_pool2d(
            x.square().sum(1, keepdim=True), 3, 1, padding=1, count_include_pad=False
        )
        variance = (squares - around.square().sum(1, keepdim=True)).clamp(min=0)
        shares += weight / sum(layers.values()) * variance / whole
    return shares / (shares + _HALF_DETAIL)


def _grid(image: Tensor) -> tuple[int, int]:
    height, width = map(places_along, image.shape[-2:])
    return height, width


def _places(extractor: FeatureExtractor, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """Read an image place by place: (1, 3, H, W) -> (H/4 · W/4, C) of every layer."""
    found = extractor(image, layers)
    return {layer: _as_rows(on_grid(found[layer], *_grid(image))) for layer in layers}


def _some_places(
    extractor: FeatureExtractor,
    image: Tensor,
    layers: Collection[str],
    wanted: Tensor,
    tiling: Tiling | None,
) -> dict[str, Tensor]:
    """Read places of an image, by their numbers, (M,): (1, 3, H, W) -> (M, C) of every layer."""
    tiles = Tiles.of(extractor, image.shape, layers, tiling, layers) if tiling else None
    if tiles is None or len(tiles) == 1:
        return {
            layer: values[wanted] for layer, values in _places(extractor, image, layers).items()
        }
    _, width = _grid(image)
    rows, columns = wanted // width, wanted % width
    found: dict[str, Tensor] = {}
    behind = tiles.activations_behind(extractor, image, layers)
    for each in tiles:
        down, right = each.where_on_grid
        inside = (rows >= down.start) & (rows < down.stop)
        inside &= (columns >= right.start) & (columns < right.stop)
        if not inside.any():
            continue
        activations = behind | extractor(each.cut(image), tiles.before(layers))
        at = rows[inside] - down.start, columns[inside] - right.start
        for layer in layers:
            values = each.places(activations[layer], layer)[0, :, *at].T
            if layer not in found:
                found[layer] = values.new_empty(len(wanted), values.shape[1])
            found[layer][inside] = values
    return found


def _offered(
    extractor: FeatureExtractor,
    artworks: Sequence[Artwork],
    layers: Collection[str],
    tiling: Tiling | None = None,
) -> dict[str, Tensor]:
    """Read the style and its quarter turns; the strokes of a painting go in few directions."""
    inside = [_inside(each) for each in artworks]
    pairs = zip(artworks, inside, strict=True)
    unit = min(_MOST_PLACES // _TURNS, *(len(rows) / each.share for each, rows in pairs))
    of_each = []
    for artwork, rows in zip(artworks, inside, strict=True):
        most = max(1, int(unit * artwork.share))
        for turns in range(_TURNS):
            image = torch.rot90(artwork.image, turns, (2, 3)).contiguous()
            if artwork.mask is not None:
                rows = _inside(artwork, turns)
            kept = rows[_drawn(rows, most)]
            with extractor.seeing_no_tiles():
                of_each.append(_some_places(extractor, image, layers, kept, tiling))
    return {layer: torch.cat([places[layer] for places in of_each]) for layer in layers}


def _inside(artwork: Artwork, turns: int = 0) -> Tensor:
    """Return the numbers of the places of an artwork that its mask, if any, has at least half of.

    Where there are none, that with the most.
    """
    height, width = _grid(artwork.image)
    if artwork.mask is None:
        return torch.arange(height * width, device=artwork.image.device)
    mask = torch.rot90(artwork.mask, turns, (2, 3))
    if turns % 2:
        height, width = width, height
    weights = pooled(mask, (height, width)).flatten()
    return torch.nonzero(weights >= min(0.5, weights.max().item())).flatten()


def _drawn(rows: Tensor, most: int) -> Tensor:
    """Return the numbers of all rows, or of so many that are drawn, the same ones every time."""
    count = len(rows)
    if count <= most:
        return torch.arange(count, device=rows.device)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(count, generator=generator)[:most].sort().values
    return drawn.to(rows.device)


class _Offer:
    """The places of a style, (M, C) of every layer, ready to be compared with."""

    def __init__(self, places: Mapping[str, Tensor], layers: Mapping[str, float]):
        self._layers = layers
        self._given = {
            layer: _Spread.of(places[layer]).standardized(places[layer], weight)
            for layer, weight in layers.items()
        }
        squares = [x.square().sum(1, dtype=torch.float32) for x in self._given.values()]
        self._scale = torch.stack(squares).sum(0).clamp(min=1e-30).rsqrt()

    def nearest(self, sought: Mapping[str, Tensor], usual: Mapping[str, _Spread]) -> Tensor:
        """Return the number of the place most similar to each one sought, (P, C): (P,).

        `usual` is what is so for those sought. Products of half precision are added up in float32.
        """
        asked = {
            layer: usual[layer].standardized(sought[layer], weight)
            for layer, weight in self._layers.items()
        }
        scale = self._scale
        places, rows = len(next(iter(asked.values()))), max(1, _BLOCK // len(scale))
        found: list[Tensor] = []
        for first in range(0, places, rows):
            products = scale.new_zeros(min(rows, places - first), len(scale))
            for layer, vectors in asked.items():
                products += vectors[first : first + rows] @ self._given[layer].T
            found.append((products * scale).argmax(1))
        return torch.cat(found)
