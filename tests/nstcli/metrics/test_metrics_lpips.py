"""LPIPS's arithmetic, on the tiny backbone; the real one is compared with torchmetrics'."""

import pytest
import torch

from tests.nstcli.engine.scene import picture
from tests.nstcli.metrics.tiny_judge import network, noisy, perceptual


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    extractor = network()
    lpips = perceptual(extractor)
    return lpips.distance(*(lpips.scaled(extractor(x, lpips.heads)) for x in (a, b)))


def test_it_is_the_paper_s_formula() -> None:
    a, b = picture(), picture(seed=1)
    extractor = network()
    heads = perceptual(extractor).heads
    first, second = extractor(a, heads), extractor(b, heads)
    expected = 0.0
    for name, head in heads.items():
        f, g = first[name][0].double(), second[name][0].double()
        height, width = f.shape[1:]
        for y in range(height):
            for x in range(width):
                u, v = f[:, y, x], g[:, y, x]
                unit = [w / w.norm() if w.norm() else w for w in (u, v)]
                expected += float(head.double() @ (unit[0] - unit[1]) ** 2) / (height * width)
    assert distance(a, b) == pytest.approx(expected, rel=1e-3)


def test_equal_pictures_are_at_0_and_it_is_symmetric() -> None:
    a, b = picture(), picture(seed=1)
    assert distance(a, a) == 0
    assert distance(a, b) == pytest.approx(distance(b, a)) != 0


def test_it_grows_with_noise() -> None:
    found = [distance(picture(), noisy(picture(), x)) for x in (0, 0.02, 0.1, 0.3)]
    assert found == sorted(found)
    assert found[0] < found[1]


def test_positions_without_activation_are_alike() -> None:
    lpips = perceptual(network())
    nothing = {name: torch.zeros(1, len(head), 4, 4) for name, head in lpips.heads.items()}
    scaled = lpips.scaled(nothing)
    assert lpips.distance(scaled, scaled) == 0
