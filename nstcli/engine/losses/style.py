"""The style term: Gram matrices of the picture's activations against those of the style image.

Every loss takes activations (N, C, H, W) and a target Gram matrix (1 or N, C, C) and returns one
number per picture, (N,). G is the Gram matrix of the picture, A that of the style image.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from nstcli.engine.losses.target import Target


def gram(features: Tensor) -> Tensor:
    """Correlate every feature map with every other: (N, C, H, W) -> (N, C, C), float32 or better.

    F Fᵀ divided by C·H·W, in every convention: the number of positions must not matter, since
    content and style image rarely have the same size (Johnson et al. 2016, eq. 3; Gatys et al.
    2016, eq. 3, leave the division to the loss and so need equal sizes).
    """
    result: Tensor = _Gram.apply(features)
    return result


class _Gram(Function):
    """One matrix product each way.

    Autograd would take two for the gradient, not seeing that the result is symmetric, and would
    keep float32 copies of half-precision activations.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        _, channels, height, width = features.shape
        return _product(_positions(features)) / (channels * height * width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        n, channels, height, width = features.shape
        symmetric = (gradient + gradient.mT) / (channels * height * width)
        flat = torch.bmm(_positions(features), symmetric.to(features.dtype))
        return flat.view(n, height, width, channels).permute(0, 3, 1, 2)


def _positions(features: Tensor) -> Tensor:
    """View (N, C, H, W) as (N, H·W, C), the way channels_last keeps it in memory."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _product(flat: Tensor) -> Tensor:
    """Sum flatᵀ flat over positions: (N, M, C) -> (N, C, C), float32 or better.

    Fast bfloat16 products round their result to eight bits. So they are taken over stretches
    short enough that the float32 sum of them is good to a thousandth, a fifth of the cost of
    float32 products. In float16 they would overflow, at 65504.
    """
    if flat.dtype != torch.bfloat16:
        flat = flat.float() if flat.dtype == torch.float16 else flat
        return torch.bmm(flat.mT, flat)
    n, positions, channels = flat.shape
    length = max(1, min(512, positions // 16))
    whole = positions - positions % length
    stretches = flat[:, :whole].reshape(-1, length, channels)
    sums = torch.bmm(stretches.mT, stretches).view(n, -1, channels, channels)
    rest = flat[:, whole:].float()
    return sums.sum(1, dtype=torch.float32) + torch.bmm(rest.mT, rest)


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
