"""Stylize one pair, or several at once, from coarse to fine, and judge the results."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.descent import descend
from nstcli.engine.guidance import EVERYWHERE, Guidance
from nstcli.engine.init import start
from nstcli.engine.objective import Objective, batched, judged_parts, parts, weighted
from nstcli.engine.pyramid import resized, share_steps
from nstcli.engine.steps import OnSteps, Progress, Step
from nstcli.engine.targets import Artwork, Content, Style
from nstcli.engine.tiling import Tiling
from nstcli.errors import DivergedError
from nstcli.optimizers import OPTIMIZERS
from nstcli.recipe import Recipe
from nstcli.terms import INPUTS, Role


@dataclass(frozen=True)
class Scale:
    """One scale of a pair: both images, read at sizes that differ from full by one factor.

    Attributes:
        content: what is painted.
        style: in whose manner, where the guidance has no regions with styles of their own.
        guidance: what holds where, at the size of the content.
        init: the user's picture to start from, (1, 3, H, W) of any shape, if there is one.
        roles: what the pair has of these; something gray stands for the other.
        tiling: how it is looked at in tiles; None for all of it at once.
    """

    content: Content
    style: Style
    guidance: Guidance = EVERYWHERE
    init: Tensor | None = None
    roles: frozenset[Role] = frozenset(INPUTS)
    tiling: Tiling | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """What pairs have to agree in to be made at once: the content's shape, the regions."""
        return *self.content.image.shape, len(self.guidance.regions)

    @property
    def artworks(self) -> list[Artwork]:
        """All that it is painted after, each with its share of the picture's area."""
        held = [
            (1.0 if region is None else region.mean().item(), style)
            for region, _, style in self.guidance.areas(self.style)
        ]
        return [
            replace(each, share=each.share * area) for area, own in held for each in own.artworks
        ]


@dataclass(frozen=True)
class Result:
    """A finished picture and how close it came.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1]: the best of all steps of the finest scale.
        steps: taken; fewer than the recipe's when it was stopped or made no more progress.
        stopped: whether the listener ended it.
        loss: its loss, the weighted sum, under the recipe's convention.
        loss_before: that of what it began with, at full size.
        moved: how far the optimizer took it from where a scale began, at the scale where that was
            farthest: root mean square over pixel values in [0, 1].
        psnr: of the picture as a copy of the content; see `psnr`.
        content_error: its relative content error, over the recipe's content layers.
        style_error: its relative style error, over the recipe's style layers.
        style_error_before: that of the unchanged content image.
        curve: (step, loss) of at most a hundred steps.
        work: of a step at full size, by that without tiles.
        pace: median seconds of a step at full size, for all pictures of a batch together, and the
            seconds between the quartiles.
    """

    image: Tensor
    steps: int
    stopped: bool
    loss: float
    loss_before: float
    moved: float
    psnr: float
    content_error: float
    style_error: float
    style_error_before: float
    curve: tuple[tuple[int, float], ...]
    work: float
    pace: tuple[float, float]


# What it returns tells whether to stop; None means no.
OnStep = Callable[[Step], bool | None]


def stylize(
    extractor: FeatureExtractor,
    scales: Sequence[Scale],
    recipe: Recipe,
    on_step: OnStep | None = None,
) -> Result:
    """Paint the content in the manner of the style.

    `scales` go from coarse to fine and are read with the same extractor and recipe. `on_step` is
    the only window into the loop: when it returns true, the best picture so far is the result,
    and what it raises passes through.

    Raises:
        DivergedError: the loss became NaN or infinite, or exploded.
    """
    on_steps = None if on_step is None else lambda steps: on_step(steps[0])
    (outcome,) = stylize_together(extractor, [scales], recipe, on_steps)
    if isinstance(outcome, DivergedError):
        raise outcome
    return outcome


def stylize_together(
    extractor: FeatureExtractor,
    pairs: Sequence[Sequence[Scale]],
    recipe: Recipe,
    on_steps: OnSteps | None = None,
) -> list[Result | DivergedError]:
    """Do what `stylize` does for several pairs in one forward pass a step, for GPUs' sake.

    Every pair is optimized as it would be alone. Sums in another order round otherwise, though, and
    many steps make other pictures of that, with losses that differ by about 1 %. A pair that
    diverges leaves the others be. A true answer of `on_steps` stops them all.

    Raises:
        ValueError: the contents of a scale differ in shape, or the pairs in their regions.
    """
    # A scale without steps would only blur.
    by_scale = [list(scales) for scales in zip(*pairs, strict=True)][-recipe.steps :]
    last = by_scale[-1][0].content.image
    finishing = recipe.keep_size and max(last.shape[-2:]) > recipe.size
    shares = share_steps(recipe.steps, len(by_scale), finishing)
    progress = Progress([_size(scales) for scales in by_scale], shares, on_steps)
    steps = [0] * len(pairs)
    failed: dict[int, DivergedError] = {}
    image = starts(by_scale[0], recipe)
    moved = torch.zeros(len(pairs), device=image.device)
    for number, (scales, share) in enumerate(zip(by_scale, shares, strict=True)):
        image = _fitting(image, scales[0], recipe)
        objective = _objective(extractor, scales, recipe, image if number else None)
        best = descend(objective, image, recipe, share, progress.watch)
        for index, (step, loss) in best.diverged.items():
            failed.setdefault(index, _diverged(progress.number(step), loss, recipe))
        steps = [before + taken for before, taken in zip(steps, best.steps, strict=True)]
        progress.next_scale()
        moved = moved.maximum((best.image - image).square().mean((1, 2, 3)).sqrt())
        image, losses = best.image, best.loss
        if len(failed) == len(pairs):
            return [failed[index] for index in range(len(pairs))]
        if progress.stopped:
            break
    if progress.stopped and scales is not by_scale[-1]:  # a loss is that of one size
        image = _fitting(image, by_scale[-1][0], recipe)
        objective = _objective(extractor, by_scale[-1], recipe, image)
        losses = _losses(objective, image, recipe)
    before = best.first
    if len(by_scale) > 1:
        before = _losses(objective, starts(by_scale[-1], recipe), recipe)
    return [
        failed.get(index)
        or _judged(
            extractor,
            image[index : index + 1],
            scale,
            recipe,
            steps=steps[index],
            stopped=progress.stopped,
            loss=losses[index].item(),
            loss_before=before[index].item(),
            moved=moved[index].item(),
            curve=progress.curve(index),
            work=objective.tiles.work if objective.tiles else 1.0,
            pace=progress.pace(),
        )
        for index, scale in enumerate(by_scale[-1])
    ]


def starts(scales: Sequence[Scale], recipe: Recipe) -> Tensor:
    """Return what the pictures of a scale would begin with, were it the first: (N, 3, H, W)."""
    return torch.cat([start(each.content, each.style, recipe, each.init) for each in scales])


def _size(scales: Sequence[Scale]) -> tuple[int, int]:
    """Return (H, W) of each picture of a scale, all of one shape."""
    shapes = {scale.shape for scale in scales}
    if len(shapes) > 1:
        raise ValueError(f"pairs of one batch have different shapes: {sorted(shapes)}")
    height, width = scales[0].content.image.shape[-2:]
    return height, width


def _objective(
    extractor: FeatureExtractor, scales: Sequence[Scale], recipe: Recipe, painted: Tensor | None
) -> Objective:
    """Make the loss of the pictures of a scale, all at once.

    `painted` are the pictures so far, (N, 3, H, W); None before the first step.
    """
    pictures = [None] * len(scales) if painted is None else torch.split(painted, 1)
    of_each = [
        parts(extractor, scale.content, scale.style, recipe, picture, scale.guidance, scale.tiling)
        for scale, picture in zip(scales, pictures, strict=True)
    ]
    shape = scales[0].content.image.shape
    return Objective.of(extractor, batched(of_each), shape, scales[0].tiling)


@torch.no_grad()
def _losses(objective: Objective, image: Tensor, recipe: Recipe) -> Tensor:
    """Evaluate the loss of every picture: (N, 3, H, W) -> (N,)."""
    return weighted(objective.terms(image), recipe)


def _fitting(image: Tensor, scale: Scale, recipe: Recipe) -> Tensor:
    """Carry pictures to the size of a scale."""
    height, width = scale.content.image.shape[-2:]
    if image.shape[-2:] == (height, width):
        return image
    return resized(image, height, width, recipe.wraps)


def _diverged(step: int, loss: float, recipe: Recipe) -> DivergedError:
    rated = OPTIMIZERS[recipe.optimizer].rated
    other = "a smaller --learning-rate" if rated else "--optimizer adam"
    seed = ", another --seed" if recipe.init == "noise" else ""
    return DivergedError(
        f"the optimization diverged at step {step} of {recipe.steps}: its loss went to "
        f"{loss:.3g}; try {other}{seed} or a smaller --style-weight"
    )


@torch.no_grad()
def _judged(
    extractor: FeatureExtractor,
    image: Tensor,
    scale: Scale,
    recipe: Recipe,
    **known: Any,
) -> Result:
    """Judge a picture by relative errors, whatever convention it was made with.

    `known` are the attributes of the result that the loop tells.
    """
    content = scale.content
    judged = judged_parts(content, scale.style, recipe, scale.guidance)
    objective = Objective.of(extractor, judged, image.shape, scale.tiling)
    errors = objective.terms(image)
    of_style = [part for part in judged if part.term == "style"]
    if scale.guidance.plain:
        before = sum(
            float(part.share)
            * part.distance(content.statistics[part.statistic, part.layer], part.target).item()
            for part in of_style
        )
    else:
        before = replace(objective, parts=of_style).terms(content.image)["style"].item()
    return Result(
        image=image,
        psnr=psnr(image, content.image),
        content_error=errors["content"].sum().item(),
        style_error=errors["style"].sum().item(),
        style_error_before=before,
        **known,
    )


def psnr(image: Tensor, of: Tensor) -> float:
    """Return the peak signal-to-noise ratio of a copy, (1, 3, H, W) in [0, 1] each, in decibels.

    10 log10 (1 / mean squared difference); of one without any difference, 100.
    """
    return -10 * math.log10(max((image - of).square().mean().item(), 1e-10))
