"""The levels of a pyramid, coarse ones first: what optimizers see of a picture's gradient.

A gradient by pixels says more of grain than of fields: neighbours disagree, and what would change
a whole area is spread thin over its pixels. The methods that optimize the levels of a Laplacian
pyramid instead (Kolkin et al. 2019 and 2022) have large and small things move alike. Seen from the
pixels, they multiply the gradient by U Uᵀ, where U puts a picture together from its levels. Here is
such a product, for an optimizer that knows what to do with a first guess of the curvature; and both
halves of it, for one that has a rule for each value.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

# How much a level counts beside the next finer one, and how many there are beside the pixels.
# Loss after 60 steps, by that of plain gradients, for weights 4 and 8: vgg19 .91 and .89 on one
# pair, squeezenet .82 and .77; after 150 steps 8 is the worse one on another.
_COARSER = 4.0
_LEVELS = 4
# How many there are with the pixels where each value moves by a rule of its own.
_LEVELS_APART = 4
# A level whose shorter edge would be below this says no more than the one before.
_LEAST_EDGE = 4


def coarse_first(x: Tensor, wraps: bool = False) -> Tensor:
    """Add to pictures (N, C, H, W) what they are at coarser levels, each more than the one before.

    A symmetric, positive definite product: a level is enlarged by the transpose of what shrank it.
    Beyond a border there is nothing or, if pictures `wrap`, the border opposite: else the pixels
    at the seam of a tile would move less than all others.
    """
    return _added(x, _LEVELS, wraps)


def _added(x: Tensor, levels: int, wraps: bool) -> Tensor:
    height, width = x.shape[-2:]
    if not levels or min(height, width) < 2 * _LEAST_EDGE:
        return x
    coarser = _added(_halved(x, wraps), levels - 1, wraps)
    return _with_coarser(x, coarser, _COARSER, wraps, torch.empty_like(x))


def levels_of(gradient: Tensor, wraps: bool = False) -> list[Tensor]:
    """Return the gradient with respect to each level, finest first, of that of pictures: Uᵀ.

    (N, C, H, W) -> itself, (N, C, H/2, W/2) and so on, up to a factor for each.
    """
    found = [gradient]
    while len(found) < _LEVELS_APART and min(found[-1].shape[-2:]) >= 2 * _LEAST_EDGE:
        found.append(_halved(found[-1], wraps))
    return found


def assembled(levels: Sequence[Tensor], wraps: bool = False) -> Tensor:
    """Put pictures together from levels as `levels_of` gives them: each enlarged and added, U.

    In their own memory: the pictures are in that of the finest level.
    """
    *finer, found = levels
    for level in reversed(finer):
        found = _with_coarser(level, found, 4, wraps, level)  # so that a level of ones stays one
    return found


# Channel by channel: what is between one size and the other takes several pictures' memory.


def _halved(x: Tensor, wraps: bool) -> Tensor:
    """Halve both edges of pictures (N, C, H, W)."""
    return torch.cat(
        [_shrunk(_shrunk(each, 2, wraps), 3, wraps) for each in torch.split(x, 1, 1)], 1
    )


def _with_coarser(x: Tensor, coarser: Tensor, share: float, wraps: bool, found: Tensor) -> Tensor:
    """Add so many times what pictures (N, C, H, W) are at half their size; `found` may be `x`."""
    height, width = x.shape[-2:]
    for channel in range(x.shape[1]):
        there = slice(channel, channel + 1)
        enlarged = _enlarged(_enlarged(coarser[:, there], 3, width, wraps), 2, height, wraps)
        torch.add(x[:, there], enlarged, alpha=share, out=found[:, there])
    return found


# Sums of shifted pictures and no convolutions, which round otherwise for other numbers of them.


def _shrunk(x: Tensor, dim: int, wraps: bool) -> Tensor:
    """Halve an edge: sums by (1, 3, 3, 1) / 8."""
    if wraps and x.shape[dim] % 2:  # the first line stands at both ends, by half
        half = x.narrow(dim, 0, 1) / 2
        x = torch.cat([half, x.narrow(dim, 1, x.shape[dim] - 1), half], dim)
    count = x.shape[dim] // 2
    bordered = _bordered(x, dim, wraps)
    pairs = torch.unflatten(bordered.narrow(dim, 0, 2 * count + 2), dim, (-1, 2))
    first, second = pairs.unbind(dim + 1)
    outer = first.narrow(dim, 0, count) + second.narrow(dim, 1, count)
    inner = second.narrow(dim, 0, count) + first.narrow(dim, 1, count)
    return (outer + 3 * inner) / 8


def _enlarged(x: Tensor, dim: int, edge: int, wraps: bool) -> Tensor:
    """Do the transpose of `_shrunk`, to an edge of so many pixels."""
    count = x.shape[dim]
    bordered = _bordered(x, dim, wraps)
    pairs = x.new_empty([*x.shape[:dim], 2 * count, *x.shape[dim + 1 :]])
    for number, each in enumerate(torch.unflatten(pairs, dim, (count, 2)).unbind(dim + 1)):
        torch.add(bordered.narrow(dim, 2 * number, count), x, alpha=3, out=each)
    if edge > 2 * count:  # the last one of an odd edge is in one sum only
        pairs = torch.cat([pairs, x.narrow(dim, count - 1, 1)], dim)
    elif edge < 2 * count:
        half = (pairs.narrow(dim, 0, 1) + pairs.narrow(dim, edge, 1)) / 2
        pairs = torch.cat([half, pairs.narrow(dim, 1, edge - 1)], dim)
    return pairs.div_(8)


def _bordered(x: Tensor, dim: int, wraps: bool) -> Tensor:
    """Put a line before and after those along an edge, the third or the fourth dimension."""
    if wraps:
        last, first = x.narrow(dim, x.shape[dim] - 1, 1), x.narrow(dim, 0, 1)
        return torch.cat([last, x, first], dim)
    return pad(x, (1, 1) if dim == 3 else (0, 0, 1, 1))
