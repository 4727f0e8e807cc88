"""The total variation term: differences between neighbouring pixels of the picture itself.

Every distance takes pictures (N, C, H, W) and returns one number per picture, (N,). There is
nothing to come close to but flatness, so the target is ignored.
"""

from torch import Tensor, cat

from nstcli.engine.losses.statistics import FEATURES
from nstcli.engine.losses.target import Target

STATISTIC = FEATURES


def _differences(image: Tensor) -> Tensor:
    """Return all differences to the right and to the lower neighbour: (N, C, H, W) -> (N, D)."""
    right = image[..., :, 1:] - image[..., :, :-1]
    down = image[..., 1:, :] - image[..., :-1, :]
    return cat([right.flatten(1), down.flatten(1)], dim=1)


def squared(x: Tensor, target: Target) -> Tensor:
    """Mean squared difference of neighbours, both directions, all channels."""
    return _differences(x).square().mean(1)


def absolute(x: Tensor, target: Target) -> Tensor:
    """Mean absolute difference: flattens noise and keeps edges (Rudin, Osher, Fatemi 1992)."""
    return _differences(x).abs().mean(1)


def total(x: Tensor, target: Target) -> Tensor:
    """Σ of squared differences, both directions, all channels (the CS231n assignment)."""
    return _differences(x).square().sum(1)


DISTANCES = {"relative": squared, "gatys": squared, "sum": total, "mean": squared, "l1": absolute}
