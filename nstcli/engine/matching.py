"""Which place of the style goes where in the picture: nearest neighbours in a network's features.

After Kolkin et al. 2022 ("Neural Neighbor Style Transfer"), section 3: places are compared by the
activations of several layers, side by side (a hypercolumn), centred, by cosine. Unlike there, a
place counts by how much the content shows at it: what a clear sky is matched with is no better than
another brush stroke, and it would hold all of the sky to that one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Target
from nstcli.engine.losses.nearest import on_grid
from nstcli.engine.masks import pooled
from nstcli.engine.targets import Artwork

# Pixels from one place to the next, each way.
_STRIDE = 4
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
# Similarities that are there at a time.
_BLOCK = 2**22


def bytes_per_pixel(channels: int, value_bytes: int) -> float:
    """Return what each pixel of a style takes at most, its places as read and to be compared."""
    return 2 * channels * value_bytes * _TURNS / _STRIDE**2


@torch.no_grad()
def matched(
    extractor: FeatureExtractor,
    content: Tensor,
    artworks: Sequence[Artwork],
    painted: Tensor | None,
    layers: Mapping[str, float],
    region: Tensor | None = None,
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

    Returns:
        For every layer, the style's activations at the places found, (1, C, H/4, W/4), weighted by
        the detail of the content there.
    """
    height, width = _grid(content)
    sought = _places(extractor, content, layers)
    detail = _detail(sought, layers, height, width)
    if painted is not None:
        mixture = torch.lerp(painted, content, _CONTENT_SHARE)
        sought = _places(extractor, mixture, layers)
    offered = _offered(extractor, artworks, layers)
    within = None if region is None else pooled(region, (height, width)).view(-1, 1)
    found = _nearest(sought, offered, layers, within)
    return {
        layer: replace(_target(values[found], height, width), weights=detail)
        for layer, values in offered.items()
    }


def _detail(
    places: Mapping[str, Tensor], layers: Mapping[str, float], height: int, width: int
) -> Tensor:
    """Return what the content shows at each place: (H/4 · W/4, C) of layers -> (1, 1, H/4, W/4).

    With v the variance of the activations among a place and its eight neighbours, as a share of
    that of the whole layer, in the mean over the layers: v / (v + 0.1), between 0 and 1.
    """
    shares = places[next(iter(layers))].new_zeros(1, 1, height, width, dtype=torch.float32)
    for layer, weight in layers.items():
        values = places[layer].float()
        values = values - values.mean(0)
        whole = values.square().sum(1).mean().clamp(min=1e-30)
        x = values.view(1, height, width, -1).permute(0, 3, 1, 2)
        around = avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)
        squares = avg_pool2d(
            x.square().sum(1, keepdim=True), 3, 1, padding=1, count_include_pad=False
        )
        variance = (squares - around.square().sum(1, keepdim=True)).clamp(min=0)
        shares += weight / sum(layers.values()) * variance / whole
    return shares / (shares + _HALF_DETAIL)


def _grid(image: Tensor) -> tuple[int, int]:
    height, width = (max(1, edge // _STRIDE) for edge in image.shape[-2:])
    return height, width


def _places(extractor: FeatureExtractor, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    """Read an image place by place: (1, 3, H, W) -> (H/4 · W/4, C) of every layer."""
    found = extractor(image, layers)
    return {
        layer: on_grid(found[layer], *_grid(image)).permute(0, 2, 3, 1).flatten(0, 2)
        for layer in layers
    }


def _offered(
    extractor: FeatureExtractor, artworks: Sequence[Artwork], layers: Iterable[str]
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
            with extractor.seeing_no_tiles():
                places = _places(extractor, image, layers)
            if artwork.mask is not None:
                rows = _inside(artwork, turns)
            kept = rows[_drawn(rows, most)]
            of_each.append({layer: values[kept] for layer, values in places.items()})
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


def _nearest(
    sought: Mapping[str, Tensor],
    offered: Mapping[str, Tensor],
    layers: Mapping[str, float],
    within: Tensor | None,
) -> Tensor:
    """Return the row of `offered`, each (M, C), most similar to each of `sought`, (P, C): (P,).

    `within` tells how much each of the sought ones matters, (P, 1). Products of half precision are
    added up in float32.
    """
    asked = {
        layer: _standardized(sought[layer], weight, within) for layer, weight in layers.items()
    }
    given = {layer: _standardized(offered[layer], weight) for layer, weight in layers.items()}
    squares = torch.stack([x.square().sum(1, dtype=torch.float32) for x in given.values()])
    scale: Tensor = squares.sum(0).clamp(min=1e-30).rsqrt()
    places, rows = len(next(iter(asked.values()))), max(1, _BLOCK // len(scale))
    found: list[Tensor] = []
    for first in range(0, places, rows):
        products = scale.new_zeros(min(rows, places - first), len(scale))
        for layer, vectors in asked.items():
            products += vectors[first : first + rows] @ given[layer].T
        found.append((products * scale).argmax(1))
    return torch.cat(found)


def _standardized(places: Tensor, weight: float, within: Tensor | None = None) -> Tensor:
    """Centre the activations (M, C) of a layer and divide them by their size.

    So a layer counts as its weight says, on every network; the paper divides by its channels.
    """
    values = places.float()
    if within is None:
        values = values - values.mean(0)
        size = values.square().sum(1).mean().sqrt().clamp(min=1e-15)
    else:
        shares = within / within.sum().clamp(min=1e-15)
        values = values - (shares * values).sum(0)
        size = (shares * values.square()).sum().sqrt().clamp(min=1e-15)
    return (values * (math.sqrt(weight) / size)).to(places.dtype)


def _target(values: Tensor, height: int, width: int) -> Target:
    """Make a target of the activations of all places; it keeps the network's precision."""
    value = values.view(1, height, width, -1).permute(0, 3, 1, 2)
    return replace(Target.of(value), value=value)
