"""The photo's activations take the artwork's statistics, and a network decodes them.

Huang, Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization".
A picture is made at once: encoded by VGG-19 to relu4_1, given another mean and deviation in every
channel, decoded. Large ones are encoded and decoded in tiles that overlap by as much as the
networks look around, with the statistics of the whole: so tiles show no more than rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses.statistics import FEATURES, Statistic
from nstcli.engine.masks import covers, pooled
from nstcli.engine.memory import READING, Needs, TensorBytes
from nstcli.engine.methods import Painted, Parts
from nstcli.engine.precision import Precision, in_precision
from nstcli.engine.steps import OnSteps
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Artwork, Content, Style, mixed
from nstcli.recipe import Recipe

# Where the decoder was trained to begin, and the pixels of a position there.
_LAYER, _STRIDE, _CHANNELS = "relu4_1", 8, 512
# Edge of a tile in pixels, besides what it overlaps: as much as relu4_1 sees beyond a position
# (1 + 1 + 1 + 2 + 2 + 2 + 4 × 4 + 4 + 8 = 37), and as the decoder does beyond a pixel, in
# positions ((8 + 4 × 4 + 2 × 2 + 2) / 8 = 3.75).
_TILE, _ENCODED, _DECODED = 768, 40, 4
# Added to variances: channels in which nothing happens stay quiet (the authors' value).
_LEAST_VARIANCE = 1e-5
_PICTURE_BYTES = 3 * 4


def moments(x: Tensor, weights: Tensor | None = None, /) -> Tensor:
    """Return mean and deviation of every channel, (N, C, H, W) -> (N, 2, C).

    Positions count as weights, (1 or N, 1, H, W), say. Of several styles, both are mixed, as in
    section 7.2 of the paper: the mean of their pictures' activations has these.
    """
    weights = torch.ones_like(x[:, :1]) if weights is None else weights
    whole = weights.sum((2, 3)).clamp(min=1e-6)
    mean = (x * weights).sum((2, 3)) / whole
    variance = ((x - mean[..., None, None]).square() * weights).sum((2, 3)) / whole
    return torch.stack([mean, (variance + _LEAST_VARIANCE).sqrt()], 1)


MOMENTS = Statistic(moments, local=False)


@dataclass(frozen=True, eq=False)
class AdaIN:
    """The method with its networks; see `nstcli.engine.methods.Painter`."""

    extractor: FeatureExtractor
    decoder: nn.Module
    precision: Precision
    tile: int = _TILE

    @property
    def minimum_size(self) -> int:
        """Pixels that an edge of a picture needs."""
        return self.extractor.backbone.minimum_size

    @property
    def as_loaded(self) -> bool:
        """Whether the networks are as others want them: this one sees borders in its own way."""
        return False

    def needs(self, recipe: Recipe, regions: int) -> Needs:
        """Return the memory that pictures need."""
        networks = (self.extractor.network, self.decoder)
        fixed = sum(each.nbytes for network in networks for each in network.parameters())
        # Activations in float32: the photo's, those that are mixed of them, and one for each style.
        coded = _CHANNELS * 4 / _STRIDE**2
        kept = 4 * _PICTURE_BYTES + (3 + regions) * coded
        at_once = (1.5 * self.tile + 2 * _ENCODED) ** 2
        return Needs(
            fixed, READING * self._tile_bytes, READING * self._tile_bytes, kept, at_once=at_once
        )

    @cached_property
    def _tile_bytes(self) -> float:
        """The bytes that a pixel of a tile takes at most, on its way in or out."""
        image = torch.empty(1, 3, 512, 512, device="meta")
        with torch.no_grad(), TensorBytes() as there:
            coded = copy.deepcopy(self.extractor).to("meta")(image, [_LAYER])[_LAYER]
        with torch.no_grad(), TensorBytes() as back:
            copy.deepcopy(self.decoder).to("meta")(coded)
        most: int = max(there.peak, back.peak)
        return most / image[0, 0].numel()

    def factors(
        self, recipe: Recipe, content: Tensor, style: Tensor, finish: float | None
    ) -> list[float]:
        """Return the one scale that there is."""
        return [finish or 1.0]

    def read_content(self, image: Tensor, recipe: Recipe) -> Content:
        """Encode a photo."""
        found = self.encoded(image)
        grid = found.shape[-2], found.shape[-1]
        return Content(image, {(FEATURES, _LAYER): found}, {_LAYER: grid})

    def read_style(self, image: Tensor, mask: Tensor | None, recipe: Recipe) -> Style:
        """Take the statistics of an artwork."""
        found = self.encoded(image)
        weights = None if mask is None else pooled(mask, found.shape)
        unseen = mask is not None and not covers(mask, found.shape)
        return Style(
            (Artwork(image, mask=mask),),
            {(MOMENTS, _LAYER): moments(found, weights)},
            {},
            frozenset([_LAYER] if unseen else []),
        )

    def style_layers(self, recipe: Recipe) -> Sequence[str]:
        """Return the layer at which it paints."""
        return [_LAYER]

    def paint(
        self,
        pairs: Sequence[Sequence[Scale]],
        recipe: Recipe,
        on_steps: OnSteps,
        between: Callable[[], None],
    ) -> list[Painted]:
        """Make pictures, one after the other."""
        found = []
        for (scale,) in pairs:
            between()
            height, width = scale.content.image.shape[-2:]
            coded = mixed_in(scale, recipe.alpha)
            found.append(Painted(self.decoded(coded, height, width, between)))
        return found

    def beside(self, scale: Scale, recipe: Recipe) -> Tensor:
        """Return the picture of a scale that another method has read, in the same styles."""

        def read(style: Style) -> Style:
            found = [self.read_style(each.image, each.mask, recipe) for each in style.artworks]
            return mixed(found, [each.share for each in style.artworks])

        regions = tuple(replace(each, style=read(each.style)) for each in scale.guidance.regions)
        style = regions[0].style if regions else read(scale.style)
        content = self.read_content(scale.content.image, recipe)
        guidance = replace(scale.guidance, regions=regions)
        coded = mixed_in(Scale(content, style, guidance), recipe.alpha)
        return self.decoded(coded, *scale.content.image.shape[-2:])

    @torch.no_grad()
    def encoded(self, image: Tensor) -> Tensor:
        """Return the activations of a picture (1, 3, H, W), float32, of ⌈H/8⌉ × ⌈W/8⌉ positions."""
        rows = []
        for top, bottom, above in _spans(image.shape[-2], self.tile, _ENCODED):
            row = []
            for left, right, before in _spans(image.shape[-1], self.tile, _ENCODED):
                part = image[..., top - above : bottom + _ENCODED, left - before : right + _ENCODED]
                seen = self.extractor(part, [_LAYER])[_LAYER]
                row.append(
                    _within(
                        seen,
                        above // _STRIDE,
                        -(-(bottom - top) // _STRIDE),
                        before // _STRIDE,
                        -(-(right - left) // _STRIDE),
                    ).float()
                )
            rows.append(torch.cat(row, 3))
        return torch.cat(rows, 2)

    @torch.no_grad()
    def decoded(
        self, coded: Tensor, height: int, width: int, between: Callable[[], None] = lambda: None
    ) -> Tensor:
        """Return the picture (1, 3, H, W) of activations, RGB in [0, 1]."""
        tile, dtype = self.tile // _STRIDE, next(self.decoder.parameters()).dtype
        rows = []
        for top, bottom, above in _spans(coded.shape[-2], tile, _DECODED):
            row = []
            for left, right, before in _spans(coded.shape[-1], tile, _DECODED):
                between()
                part = coded[..., top - above : bottom + _DECODED, left - before : right + _DECODED]
                seen = self.decoder(part.to(dtype))
                row.append(
                    _within(
                        seen,
                        _STRIDE * above,
                        _STRIDE * (bottom - top),
                        _STRIDE * before,
                        _STRIDE * (right - left),
                    ).float()
                )
            rows.append(torch.cat(row, 3))
        return torch.cat(rows, 2)[..., :height, :width].clamp(0, 1).contiguous()


def mixed_in(scale: Scale, alpha: float) -> Tensor:
    """Return a photo's activations with the styles' statistics mixed in, (1, C, h, w).

    What holds where: alpha, the share of the style, is multiplied with the style's map; where the
    content counts c times, the odds of the style are divided by c.

    Every region has the mean and deviation of its own photo's part exchanged for those of its
    style, as in section 7.4 of the paper. One that is too small for statistics stays as it is.
    """
    guidance, known = scale.guidance, scale.content.statistics[FEATURES, _LAYER]
    counts = 1.0 if guidance.content is None else pooled(guidance.content, known.shape)
    painted, taken = torch.zeros_like(known), torch.zeros_like(known[:, :1])
    for region, pull, style in guidance.areas(scale.style):
        too_small = region is not None and not covers(region, known.shape)
        if too_small or _LAYER in style.unseen:
            continue
        own = moments(known, None if region is None else pooled(region, known.shape))
        share = alpha * (torch.ones_like(taken) if pull is None else pooled(pull, known.shape))
        share = share.clamp(max=1)
        share = share / (share + (1 - share) * counts).clamp(min=1e-6)
        painted += share * normalized(known, own, style.statistics[MOMENTS, _LAYER])
        taken += share
    whole = taken.clamp(min=1)  # regions that overlap
    return painted / whole + (1 - taken / whole) * known


def normalized(x: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
    """Exchange the means and deviations of channels, (N, 2, C) each: (N, C, H, W) -> the same."""
    mean, deviation = own[..., None, None].unbind(1)
    new_mean, new_deviation = wanted[..., None, None].unbind(1)
    return (x - mean) * (new_deviation / deviation) + new_mean


def painter(parts: Parts, recipe: Recipe) -> AdaIN:
    """Get the networks ready: the encoder as it was when the decoder was trained.

    Both run in the precision that is the encoder's fastest: they are alike.
    """
    assert parts.extractor, "it looks through a backbone"  # noqa: S101 - our own mistake
    extractor, precision = in_precision(
        parts.extractor.pad_by("reflect"),
        [(FEATURES, _LAYER)],
        recipe.size,
        " mirrored",
        parts.precision,
        parts.remembered,
    )
    dtype, layout = getattr(torch, precision.dtype), getattr(torch, precision.layout)
    decoder = parts.companions["adain"].to(dtype).to(memory_format=layout)
    return AdaIN(extractor, decoder, precision)


def starter(parts: Parts, recipe: Recipe) -> AdaIN:
    """Get it ready among the companions of another method."""
    (row,) = [recipe.begun_by] if recipe.begun_by else []
    extractor = parts.companions[row.backbone.partition(":")[0]]
    return painter(replace(parts, extractor=cast(FeatureExtractor, extractor)), recipe)


def _spans(edge: int, tile: int, margin: int) -> Iterator[tuple[int, int, int]]:
    """Part an edge into tiles: (first, behind the last, how much there is before the first).

    The last tile is whole or longer, as so little of one would have no statistics of a border.
    """
    starts = range(0, max(1, edge - tile // 2), tile)
    for start in starts:
        end = edge if start == starts[-1] else start + tile
        yield start, end, min(start, margin)


def _within(x: Tensor, top: int, height: int, left: int, width: int) -> Tensor:
    return x[..., top : top + height, left : left + width]
