"""The style term: Gram matrices of the picture's activations against those of the style image.

Every loss takes activations (N, C, H, W) and a target Gram matrix (1 or N, C, C) and returns one
number per picture, (N,). G is the Gram matrix of the picture, A that of the style image.
"""

import torch
from torch import Tensor

from nstcli.engine.losses.target import Target


def gram(features: Tensor) -> Tensor:
    """Correlate every feature map with every other: (N, C, H, W) -> (N, C, C), float32 or better.

    F Fᵀ divided by C·H·W, in every convention: the number of positions must not matter, since
    content and style image rarely have the same size (Johnson et al. 2016, eq. 3; Gatys et al.
    2016, eq. 3, leave the division to the loss and so need equal sizes).
    """
    flat = features.flatten(2)
    if flat.dtype in {torch.float16, torch.bfloat16}:
        flat = flat.float()  # a float16 sum of products overflows at 65504
    return torch.bmm(flat, flat.mT) / (flat.shape[1] * flat.shape[2])


def relative(x: Tensor, target: Target) -> Tensor:
    """‖G − A‖² / ‖A‖²."""
    return target.relative_error(gram(x))


def gatys(x: Tensor, target: Target) -> Tensor:
    """Σ (G − A)² / (4 C² M²) with G = F Fᵀ (Gatys et al. 2016, eq. 4), M positions, C maps.

    Our Gram matrices carry 1/(C·M) already, which leaves a quarter of the squared difference;
    between images of different sizes each side is divided by its own M.
    """
    return target.squared_error(gram(x)) / 4


def total(x: Tensor, target: Target) -> Tensor:
    """Σ (G − A)² with G = F Fᵀ / (C·M) (the CS231n assignment)."""
    return target.squared_error(gram(x))


def mean(x: Tensor, target: Target) -> Tensor:
    """Mean of (G − A)² with G = F Fᵀ / (C·M) (most ports of neural-style)."""
    return target.squared_error(gram(x)) / target.value[0].numel()


STYLE = {"relative": relative, "gatys": gatys, "sum": total, "mean": mean}
