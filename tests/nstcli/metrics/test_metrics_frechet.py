"""Fréchet's distance against closed forms, against scipy, and as a distance at all."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torch import Tensor

from nstcli.metrics.frechet import Gaussian, of_features, squared_distance, style_distance


def samples(count: int, channels: int, seed: int = 0) -> Tensor:
    """Draw correlated samples (M, C) with a mean of their own."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    mean = torch.randn(channels, generator=generator, dtype=torch.float64)
    return torch.randn(count, channels, generator=generator, dtype=torch.float64) @ mix + mean


def rotation(channels: int) -> Tensor:
    return torch.linalg.qr(samples(channels, channels, seed=9))[0]


def test_a_fit_has_the_moments_of_its_samples() -> None:
    drawn = samples(50, 4)
    fitted = Gaussian.of(drawn)
    np.testing.assert_allclose(fitted.mean, drawn.numpy().mean(0))
    covariance = fitted.factor @ fitted.factor.mT
    np.testing.assert_allclose(covariance, np.cov(drawn.numpy().T, bias=True))
    assert fitted.energy == pytest.approx(float(drawn.square().sum(1).mean()))


def test_fewer_samples_than_channels_are_no_trouble() -> None:
    drawn = samples(3, 8)
    fitted = Gaussian.of(drawn)
    assert fitted.factor.shape == (8, 3)
    np.testing.assert_allclose(
        fitted.factor @ fitted.factor.mT, np.cov(drawn.numpy().T, bias=True), atol=1e-12
    )
    assert squared_distance(fitted, fitted) == pytest.approx(0, abs=1e-10)
    assert squared_distance(Gaussian.of(drawn.repeat(4, 1)), fitted) == pytest.approx(0, abs=1e-10)


def test_every_position_of_a_layer_is_a_sample() -> None:
    features = samples(6, 5).mT.reshape(1, 5, 2, 3)
    np.testing.assert_allclose(of_features(features).mean, samples(6, 5).mean(0))
    assert squared_distance(of_features(features), Gaussian.of(samples(6, 5))) < 1e-10


def test_points_are_as_far_as_they_are() -> None:
    nothing = torch.zeros(3, 3)
    a = Gaussian(torch.tensor([1.0, 2, 3]), nothing)
    b = Gaussian(torch.tensor([1.0, 5, 7]), nothing)
    assert squared_distance(a, b) == pytest.approx(25)


def test_spreads_differ_by_their_deviations() -> None:
    """With axes in common, whichever they are, d² is Σ (σ₁ − σ₂)²."""
    first, second = torch.tensor([1.0, 2, 0]).double(), torch.tensor([3.0, 2, 0.5]).double()
    axes = rotation(3)
    a, b = (Gaussian(torch.zeros(3).double(), axes * deviations) for deviations in (first, second))
    assert squared_distance(a, b) == pytest.approx((1 - 3) ** 2 + 0 + 0.5**2)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_published_formula(seed: int) -> None:
    drawn, other = samples(60, 6, seed).numpy(), samples(70, 6, seed + 10).numpy()
    (m1, s1), (m2, s2) = ((x.mean(0), np.cov(x.T, bias=True)) for x in (drawn, other))
    expected = ((m1 - m2) ** 2).sum() + np.trace(s1 + s2 - 2 * np.real(sqrtm(s1 @ s2)))
    found = squared_distance(*(Gaussian.of(torch.from_numpy(x)) for x in (drawn, other)))
    assert found == pytest.approx(expected, rel=1e-6)


@given(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_it_is_a_distance(channels: int, m: int, n: int, seed: int) -> None:
    a, b, c = (Gaussian.of(samples(count, channels, seed + k)) for k, count in enumerate((m, n, 7)))
    ab, ba = squared_distance(a, b), squared_distance(b, a)
    scale = a.energy + b.energy + c.energy
    assert ab == pytest.approx(ba, abs=1e-10 * scale)
    assert squared_distance(a, a) == pytest.approx(0, abs=1e-10 * scale)
    assert 0 <= ab <= 2 * (a.energy + b.energy)
    bc, ac = squared_distance(b, c), squared_distance(a, c)
    assert ac**0.5 <= ab**0.5 + bc**0.5 + 1e-4 * scale**0.5


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_it_scales_with_the_square(seed: int, factor: float) -> None:
    drawn, other = samples(20, 4, seed), samples(20, 4, seed + 1)
    once = squared_distance(Gaussian.of(drawn), Gaussian.of(other))
    scaled = squared_distance(Gaussian.of(factor * drawn), Gaussian.of(factor * other))
    assert scaled == pytest.approx(once * factor**2, rel=1e-6)


def test_nothing_is_one_away_from_every_style() -> None:
    style = {"a": Gaussian.of(samples(30, 4)), "b": Gaussian.of(1000 * samples(30, 5, seed=1))}
    black = {name: Gaussian.of(torch.zeros(9, len(each.mean))) for name, each in style.items()}
    assert style_distance(black, style, {"a": 1.0, "b": 1.0}) == pytest.approx(1)
    assert style_distance(style, style, {"a": 1.0, "b": 1.0}) == pytest.approx(0, abs=1e-12)


def test_layers_count_by_their_weights_whatever_their_size() -> None:
    style = {"a": Gaussian.of(samples(30, 4)), "b": Gaussian.of(1000 * samples(30, 4))}
    half = {"a": style["a"], "b": Gaussian.of(torch.zeros(9, 4))}
    assert style_distance(half, style, {"a": 3.0, "b": 1.0}) == pytest.approx(0.25)
    assert style_distance(half, style, {"a": 30.0}) == pytest.approx(0)


def test_an_empty_style_gives_a_number() -> None:
    drawn, black = Gaussian.of(samples(30, 4)), Gaussian.of(torch.zeros(9, 4))
    assert style_distance({"a": drawn}, {"a": black}, {"a": 1.0}) == pytest.approx(1e6)
    assert style_distance({"a": black}, {"a": black}, {"a": 1.0}) == 0
