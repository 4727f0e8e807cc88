"""The total variation term: differences between neighbouring pixels of the picture itself.

Every distance takes the differences of pictures, (N, 2C, H, W), and returns one number per picture,
(N,). There is nothing to come close to but flatness, so all that the target tells is how many
pairs of neighbours there are.
"""

from torch import Tensor

from nstcli.engine.losses.statistics import DIFFERENCES
from nstcli.engine.losses.target import Target

STATISTIC = DIFFERENCES


def squared(x: Tensor, target: Target) -> Tensor:
    """Mean squared difference of neighbours, both directions, all channels."""
    return total(x, target) / target.count


def absolute(x: Tensor, target: Target) -> Tensor:
    """Mean absolute difference: flattens noise and keeps edges (Rudin, Osher, Fatemi 1992)."""
    return x.abs().flatten(1).sum(1) / target.count


def total(x: Tensor, target: Target) -> Tensor:
    """Σ of squared differences, both directions, all channels (the CS231n assignment)."""
    return x.square().flatten(1).sum(1)


DISTANCES = {"relative": squared, "gatys": squared, "sum": total, "mean": squared, "l1": absolute}
