"""DISTS's arithmetic, on the tiny backbone; the real one is compared with torchmetrics'."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nstcli.metrics.dists import L2Pool
from tests.nstcli.engine.scene import picture
from tests.nstcli.metrics.tiny_judge import network, noisy, textural


def distance(a: Tensor, b: Tensor) -> float:
    dists = textural()
    return dists.distance(dists.read(a), dists.read(b))


def test_it_is_the_paper_s_formula() -> None:
    a, b, dists = picture(), picture(seed=1), textural()
    layers = [(a, b)]
    found = [dists.extractor(image, ("relu1", "relu2")) for image in (a, b)]
    layers += [(found[0][name], found[1][name]) for name in ("relu1", "relu2")]
    expected, channel, c = 1.0, 0, 1e-6
    for x, y in layers:
        for f, g in zip(x[0].double().flatten(1), y[0].double().flatten(1), strict=True):
            covariance = ((f - f.mean()) * (g - g.mean())).mean()
            means = (2 * f.mean() * g.mean() + c) / (f.mean() ** 2 + g.mean() ** 2 + c)
            spread = f.var(correction=0) + g.var(correction=0)
            textures = (2 * covariance + c) / (spread + c)
            expected -= float(dists.alpha[channel] * means + dists.beta[channel] * textures)
            channel += 1
    assert channel == len(dists.alpha) == len(dists.beta)
    assert dists.alpha.sum() + dists.beta.sum() == pytest.approx(1)
    assert distance(a, b) == pytest.approx(expected, rel=1e-4)


def test_equal_pictures_are_at_0_and_it_is_symmetric() -> None:
    a, b = picture(), picture(seed=1)
    assert distance(a, a) == pytest.approx(0, abs=1e-6)
    assert distance(a, b) == pytest.approx(distance(b, a)) != 0


def test_it_grows_with_noise() -> None:
    found = [distance(picture(), noisy(picture(), x)) for x in (0, 0.02, 0.1, 0.3)]
    assert found == sorted(found)
    assert found[0] < found[1]


def test_black_pictures_give_numbers() -> None:
    black = torch.zeros_like(picture())
    assert distance(black, black) == pytest.approx(0, abs=1e-6)
    assert 0 < distance(black, picture()) <= 2


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9)])
def test_pooling_is_a_blurred_root_mean_square(height: int, width: int) -> None:
    x = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(0))
    pooled = L2Pool(nn.MaxPool2d(2))(x)
    assert pooled.shape == (1, 2, (height + 1) // 2, (width + 1) // 2)
    inner = x[0, 1, 1:4, 3:6].square()
    window = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    assert pooled[0, 1, 1, 2] == pytest.approx(float((inner * window).sum().sqrt()), rel=1e-5)


def test_the_network_is_pooled_that_way_everywhere() -> None:
    kinds = [type(module) for module in textural().extractor.network.modules()]
    assert kinds.count(L2Pool) == 2
    assert nn.MaxPool2d not in kinds
    assert nn.MaxPool2d in [type(module) for module in network().network.modules()]


@given(st.integers(200, 600), st.integers(200, 600))
def test_larger_pictures_are_brought_to_256(height: int, width: int) -> None:
    image, *_ = textural().read(torch.zeros(1, 3, height, width))
    assert min(image.shape[2:]) == min(256, height, width)
    assert image.shape[3] / image.shape[2] == pytest.approx(width / height, rel=0.01)
