"""The local style error against a search by hand, and what a global statistic overlooks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nstcli.metrics.windows import local_distance, windows

ONE = {"a": 1.0}


def features(height: int, width: int, channels: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, height, width, generator=generator)


def distance(picture: Tensor, style: Tensor, stride: int = 8) -> float:
    return local_distance({"a": windows(picture, stride)}, {"a": windows(style, stride)}, ONE)


def brute_force(picture: Tensor, style: Tensor) -> float:
    """Windows of 6 positions every 3, as 48 px are at a stride of 8, one by one in float64."""
    described = []
    for image in (picture[0].double(), style[0].double()):
        found = []
        for y in range(0, image.shape[1] - 5, 3):
            for x in range(0, image.shape[2] - 5, 3):
                part = image[:, y : y + 6, x : x + 6].flatten(1)
                found.append(torch.cat([part.mean(1), part.std(1, unbiased=False)]))
        described.append(found)
    mine, theirs = described
    nearest = [min(float((p - s).square().sum()) for s in theirs) for p in mine]
    energy = sum(float(s.square().sum()) for s in theirs) / len(theirs)
    return sum(nearest) / len(nearest) / energy


@pytest.mark.parametrize(("height", "width"), [(18, 24), (20, 13)])
def test_it_is_the_search_by_hand(height: int, width: int) -> None:
    picture, style = features(height, width), 3 * features(17, 31, seed=1)
    assert len(windows(picture, 8)) == ((height - 6) // 3 + 1) * ((width - 6) // 3 + 1)
    assert distance(picture, style) == pytest.approx(brute_force(picture, style), rel=1e-4)


def test_a_rearranged_artwork_has_nothing_wrong_and_an_uneven_one_has() -> None:
    """Mean and spread of the whole are the same: one half is too much, the other too little."""
    style = features(24, 24)
    assert distance(style.roll((3, 9), dims=(2, 3)), style) < 0.01
    uneven = style.clone()
    uneven[..., :12] *= 1.4
    uneven[..., 12:] *= 0.2
    assert uneven.square().mean() == pytest.approx(float(style.square().mean()), rel=0.05)
    assert distance(uneven, style) > 10 * distance(style.flip(3), style)


def test_equal_is_0_and_nothing_is_1() -> None:
    style = 1000 + features(24, 24)
    assert distance(style, style) == pytest.approx(0, abs=1e-12)
    assert distance(torch.zeros(1, 4, 24, 24), style) == pytest.approx(1, abs=1e-3)
    assert distance(torch.zeros(1, 4, 9, 9), torch.zeros(1, 4, 9, 9)) == 0


def test_spreads_of_large_values_keep_their_digits() -> None:
    flat = 1000 + 0.01 * features(12, 12)
    expected = flat[0, :, :6, :6].double().flatten(1).std(1, unbiased=False)
    torch.testing.assert_close(windows(flat, 8)[0, 4:], expected, rtol=0.01, atol=1e-5)


@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_any_shape(height: int, width: int, stride: int) -> None:
    found = windows(features(height, width), stride)
    assert found.shape[0] >= 1
    assert found.shape[1] == 8
    assert 0 <= distance(features(height, width), features(width, 9, seed=1), stride) < 1e6
