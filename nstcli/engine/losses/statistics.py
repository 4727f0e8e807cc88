"""Statistics of activations or pixels that terms compare: features and Gram matrices.

Every statistic adds up over positions, in one of two ways. A local one has its values position by
position, so that those of tiles, laid side by side, are those of the whole. Any other is a mean
over positions: those of tiles, or of masked parts, each weighted by its share of the positions,
sum to that of the whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

# What the network may run in, but sums of squares must not.
_HALF = {torch.float16, torch.bfloat16}


@dataclass(frozen=True)
class Statistic:
    """Something that is computed of activations or pixels, and adds up over positions.

    Attributes:
        of: (N, C, H, W) -> (N, …): one for each picture of a batch, whatever the others are. A
            mean is in float32 or better, even of half precision.
        local: whether it is (N, …, H, W), with values position by position; a mean over positions
            otherwise, whose shape does not depend on H and W.
    """

    of: Callable[[Tensor], Tensor]
    local: bool


def features(x: Tensor) -> Tensor:
    """Return the activations, or pixels, themselves: (N, C, H, W)."""
    return x


def gram(features: Tensor) -> Tensor:
    """Correlate every feature map with every other: (N, C, H, W) -> (N, C, C), float32 or better.

    F Fᵀ divided by C·H·W, in every convention: the number of positions must not matter, since
    content and style image rarely have the same size (Johnson et al. 2016, eq. 3; Gatys et al.
    2016, eq. 3, leave the division to the loss and so need equal sizes).
    """
    result: Tensor = _Gram.apply(features)
    return result


FEATURES = Statistic(features, local=True)
GRAM = Statistic(gram, local=False)


def full_precision(x: Tensor) -> Tensor:
    """Return a tensor of half precision in float32, and any other as it is."""
    return x.float() if x.dtype in _HALF else x


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
        flat = full_precision(flat)
        return torch.bmm(flat.mT, flat)
    n, positions, channels = flat.shape
    length = max(1, min(512, positions // 16))
    whole = positions - positions % length
    stretches = flat[:, :whole].reshape(-1, length, channels)
    sums = torch.bmm(stretches.mT, stretches).view(n, -1, channels, channels)
    rest = flat[:, whole:].float()
    return sums.sum(1, dtype=torch.float32) + torch.bmm(rest.mT, rest)
