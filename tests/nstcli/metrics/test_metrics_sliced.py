"""The sliced Wasserstein distance against scipy's, against closed forms, and by what it sees."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nstcli.metrics.sliced import profiles, sliced_distance

ONE = {"a": 1.0}


def cloud(height: int, width: int, channels: int = 5, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator)


def distance(picture: Tensor, style: Tensor) -> float:
    return sliced_distance({"a": profiles(picture)}, {"a": profiles(style)}, ONE)


def test_it_is_the_mean_of_transports_along_lines() -> None:
    """1024 points each: along every direction, the best matching is the sorted one."""
    a, b = cloud(32, 32), 2 * cloud(16, 64, seed=1) + 1
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(64, 5, generator=generator)
    errors, energies = [], []
    for direction in directions / directions.norm(dim=1, keepdim=True):
        x, y = (
            np.array(sorted(float(direction @ point) for point in each[0].flatten(1).mT))
            for each in (a, b)
        )
        errors.append(np.mean((x - y) ** 2))
        energies.append(np.mean(y**2))
    assert distance(a, b) == pytest.approx(np.mean(errors) / np.mean(energies), rel=1e-4)


def test_a_shift_costs_its_square_and_a_gain_likewise() -> None:
    """Of x and x + v: (θ·v)² on average over θ; of x and g·x: (g − 1)² / g²."""
    points = cloud(24, 30)
    assert distance(points, 4 * points) == pytest.approx((3 / 4) ** 2, rel=1e-4)
    shifted = points + torch.tensor([3.0, 0, 0, 0, 4]).view(1, 5, 1, 1)
    # E (θ·v)² is |v|² / C; the energy of the shifted cloud is 1 + that. 64 directions are few.
    assert distance(points, shifted) == pytest.approx(5 / 6, rel=0.1)


def test_positions_do_not_matter_nor_does_their_number() -> None:
    points = cloud(32, 32)
    shuffled = points.flatten(2)[..., torch.randperm(1024)].view(1, 5, 16, 64)
    assert distance(shuffled, points) == pytest.approx(0, abs=1e-10)
    assert distance(points.repeat(1, 1, 2, 1), points) == pytest.approx(0, abs=1e-4)


def test_it_tells_strokes_from_noise_of_the_same_moments() -> None:
    """Two values at random have mean 0 and variance 1, as the noise has."""
    noise = cloud(32, 32)
    strokes = noise.sign()
    again = cloud(32, 32, seed=1).sign()
    assert distance(noise, strokes) > 3 * distance(again, strokes)


def test_layers_count_by_their_weights_whatever_their_size() -> None:
    style = {"a": profiles(cloud(9, 9)), "b": profiles(1000 * cloud(9, 9))}
    half = {"a": style["a"], "b": torch.zeros_like(style["b"])}
    assert sliced_distance(half, style, {"a": 3.0, "b": 1.0}) == pytest.approx(0.25)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 8), st.integers(0, 99))
def test_any_shape(height: int, width: int, channels: int, seed: int) -> None:
    made = profiles(cloud(height, width, channels, seed))
    assert made.shape == (64, 1024)
    assert (made.diff(dim=1) >= -1e-6).all()
    other = profiles(cloud(width, height, channels, seed + 1))
    assert sliced_distance({"a": made}, {"a": other}, ONE) >= 0


def test_black_images_give_numbers() -> None:
    points, nothing = cloud(9, 9), torch.zeros(1, 5, 9, 9)
    assert distance(nothing, points) == pytest.approx(1)
    assert distance(points, nothing) == pytest.approx(1e6)
    assert distance(nothing, nothing) == 0
