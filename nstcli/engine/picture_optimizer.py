"""The optimizer of a batch of pictures, whichever row of the table a recipe names.

All take one evaluation a step, so that steps compare.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nstcli.optimizers import OPTIMIZERS
from nstcli.recipe import Recipe


@dataclass
class PictureOptimizer:
    """An optimizer of pictures, with what has to happen before and after each of its steps.

    What an optimizer sees are gradients of about 1 at the first step, whatever the loss is counted
    in. Its constants, and the range of float32, would not suit every weight and convention.
    """

    image: Tensor
    optimizer: Optimizer
    schedule: LRScheduler | None = None

    def __post_init__(self) -> None:
        # What the gradient of each picture is counted in, as soon as it has one.
        self._unit = power_of_two(torch.zeros_like(self.image[..., :1]))

    def step(self, closure: Callable[[], Any]) -> None:
        """Take one step.

        `closure` evaluates the loss exactly once and leaves a new gradient at the picture, which
        is changed here.
        """

        def counted() -> Any:
            loss = closure()
            gradient = self.image.grad
            assert gradient is not None  # noqa: S101 - the closure's part of the contract
            known = self._unit > torch.finfo(gradient.dtype).tiny
            self._unit = torch.where(known, self._unit, power_of_two(gradient))
            gradient /= self._unit
            return loss

        self.optimizer.step(counted)
        if self.schedule:
            self.schedule.step()
        with torch.no_grad():
            self.image.clamp_(0, 1)


def power_of_two(x: Tensor) -> Tensor:
    """Return the power of two next to each largest value, from below: (N, …) -> (N, 1, …).

    Dividing by it rounds nothing, and leaves a largest value between 1 and 2, or 4 near the end of
    the type's range. Where all values are 0, it is the least number that the type has in full
    precision; where one is NaN, NaN.
    """
    least = math.log2(torch.finfo(x.dtype).tiny)
    largest = torch.linalg.vector_norm(x, torch.inf, tuple(range(1, x.dim())), keepdim=True)
    exponent: Tensor = largest.log2().floor()
    return exponent.clamp(least, -least).exp2()


def build(image: Tensor, steps: int, recipe: Recipe) -> PictureOptimizer:
    """Get ready to optimize pictures (N, 3, H, W) in so many steps, as the recipe wants it."""
    module = import_module(OPTIMIZERS[recipe.optimizer].module)
    return cast(PictureOptimizer, module.build(image, steps, recipe))
