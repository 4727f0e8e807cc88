"""The optimizer of a batch of pictures, whichever row of the table a recipe names.

All take one evaluation a step, so that steps compare.
"""

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


@dataclass(frozen=True)
class PictureOptimizer:
    """An optimizer of pictures, with what has to happen after each of its steps."""

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


def build(image: Tensor, steps: int, recipe: Recipe) -> PictureOptimizer:
    """Get ready to optimize pictures (N, 3, H, W) in so many steps, as the recipe wants it."""
    module = import_module(OPTIMIZERS[recipe.optimizer].module)
    return cast(PictureOptimizer, module.build(image, steps, recipe))
