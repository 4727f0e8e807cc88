"""The one loop: optimize the pixels of a picture against the features of a backbone."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.objective import Part, evaluate, parts
from nstcli.engine.optimizers import OPTIMIZERS
from nstcli.engine.start import start
from nstcli.engine.targets import Content, Style, style_targets
from nstcli.errors import DivergedError
from nstcli.recipe import Recipe

# A loss this many times the first one does not come back.
_EXPLODED = 1e4
# Reading a loss waits for the device; a GPU is left alone for so many steps.
_READ_EVERY = {"cpu": 1}
_READ_EVERY_OTHERWISE = 10


@dataclass(frozen=True)
class Step:
    """An event: the loss that one step of the optimizer started from.

    Attributes:
        number: 1 for the first step, `steps` for the last.
        loss: the weighted sum.
        terms: each term, unweighted.
    """

    number: int
    steps: int
    loss: float
    terms: Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """A finished picture and how close it came.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1]: the best of all steps.
        loss: its loss, the weighted sum, under the recipe's convention.
        content_error: its relative content error, over the recipe's content layers.
        style_error: its relative style error, over the recipe's style layers.
        style_error_before: that of the unchanged content image.
    """

    image: Tensor
    loss: float
    content_error: float
    style_error: float
    style_error_before: float


def stylize(
    extractor: FeatureExtractor,
    content: Content,
    style: Style,
    recipe: Recipe,
    on_step: Callable[[Step], None] | None = None,
) -> Result:
    """Paint the content in the manner of the style.

    `content` and `style` are read with the same extractor and recipe. `on_step` is the only
    window into the loop; what it raises ends the loop and passes through.

    Raises:
        DivergedError: the loss became NaN or infinite, or exploded.
    """
    weights = {
        "content": recipe.content_weight,
        "style": recipe.style_weight,
        "tv": recipe.tv_weight,
    }
    objective = [part for part in parts(content, style, recipe) if weights[part.term]]
    image = start(content, style, recipe).requires_grad_()
    descent = OPTIMIZERS[recipe.optimizer](image, recipe.steps)
    best = _Best(image)
    every = _READ_EVERY.get(image.device.type, _READ_EVERY_OTHERWISE)

    def loss_of_image() -> Tensor:
        terms = evaluate(extractor, image, objective)
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
        best.offer(image, loss, terms)
        return loss

    def closure() -> Tensor:
        # Times the number of values, because optimizers have absolute thresholds that a gradient
        # of 1e-6 per pixel would fall below.
        scaled = loss_of_image().sum() * image.numel()
        (image.grad,) = torch.autograd.grad(scaled, image)
        return scaled.detach()

    for number in range(1, recipe.steps + 1):
        descent.step(closure)
        if number % every == 0 or number == recipe.steps:
            step = best.latest(number, recipe.steps)
            if on_step:
                on_step(step)
    with torch.no_grad():
        loss_of_image()
    best.latest(recipe.steps, recipe.steps)
    return _result(extractor, best, content, style, recipe)


class _Best:
    """The best picture so far, kept on its device without waiting for it."""

    def __init__(self, image: Tensor):
        self.image = image.detach().clone()
        self.loss = torch.full((len(image),), math.inf, device=image.device)
        self._first: Tensor | None = None
        self._loss = self.loss
        self._terms: Mapping[str, Tensor] = {}

    @torch.no_grad()
    def offer(self, image: Tensor, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Take the picture where its loss is the least yet."""
        better = loss < self.loss
        self.image = torch.where(better.view(-1, 1, 1, 1), image, self.image)
        self.loss = torch.where(better, loss, self.loss)
        self._loss, self._terms = loss.detach(), terms
        if self._first is None:
            self._first = self._loss

    def latest(self, number: int, steps: int) -> Step:
        """Return the loss offered last as an event.

        Raises:
            DivergedError: it is not finite, or hopelessly above the first.
        """
        first = self._loss if self._first is None else self._first
        loss = self._loss.sum().item()
        if not math.isfinite(loss) or loss > _EXPLODED * first.sum().item() > 0:
            raise DivergedError(
                f"the optimization diverged at step {number} of {steps}: its loss went to "
                f"{loss:.3g}; try --optimizer adam, a smaller --style-weight or another --seed",
                self.image,
            )
        terms = {name: term.sum().item() for name, term in self._terms.items()}
        return Step(number, steps, loss, terms)


def _result(
    extractor: FeatureExtractor, best: _Best, content: Content, style: Style, recipe: Recipe
) -> Result:
    """Judge the best picture by relative errors, whatever convention it was made with."""
    relative = recipe.model_copy(update={"loss": "relative"})
    judged: list[Part] = [p for p in parts(content, style, relative) if p.layer is not None]
    with torch.no_grad():
        errors = evaluate(extractor, best.image, judged)
        targets = style_targets(content, style)
        shares = {part.layer: part.share for part in judged if part.term == "style"}
        before = sum(
            shares[name] * target.relative_error(content.grams[name]).item()
            for name, target in targets.items()
        )
    return Result(
        image=best.image,
        loss=best.loss.sum().item(),
        content_error=errors["content"].mean().item(),
        style_error=errors["style"].mean().item(),
        style_error_before=before,
    )
