"""A part of activations, whose gradient lies in memory as they do."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable


def window(x: Tensor, rows: slice, columns: slice) -> Tensor:
    """Cut rows and columns out of (N, C, H, W).

    The gradient of a plain slice has its channels apart, and whatever is added to it, or it to, has
    them together: over large pictures that costs more than light networks' convolutions.
    """
    if (rows.start, rows.stop, columns.start, columns.stop) == (0, x.shape[2], 0, x.shape[3]):
        return x
    result: Tensor = _Window.apply(x, rows, columns)
    return result


class _Window(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: slice, columns: slice) -> Tensor:
        ctx.where, ctx.shape, ctx.layout = (rows, columns), x.shape, layout_of(x)
        return x[..., rows, columns].clone(memory_format=torch.preserve_format)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        whole = torch.empty(
            ctx.shape, dtype=gradient.dtype, device=gradient.device, memory_format=ctx.layout
        )
        whole.zero_()[..., *ctx.where] = gradient
        return whole, None, None


def layout_of(x: Tensor) -> torch.memory_format:
    """Tell whether channels (N, C, H, W) lie together, or positions."""
    return torch.channels_last if x.stride(1) == 1 else torch.contiguous_format
