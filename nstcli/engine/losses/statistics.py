"""Statistics of activations or pixels that terms compare: features and Gram matrices.

Nearly every statistic adds up over positions, in one of two ways. A local one has its values
position by position, so that those of tiles, laid side by side, are those of the whole, as long as
each tile has one more line below and to the right. Any other is a mean over positions: those of
tiles, or of masked parts, each weighted by its share of the positions, sum to that of the whole.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.nn.functional import pad

# What the network may run in, but sums of squares must not.
_HALF = {torch.float16, torch.bfloat16}

# Whose positions count for less has weights of that sum.
LEAST_SUM = 1e-6


class _Of(Protocol):
    def __call__(self, x: Tensor, weights: Tensor | None = None, /) -> Tensor: ...


@dataclass(frozen=True)
class Statistic:
    """Something that is computed of activations or pixels.

    Attributes:
        of: (N, C, H, W) -> (N, …): one for each picture of a batch, whatever the others are. A
            mean is in float32 or better, even of half precision; with weights, (1 or N, 1, H, W)
            and not negative, it is that of the positions as they count. A local one takes none:
            whoever compares its values weights them.
        local: whether it is (N, …, H, W), with values position by position; a mean over positions
            otherwise, whose shape does not depend on H and W.
        additive: whether it adds up over positions; a distribution does not.
        on_grid: whether distances bring it to the grid of places first; see `losses.grid`.
    """

    of: _Of
    local: bool
    additive: bool = True
    on_grid: bool = False


def features(x: Tensor, weights: Tensor | None = None, /) -> Tensor:
    """Return the activations, or pixels, themselves: (N, C, H, W)."""
    return x


def gram(features: Tensor, weights: Tensor | None = None, /) -> Tensor:
    """Correlate every feature map with every other: (N, C, H, W) -> (N, C, C), float32 or better.

    F Fᵀ divided by C·H·W, in every convention: the number of positions must not matter, since
    content and style image rarely have the same size (Johnson et al. 2016, eq. 3; Gatys et al.
    2016, eq. 3, leave the division to the loss and so need equal sizes).

    With weights w (1 or N, 1, H, W), it is Σ w f fᵀ / (C Σ w): the guided Gram matrix of Gatys et
    al. 2017 ("Controlling Perceptual Factors"), who multiply the features by the root of it.
    """
    result: Tensor = _Gram.apply(features, weights)
    return result


def differences(x: Tensor, weights: Tensor | None = None, /) -> Tensor:
    """Subtract each value from that to the right and that below: (N, C, H, W) -> (N, 2C, H, W).

    Where there is none, the difference is 0.
    """
    right, below = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    return torch.cat([pad(right, (0, 1)), pad(below, (0, 0, 0, 1))], 1)


def differences_around(x: Tensor, weights: Tensor | None = None, /) -> Tensor:
    """Do the same where pictures wrap: beyond a border is the border opposite."""
    return torch.cat([x.roll(-1, 3) - x, x.roll(-1, 2) - x], 1)


FEATURES = Statistic(features, local=True)
PLACES = Statistic(features, local=True, on_grid=True)
DIFFERENCES = Statistic(differences, local=True)
DIFFERENCES_AROUND = Statistic(differences_around, local=True)
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
    def forward(ctx: Any, features: Tensor, weights: Tensor | None) -> Tensor:
        ctx.save_for_backward(features, weights)
        flat = _positions(features)
        if weights is not None:
            flat = flat * _positions(weights).sqrt().to(flat.dtype)
        return _product(flat) / _divisor(features, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        features, weights = ctx.saved_tensors
        n, channels, height, width = features.shape
        symmetric = (gradient + gradient.mT) / _divisor(features, weights)
        flat = torch.bmm(_positions(features), symmetric.to(features.dtype))
        if weights is not None:
            flat = flat * _positions(weights).to(flat.dtype)
        return flat.view(n, height, width, channels).permute(0, 3, 1, 2), None


def _positions(features: Tensor) -> Tensor:
    """View (N, C, H, W) as (N, H·W, C), the way channels_last keeps it in memory."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _divisor(features: Tensor, weights: Tensor | None) -> Tensor | int:
    """Return C times what the positions (N, C, H, W) count together, (1 or N, 1, 1) of weights."""
    _, channels, height, width = features.shape
    if weights is None:
        return channels * height * width
    return channels * weights.sum((2, 3)).clamp(min=LEAST_SUM)[..., None]


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
