"""The style term: Gram matrices of the picture's activations against those of the style image.

Every distance takes Gram matrices (N, C, C) and a target one, (1 or N, C, C), and returns one
number per picture, (N,). G is the Gram matrix of the picture, A that of the style image.
"""

from torch import Tensor

from nstcli.engine.losses.statistics import GRAM
from nstcli.engine.losses.target import Target

STATISTIC = GRAM


def relative(x: Tensor, target: Target) -> Tensor:
    """‖G − A‖² / ‖A‖²."""
    return target.relative_error(x)


def gatys(x: Tensor, target: Target) -> Tensor:
    """Σ (G − A)² / (4 C² M²) with G = F Fᵀ (Gatys et al. 2016, eq. 4), M positions, C maps.

    Our Gram matrices carry 1/(C·M) already, which leaves a quarter of the squared difference;
    between images of different sizes each side is divided by its own M.
    """
    return target.squared_error(x) / 4


def total(x: Tensor, target: Target) -> Tensor:
    """Σ (G − A)² with G = F Fᵀ / (C·M) (the CS231n assignment)."""
    return target.squared_error(x)


def mean(x: Tensor, target: Target) -> Tensor:
    """Mean of (G − A)² with G = F Fᵀ / (C·M) (most ports of neural-style)."""
    return target.squared_error(x) / target.value[0].numel()


DISTANCES = {"relative": relative, "gatys": gatys, "sum": total, "mean": mean}
