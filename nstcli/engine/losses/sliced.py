"""The sliced term: whole distributions of activations against those of the style image.

Activations at all positions are a cloud of points. Seen along one direction they are numbers, and
the Wasserstein distance of two such distributions is known: both sorted, value against value. The
mean over directions is the sliced distance of the clouds (Rabin et al. 2011); Heitz et al. 2021
("A Sliced Wasserstein Loss for Neural Texture Synthesis") take it in place of Gram matrices, which
know two moments alone.

They draw other directions for every step. Here they are drawn once, since L-BFGS learns the loss of
one step by that of the one before; and of large layers each direction sees positions of its own, so
that sorting costs little and every position counts.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from nstcli.engine.losses.statistics import LEAST_SUM, Statistic, full_precision
from nstcli.engine.losses.target import Target

_DIRECTIONS = 64
_SEED = 0
# Values that a distribution is kept by: means of equal shares of it, from the least on.
_BINS = 256
# Positions from which on directions part them among themselves.
_POSITIONS = 4096


def distribution(x: Tensor, weights: Tensor | None = None, /) -> Tensor:
    """Return activations along directions, sorted: (N, C, H, W) -> (N, 64, 256), float32 or better.

    Of all positions of a direction, each 256th part of the least to the greatest has its mean; with
    weights (1 or N, 1, H, W), parts are of what positions count together.
    """
    n, channels, height, width = x.shape
    unit = _unit(channels, x.device).to(x.dtype)
    values = x.permute(0, 2, 3, 1).flatten(1, 2) @ unit.mT
    counts = values.new_ones(1, height * width) if weights is None else weights.flatten(1)
    order, groups = _parts(height * width, x.device)
    values = full_precision(values).index_select(1, order)
    # Group g has the g-th part of the directions and every g-th of the positions in that order.
    parted = values.view(n, -1, groups, groups, _DIRECTIONS // groups).diagonal(dim1=2, dim2=3)
    own = counts.to(values.dtype).index_select(1, order).view(len(counts), -1, groups, 1)
    found = _binned(parted.permute(0, 3, 2, 1), own.permute(0, 2, 3, 1))
    return found.flatten(1, 2)


def directions(count: int, channels: int) -> Tensor:
    """Draw unit vectors evenly from the sphere, the same ones for everybody: (count, C)."""
    drawn = torch.randn(count, channels, generator=torch.Generator().manual_seed(_SEED))
    unit: Tensor = drawn / drawn.norm(dim=1, keepdim=True)
    return unit


def relative(x: Tensor, target: Target) -> Tensor:
    """‖Q − R‖² / ‖R‖², Q and R being the distributions of the picture and of the style image."""
    return target.relative_error(x)


# Once for all steps, since a graph that is recorded on a GPU takes nothing from outside.
@lru_cache(maxsize=32)
def _unit(channels: int, device: torch.device) -> Tensor:
    return directions(_DIRECTIONS, channels).to(device)


@lru_cache(maxsize=32)
def _parts(positions: int, device: torch.device) -> tuple[Tensor, int]:
    """Put positions into an order by chance, so that no group sees a pattern; return the groups.

    There are as many positions as make every group alike: a few of them twice.
    """
    groups = 2 ** int(math.log2(max(1, min(_DIRECTIONS, positions // _POSITIONS))))
    if groups == 1:
        return torch.arange(positions, device=device), 1
    order = torch.randperm(positions, generator=torch.Generator().manual_seed(_SEED))
    return torch.cat([order, order[: -positions % groups]]).to(device), groups


def _binned(values: Tensor, counts: Tensor) -> Tensor:
    """Sort values (…, M) and average each 256th part of their counts, which broadcast: (…, 256)."""
    ordered, order = values.sort()
    counts = counts.expand_as(values).gather(-1, order)
    whole = counts.sum(-1, keepdim=True).clamp(min=LEAST_SUM)
    until = _from_zero(counts / whole)
    sums = _from_zero(ordered * counts / whole)
    # Between two values, sums grow in a straight line: a value may be in two parts.
    edges = torch.linspace(0, 1, _BINS + 1, dtype=until.dtype, device=until.device)
    edges = edges.expand(*until.shape[:-1], -1).contiguous()
    above = torch.searchsorted(until, edges).clamp(1, until.shape[-1] - 1)
    low, high = until.gather(-1, above - 1), until.gather(-1, above)
    share = ((edges - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    found: Tensor = sums.gather(-1, above - 1).lerp(sums.gather(-1, above), share)
    return found.diff() * _BINS


def _from_zero(x: Tensor) -> Tensor:
    """Add up from the first on, beginning with nothing: (…, M) -> (…, M + 1)."""
    return torch.cat([torch.zeros_like(x[..., :1]), x.cumsum(-1)], -1)


STATISTIC = Statistic(distribution, local=False, additive=False)
DISTANCES = {"relative": relative, "gatys": relative, "sum": relative, "mean": relative}
