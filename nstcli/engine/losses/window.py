"""Parts of activations, whose gradient lies in memory as they do."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable


def window(x: Tensor, rows: slice, columns: slice) -> Tensor:
    """Cut rows and columns out of (N, C, H, W).

    The gradient of a plain slice has its channels apart, and whatever is added to it, or it to, has
    them together: over large pictures that costs more than light networks' convolutions.
    """
    (result,) = windows(x, [(rows, columns)])
    return result


def windows(x: Tensor, wanted: Sequence[tuple[slice, slice]]) -> tuple[Tensor, ...]:
    """Cut several out, as `window` does; they may overlap. They have one gradient together."""
    if len(wanted) == 1:
        ((rows, columns),) = wanted
        if (rows.start, rows.stop, columns.start, columns.stop) == (0, x.shape[2], 0, x.shape[3]):
            return (x,)
    result: tuple[Tensor, ...] = _Windows.apply(x, wanted)
    return result


class _Windows(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, wanted: Sequence[tuple[slice, slice]]) -> tuple[Tensor, ...]:
        ctx.wanted, ctx.shape, ctx.layout = wanted, x.shape, layout_of(x)
        return tuple(x[..., *each].clone(memory_format=torch.preserve_format) for each in wanted)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        first = gradients[0]
        whole = torch.empty(
            ctx.shape, dtype=first.dtype, device=first.device, memory_format=ctx.layout
        ).zero_()
        for where, gradient in zip(ctx.wanted, gradients, strict=True):
            whole[..., *where] += gradient
        return whole, None


def layout_of(x: Tensor) -> torch.memory_format:
    """Tell whether channels (N, C, H, W) lie together, or positions."""
    return torch.channels_last if x.stride(1) == 1 else torch.contiguous_format
