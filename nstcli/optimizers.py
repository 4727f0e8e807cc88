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
        pictures: float32 pictures that it remembers, and has at work, at most.
        rated: whether it goes by the recipe's learning rate and schedule.
    """

    module: str
    pictures: int
    rated: bool


OPTIMIZERS: Mapping[str, Optimizer] = {
    # Ten curvature pairs, and eight vectors at work.
    "lbfgs": Optimizer("nstcli.engine.lbfgs", 28, rated=False),
    # Two moments, and two vectors at work.
    "adam": Optimizer("nstcli.engine.adam", 4, rated=True),
}
