"""The whole of one pair: through its scales from coarse to fine, and the judgement at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.descent import descend
from nstcli.engine.objective import evaluate, parts
from nstcli.engine.pyramid import resized, share_steps
from nstcli.engine.start import start
from nstcli.engine.targets import Content, Style, style_targets
from nstcli.recipe import Recipe


@dataclass(frozen=True)
class Scale:
    """One scale of a pair: both images, read at sizes that differ from full by one factor."""

    content: Content
    style: Style


@dataclass(frozen=True)
class Step:
    """An event: the loss that one step of the optimizer started from.

    Attributes:
        number: 1 for the first step of the coarsest scale, `steps` for the last of the finest.
        loss: the weighted sum.
        terms: each term, unweighted.
        done: share of the pair's work that is done, in (0, 1]; steps at small scales are cheap.
    """

    number: int
    steps: int
    loss: float
    terms: Mapping[str, float]
    done: float


@dataclass(frozen=True)
class Result:
    """A finished picture and how close it came.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1]: the best of all steps of the finest scale.
        steps: taken; fewer than the recipe's when it was stopped or made no more progress.
        stopped: whether the listener ended it.
        loss: its loss, the weighted sum, under the recipe's convention.
        content_error: its relative content error, over the recipe's content layers.
        style_error: its relative style error, over the recipe's style layers.
        style_error_before: that of the unchanged content image.
    """

    image: Tensor
    steps: int
    stopped: bool
    loss: float
    content_error: float
    style_error: float
    style_error_before: float


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
    scales = scales[-recipe.steps :]  # a scale without steps would only blur
    shares = share_steps(recipe.steps, len(scales))
    window = _Window(scales, shares, recipe.steps, on_step)
    image = start(scales[0].content, scales[0].style, recipe)
    for scale, steps in zip(scales, shares, strict=True):
        image = _fitting(image, scale)
        objective = [
            part
            for part in parts(scale.content, scale.style, recipe)
            if recipe.weights_of_terms[part.term]
        ]
        best = descend(extractor, image, objective, recipe, steps, window.watch)
        window.next_scale()
        image = best.image
        if window.stopped:
            break
    finest = scales[-1]
    return _judged(extractor, _fitting(image, finest), finest, recipe, window, best.loss)


def _fitting(image: Tensor, scale: Scale) -> Tensor:
    """Carry a picture to the size of a scale."""
    shape = scale.content.image.shape
    return image if image.shape == shape else resized(image, *shape[-2:])


class _Window:
    """Counts steps and work through all scales, and passes them on as events."""

    def __init__(
        self, scales: Sequence[Scale], shares: Sequence[int], steps: int, on_step: OnStep | None
    ):
        self.taken = 0
        self.stopped = False
        self._steps = steps
        self._on_step = on_step
        self._costs = [scale.content.image[0, 0].numel() for scale in scales]
        self._shares = list(shares)
        self._total = sum(c * n for c, n in zip(self._costs, shares, strict=True))
        self._scale = 0
        self._number = 0

    def watch(self, number: int, loss: float, terms: Mapping[str, float]) -> bool:
        """Tell the listener of a step; return whether it wants no more."""
        self.taken += number - self._number
        self._number = number
        if self._on_step:
            done = self._before() + self._costs[self._scale] * number
            event = Step(
                sum(self._shares[: self._scale]) + number,
                self._steps,
                loss,
                terms,
                done / self._total,
            )
            self.stopped = bool(self._on_step(event))
        return self.stopped

    def next_scale(self) -> None:
        """Go on to the next finer scale."""
        self._scale += 1
        self._number = 0

    def _before(self) -> int:
        pairs = zip(self._costs, self._shares, strict=True)
        return sum(cost * steps for cost, steps in list(pairs)[: self._scale])


@torch.no_grad()
def _judged(
    extractor: FeatureExtractor,
    image: Tensor,
    scale: Scale,
    recipe: Recipe,
    window: _Window,
    loss: Tensor,
) -> Result:
    """Judge a picture by relative errors, whatever convention it was made with."""
    content, style = scale.content, scale.style
    relative = recipe.model_copy(update={"loss": "relative"})
    judged = [part for part in parts(content, style, relative) if part.layer is not None]
    errors = evaluate(extractor, image, judged)
    shares = {part.layer: part.share for part in judged if part.term == "style"}
    before = sum(
        shares[name] * target.relative_error(content.grams[name]).item()
        for name, target in style_targets(content, style).items()
    )
    return Result(
        image=image,
        steps=window.taken,
        stopped=window.stopped,
        loss=loss.sum().item(),
        content_error=errors["content"].sum().item(),
        style_error=errors["style"].sum().item(),
        style_error_before=before,
    )
