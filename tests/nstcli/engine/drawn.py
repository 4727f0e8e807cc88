"""Activations that are drawn, and terms as functions of them."""

import torch
from torch import Tensor

from nstcli.engine.losses import Distance, Target, distances_of, statistic_of


def features(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Draw activations; positive and negative ones, no two alike."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def target_for(term: str, like: Tensor) -> Target:
    """Make the target that a term compares with, from activations (1, C, H, W)."""
    return Target.of(statistic_of(term).of(like))


def loss_of(term: str, convention: str) -> Distance:
    """Return a term as a function of activations (N, C, H, W) and a target: (N,)."""
    statistic, distance = statistic_of(term), distances_of(term)[convention]
    return lambda x, target: distance(statistic.of(x), target)


def standing(target: Target) -> Tensor:
    """Return the vectors of a list where they stand: (1, C, h, w)."""
    assert target.rows is not None
    return target.value[target.rows].permute(0, 3, 1, 2)
