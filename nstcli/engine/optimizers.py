"""Optimizers of pixels. Each takes one evaluation a step, so that steps compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from nstcli.engine.lbfgs import LBFGS

_ADAM_RATE = 0.05  # of the pixel range [0, 1]


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


def adam(image: Tensor, steps: int) -> Descent:
    """Adam whose rate falls to a tenth along a cosine: large strokes first, then the grain."""
    optimizer = Adam([image], lr=_ADAM_RATE, betas=(0.9, 0.99))
    return Descent(image, optimizer, CosineAnnealingLR(optimizer, steps, _ADAM_RATE / 10))


def lbfgs(image: Tensor, steps: int) -> Descent:
    """L-BFGS, the optimizer of the papers: fewer steps to the same loss, more memory."""
    return Descent(image, LBFGS(image))


OPTIMIZERS: dict[str, Callable[[Tensor, int], Descent]] = {
    "adam": adam,
    "lbfgs": lbfgs,
}
