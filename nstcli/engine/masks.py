"""Masks: a weight for every pixel, (1, 1, H, W), at other sizes and at the layers of a network.

What a mask is at a layer is its mean over what a position there stands for, as pooling takes a
picture from layer to layer. So masks that sum to 1 at every pixel do so at every position, too.
(Gatys et al. 2017, "Controlling Perceptual Factors", compare such rules.)
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

# Positions of a layer that a mask has to fill, in sum: the Gram matrix of fewer says nothing of
# which features go together.
_LEAST = 4.0


def fitted(mask: Tensor, height: int, width: int) -> Tensor:
    """Resample masks (N, 1, H, W) without aliasing, and without leaving their range."""
    if mask.shape[-2:] == (height, width):
        return mask
    size = [height, width]
    return interpolate(mask, size, mode="bilinear", antialias=True).contiguous()


def pooled(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """Bring masks (N, 1, H, W) to the positions of a layer, the last two of a shape."""
    return adaptive_avg_pool2d(mask, (shape[-2], shape[-1]))


def area(weights: Tensor) -> Tensor:
    """Return the share of a layer's positions that weights (N, 1, h, w) are, (N,).

    It is 0 where they are too few to aim at.
    """
    total, largest = weights.sum((1, 2, 3)), weights.amax((1, 2, 3))
    return weights.mean((1, 2, 3)) * (total >= _LEAST * largest)


def covers(mask: Tensor, shape: Sequence[int]) -> bool:
    """Tell whether a mask (1, 1, H, W) leaves enough positions of a layer to aim at."""
    return bool(area(pooled(mask, shape)) > 0)
