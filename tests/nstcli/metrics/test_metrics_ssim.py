"""SSIM on luminance."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from nstcli.metrics.ssim import luminance, ssim
from tests.nstcli.engine.scene import picture


def noisy(strength: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 3, 24, 32, generator=generator)
    return (picture() + strength * noise).clamp(0, 1)


def test_luminance_is_rec_709_s() -> None:
    for channel, weight in enumerate((0.2126, 0.7152, 0.0722)):
        image = torch.zeros(1, 3, 4, 5)
        image[:, channel] = 1
        np.testing.assert_allclose(luminance(image), np.full((4, 5), weight))
    np.testing.assert_allclose(luminance(torch.ones(1, 3, 4, 5)), 1)


@given(st.integers(3, 30), st.integers(3, 30), st.integers(0, 100))
def test_equal_pictures_of_any_size(height: int, width: int, seed: int) -> None:
    gray = luminance(picture(height, width, seed))
    other = luminance(picture(height, width, seed + 1))
    assert ssim(gray, gray) == pytest.approx(1)
    assert ssim(gray, other) == pytest.approx(ssim(other, gray))
    assert -1 <= ssim(gray, other) < 1


def test_it_is_the_paper_s_formula() -> None:
    """Without the border, where the window is cut, by its own eleven lines."""
    a, b = luminance(picture()), luminance(picture(seed=1))
    c1, c2 = 0.01**2, 0.03**2

    def blur(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, 1.5, radius=5)

    ma, mb = blur(a), blur(b)
    va, vb, vab = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    quality = ((2 * ma * mb + c1) * (2 * vab + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim(a, b) == pytest.approx(quality[5:-5, 5:-5].mean())


def test_more_noise_is_less_alike() -> None:
    found = [ssim(luminance(picture()), luminance(noisy(x))) for x in (0, 0.05, 0.1, 0.3)]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1)
    assert found[-1] < 0.7


def test_more_blur_is_less_alike() -> None:
    gray = luminance(picture())
    found = [ssim(gray, gaussian_filter(gray, sigma)) for sigma in (0.3, 0.6, 1, 2, 4)]
    assert found == sorted(found, reverse=True)


def test_color_alone_is_not_seen() -> None:
    image = picture() * 0.5 + 0.2
    turned = image.clone()
    turned[:, 0] += 0.1 * 0.0722
    turned[:, 2] -= 0.1 * 0.2126
    assert ssim(luminance(image), luminance(turned)) == pytest.approx(1, abs=1e-6)


def test_inverted_is_below_unrelated() -> None:
    gray = luminance(picture())
    assert ssim(gray, 1 - gray) < ssim(gray, luminance(picture(seed=3)))
    assert ssim(gray, 1 - gray) < 0


@pytest.mark.parametrize("shape", [(2, 30), (30, 2), (1, 1)])
def test_too_small(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 3 px"):
        ssim(np.zeros(shape), np.zeros(shape))
