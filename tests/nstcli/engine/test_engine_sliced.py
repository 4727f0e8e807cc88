"""Distributions of activations along directions: their parts, masks, and who counts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nstcli.engine.losses.sliced import directions, distribution

BINS = 256


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(values: np.ndarray, counts: np.ndarray) -> list[float]:
    """Lay values, as wide as they count, side by side; average each 256th of the row."""
    order = np.argsort(values)
    edges = np.concatenate([[0], np.cumsum(counts[order])]) / counts.sum()
    found = []
    for part in range(BINS):
        low, high = part / BINS, (part + 1) / BINS
        widths = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
        found.append(float((values[order] * widths.clip(min=0)).sum() * BINS))
    return found


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_each_part_of_a_distribution_has_its_mean(height: int, width: int, seed: int) -> None:
    x, counts = features(1, 3, height, width, seed=seed), features(1, 1, height, width).abs()
    found = distribution(x, counts)[0]
    seen = directions(64, 3).double() @ x[0].flatten(1)
    for direction in (0, 63):
        expected = by_hand(seen[direction].numpy(), counts.flatten().numpy())
        np.testing.assert_allclose(found[direction].numpy(), expected, atol=1e-6)


def test_where_anything_is_does_not_matter() -> None:
    x = features(2, 3, 8, 8)
    moved = x.flatten(2)[..., torch.randperm(64)].view_as(x)
    torch.testing.assert_close(distribution(moved), distribution(x))


def test_a_mask_of_all_is_none_and_one_of_a_part_is_that_part() -> None:
    x = features(2, 3, 8, 8)
    assert torch.equal(distribution(x, torch.ones(1, 1, 8, 8)), distribution(x))
    half = torch.zeros(1, 1, 8, 8)
    half[..., :4] = 1
    torch.testing.assert_close(distribution(x, half), distribution(x[..., :4]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(96, 128), (129, 127)])
def test_of_a_large_layer_every_position_counts(shape: tuple[int, int]) -> None:
    """Directions part the positions among themselves; what each sees is like the whole."""
    x = features(1, 2, *shape).requires_grad_()
    found = distribution(x)
    (gradient,) = torch.autograd.grad(found.square().sum(), x)
    assert (gradient.abs().sum(1) > 0).all()
    expected = features(1000 * BINS, seed=1).sort().values.view(BINS, -1)
    assert (found[0].mean(0) - expected.mean(1)).abs().max() < 0.1


def test_half_precision_is_summed_in_full() -> None:
    x = features(1, 3, 16, 16)
    found = distribution(x.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), distribution(x), rtol=0, atol=0.05)
