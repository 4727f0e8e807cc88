"""The content term: activations of the picture against those of the content image.

Every distance takes activations (N, C, H, W) and returns one number per picture, (N,).
F are the activations of the picture, P those of the content image.
"""

from torch import Tensor

from nstcli.engine.losses.statistics import FEATURES
from nstcli.engine.losses.target import Target

STATISTIC = FEATURES


def relative(x: Tensor, target: Target) -> Tensor:
    """‖F − P‖² / ‖P‖²."""
    return target.relative_error(x)


def gatys(x: Tensor, target: Target) -> Tensor:
    """½ Σ (F − P)² (Gatys et al. 2016, eq. 1)."""
    return target.squared_error(x) / 2


def total(x: Tensor, target: Target) -> Tensor:
    """Σ (F − P)² (the CS231n assignment)."""
    return target.squared_error(x)


def mean(x: Tensor, target: Target) -> Tensor:
    """Mean of (F − P)² (Johnson et al. 2016, eq. 2)."""
    return target.squared_error(x) / target.count


DISTANCES = {"relative": relative, "gatys": gatys, "sum": total, "mean": mean}
