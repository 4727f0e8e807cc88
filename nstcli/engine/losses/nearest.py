"""The nearest term: every place of the picture against the place of the style it was matched with.

After the method of Kolkin et al. 2022 ("Neural Neighbor Style Transfer"). The style's Gram matrix
says which features go together and not where; this term says where, since the places were chosen
by what the content shows there (`nstcli.engine.matching`). So the subject stays whole.

F are the activations of the picture (N, C, H, W), brought to the grid of the target (1 or N, h,
w), whose vectors T are activations of the style image. One number per picture, (N,).
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from nstcli.engine.losses.grid import on_grid
from nstcli.engine.losses.statistics import PLACES, full_precision
from nstcli.engine.losses.target import Target

STATISTIC = PLACES

# Vectors with less than this share of the target's mean square have no direction to speak of.
_FAINT = 1e-4
# The least square of a length that is divided by.
_LEAST = 1e-20
# Values that are compared at a time: on a CPU, as many as stay in its cache.
_BLOCK = {"cpu": 2**17}
_BLOCK_OTHERWISE = 2**22


def cosine(x: Tensor, target: Target) -> Tensor:
    """Mean over positions, as they count, of 1 − cos(F, T), a cosine for each layer.

    The paper takes one cosine of all layers side by side. With one for each, layers count as much
    as their weights say, on every network, and a layer needs no other to be compared.
    """
    target = target.by_rows()
    assert target.rows is not None  # noqa: S101 - it is a list of vectors
    assert target.squares is not None  # noqa: S101 - likewise
    height, width = target.grid
    places = target.count // target.value.shape[1]
    x = on_grid(x, height, width)
    floor = (_FAINT * target.energy / places).view(-1, 1).expand(len(x), height * width)
    rows = target.rows.flatten(1).expand(len(x), -1).flatten()
    distances: Tensor = _Apart.apply(
        x.permute(0, 2, 3, 1).flatten(0, 2),
        target.value,
        rows,
        target.squares[rows],
        floor.flatten(),
    )
    distances = distances.view(len(x), height, width)
    if target.weights is not None:
        distances = distances * target.weights[:, 0]
    return distances.sum((1, 2)) / places


class _Apart(Function):
    """Half the squared distance of two vectors, each divided by its length, or a little more.

    With s the square of a length and f the floor, vectors are divided by √(s + f), so that faint
    ones are short. It takes but the squares and the product of each two vectors, F and T:
    ½ (s/(s + f) + t/(t + f)) − F·T / √((s + f)(t + f)).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, values: Tensor, rows: Tensor, others: Tensor, floor: Tensor
    ) -> Tensor:
        squares, products = (floor.new_empty(len(x)) for _ in range(2))
        for block, own, there in _blocks(x, values, rows):
            squares[block] = own.square().sum(1)
            products[block] = (own * there).sum(1)
        ctx.save_for_backward(x, values, rows, floor, squares, products, others)
        whole, other = _over(squares, floor), _over(others, floor)
        found = (squares / whole + others / other) / 2 - products * (whole * other).rsqrt()
        return found.clamp(min=0)  # sums round

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        x, values, rows, floor, squares, products, others = ctx.saved_tensors
        whole, other = _over(squares, floor), _over(others, floor)
        root = (whole * other).rsqrt()
        along_x = (gradient * (floor / whole + products * root) / whole)[:, None]
        along_values = (-gradient * root)[:, None]
        found = torch.empty_like(x)
        for block, own, there in _blocks(x, values, rows):
            found[block] = own * along_x[block] + there * along_values[block]
        return found, None, None, None, None


def _over(squares: Tensor, floor: Tensor) -> Tensor:
    return (squares + floor).clamp(min=_LEAST)


def _blocks(x: Tensor, values: Tensor, rows: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Go through pairs of vectors, (M, C) and those of a list, in full precision."""
    length = max(1, _BLOCK.get(x.device.type, _BLOCK_OTHERWISE) // x.shape[1])
    for first in range(0, len(x), length):
        block = slice(first, first + length)
        yield block, full_precision(x[block]), full_precision(values[rows[block]])


DISTANCES = {"relative": cosine, "gatys": cosine, "sum": cosine, "mean": cosine}
