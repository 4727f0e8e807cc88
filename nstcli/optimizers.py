"""The optimizers of pixels, a row each: what a recipe knows of them, without torch.

How one works is in the module that its row names: a function `build`, which takes the picture
(N, 3, H, W), the number of steps and the recipe, and returns a `PictureOptimizer` (see
`nstcli.engine.picture_optimizer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Optimizer:
    """A way to optimize pictures.

    Attributes:
        module: where it is.
        at_work: float32 pictures that it has at work, at most.
        remembers: those that it keeps of each step of the recipe's history.
        rated: whether it goes by the recipe's learning rate and schedule.
    """

    module: str
    at_work: int
    remembers: int
    rated: bool

    def pictures(self, history: int) -> int:
        """Count the float32 pictures that it has at work or remembers, at most."""
        return self.at_work + history * self.remembers


OPTIMIZERS: Mapping[str, Optimizer] = {
    # Pairs of curvature, and eight vectors at work.
    "lbfgs": Optimizer("nstcli.engine.lbfgs", 8, remembers=2, rated=False),
    # Two moments, the gradient and what is added, of all levels; and vectors at work.
    "adam": Optimizer("nstcli.engine.adam", 9, remembers=0, rated=True),
}
