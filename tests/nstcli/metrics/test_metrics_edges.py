"""Kept edges by closed forms: lines that turn, vanish or change their sign."""

import numpy as np
import pytest
import skimage
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nstcli.metrics.edges import edges, kept_edges

Luminance = NDArray[np.float64]


def stripes(degrees: float, height: int = 64, width: int = 64) -> Luminance:
    """Draw waves of 16 px that run at an angle."""
    y, x = np.mgrid[:height, :width]
    along = np.cos(np.radians(degrees)) * x + np.sin(np.radians(degrees)) * y
    found: Luminance = 0.5 + 0.4 * np.sin(2 * np.pi * along / 16)
    return found


def kept(picture: Luminance, content: Luminance) -> float:
    return kept_edges(edges(picture), edges(content))


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 60, 90])
def test_it_is_the_cosine_of_twice_the_angle(degrees: float) -> None:
    expected = np.cos(2 * np.radians(degrees))
    assert kept(stripes(degrees), stripes(0)) == pytest.approx(expected, abs=0.06)


def test_a_gradient_of_a_level_is_where_edges_begin() -> None:
    ramp = np.tile(np.arange(64) / 255, (64, 1))
    assert edges(0.9 * ramp).contrast.max() == 0
    inner = edges(1.1 * ramp).contrast[8:-8, 8:-8]
    assert inner == pytest.approx(1.1 * 8 / 255, rel=1e-3)


def test_contrast_and_sign_do_not_matter_and_vanished_edges_do() -> None:
    content = stripes(20)
    assert kept(content, content) == pytest.approx(1)
    assert kept(1 - content, content) == pytest.approx(1)
    assert kept(0.3 * content, content) > 0.95
    assert kept(np.full_like(content, 0.5), content) == 0
    half = content.copy()
    half[:, 32:] = 0.5
    assert kept(half, content) == pytest.approx(0.5, abs=0.1)  # it ends with an edge


def test_strokes_beside_edges_cost_nothing() -> None:
    content = np.full((64, 64), 0.2)
    content[:, 32:] = 0.8
    painted = content.copy()
    painted[:, :20] += 0.1 * np.sin(np.arange(64) / 2)[:, None]
    assert kept(painted, content) > 0.99


def test_unrelated_pictures_keep_none() -> None:
    content = skimage.data.camera()[100:400, 100:400] / 255
    other = skimage.data.brick()[:300, :300].T / 255
    assert abs(kept(other, content)) < 0.25
    noise = np.random.default_rng(0).random(content.shape)
    assert abs(kept(noise, content)) < 0.05


def test_where_nothing_was_nothing_is_lost() -> None:
    assert kept(stripes(0), np.zeros((64, 64))) == 1


@given(st.integers(3, 40), st.integers(3, 40), st.integers(0, 99))
def test_any_shape(height: int, width: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    picture, content = generator.random((2, height, width))
    assert -1 <= kept(picture, content) <= 1 + 1e-6
    assert kept(content, content) == pytest.approx(1)
