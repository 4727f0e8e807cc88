"""The optimizers of pixels, a row each. All take one evaluation a step, so that steps compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from nstcli.engine.lbfgs import HISTORY, LBFGS
from nstcli.recipe import Recipe


@dataclass(frozen=True)
class Descent:
    """An optimizer of one picture, with what has to happen after each of its steps."""

    image: Tensor
    optimizer: Optimizer
    schedule: LRScheduler | None = None

    def step(self, closure: Callable[[], Any]) -> None:
        """Take one step; `closure` evaluates the loss and its gradient exactly once."""
        self.optimizer.step(closure)
        if self.schedule:
            self.schedule.step()
        with torch.no_grad():
            self.image.clamp_(0, 1)


def _adam(image: Tensor, steps: int, recipe: Recipe) -> Descent:
    """Adam whose rate falls, by default along a cosine: large strokes first, then the grain."""
    rate = recipe.learning_rate
    optimizer = Adam([image], lr=rate, betas=(0.9, 0.99))
    schedule: LRScheduler
    if recipe.schedule == "drop":
        schedule = LambdaLR(optimizer, lambda step: 1 if step < 0.9 * steps else 1 / 30)
    else:
        schedule = CosineAnnealingLR(optimizer, steps, rate / 10)
    return Descent(image, optimizer, schedule)


def _lbfgs(image: Tensor, steps: int, recipe: Recipe) -> Descent:
    """L-BFGS, the optimizer of the papers: fewer steps to the same loss, more memory."""
    return Descent(image, LBFGS(image))


@dataclass(frozen=True)
class Method:
    """A way to optimize pictures.

    Attributes:
        begin: picture (N, 3, H, W), number of steps, recipe -> its optimizer.
        pictures: float32 pictures that it remembers, and has at work, at most.
        rated: whether it goes by the recipe's learning rate.
    """

    begin: Callable[[Tensor, int, Recipe], Descent]
    pictures: int
    rated: bool


OPTIMIZERS: dict[str, Method] = {
    # Two moments, and two vectors at work.
    "adam": Method(_adam, 4, rated=True),
    # Ten curvature pairs, and eight vectors at work.
    "lbfgs": Method(_lbfgs, 2 * HISTORY + 8, rated=False),
}
