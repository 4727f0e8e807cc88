"""A picture does not depend on what the loss is counted in: every weight times the same number."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backbones.hooks import FeatureExtractor
from nstcli.engine.picture_optimizer import build, power_of_two
from nstcli.engine.stylize import Result
from nstcli.optimizers import OPTIMIZERS
from nstcli.terms import TERMS
from tests import tiny
from tests.nstcli.engine.scene import paint, recipe

CONVENTIONS = ("relative", "gatys", "sum", "mean")


def network() -> FeatureExtractor:
    """What the fixture `extractor` is; hypothesis shares no fixtures between examples."""
    built = tiny.build()
    built.load_state_dict(tiny.random_state())
    return FeatureExtractor(tiny.TINY, built, tiny.IMAGENET)


def painted(factor: float, **choices: Any) -> Result:
    """Paint with each weight times a factor, total variation included."""
    weights = recipe(**{"tv_weight": 0.1, **choices}).weights_of_terms
    scaled = {TERMS[name].weight_option: weight * factor for name, weight in weights.items()}
    return paint(network(), recipe(**{**choices, **scaled}))


@settings(max_examples=40)
@given(
    exponent=st.integers(-40, 40),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    loss=st.sampled_from(CONVENTIONS),
    init=st.sampled_from(["content", "noise", "style"]),
    scales=st.integers(1, 2),
)
def test_a_power_of_two_changes_no_bit(
    exponent: int, optimizer: str, loss: str, init: str, scales: int
) -> None:
    choices = {"optimizer": optimizer, "loss": loss, "init": init, "scales": scales, "steps": 12}
    plain, scaled = painted(1.0, **choices), painted(2.0**exponent, **choices)
    assert torch.equal(scaled.image, plain.image)
    assert scaled.loss == plain.loss * 2.0**exponent


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", CONVENTIONS)
@pytest.mark.parametrize("k", [-12, -9, -6, -3, 3, 6, 9, 12])
def test_a_power_of_ten_changes_no_more_than_rounding(optimizer: str, loss: str, k: int) -> None:
    choices = {"optimizer": optimizer, "loss": loss, "steps": 12}
    plain, scaled = painted(1.0, **choices), painted(10.0**k, **choices)
    torch.testing.assert_close(scaled.image, plain.image, rtol=0, atol=2e-3)
    assert scaled.loss == pytest.approx(plain.loss * 10.0**k, rel=1e-3)


@pytest.mark.parametrize("k", range(-12, 13, 4))
def test_the_first_step_without_a_known_curvature_is_as_long_whatever_the_unit(k: int) -> None:
    """A loss that is a slope has no curvature to learn."""
    image = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    descent = build(image, 4, recipe())
    slope = 10.0**k * torch.linspace(-1, 1, image.numel()).view_as(image)

    def closure() -> None:
        image.grad = slope.clone()

    path = [image.detach().clone()]
    for _ in range(4):
        descent.step(closure)
        path.append(image.detach().clone())
    lengths = [(b - a).square().mean().sqrt().item() for a, b in pairwise(path)]
    assert lengths == pytest.approx([0.01, 0.05, 0.05, 0.05], rel=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pictures_of_a_batch_have_each_their_own_unit(optimizer: str) -> None:
    """One gradient is 10^20 times the other, and one has none until the third step."""
    factors = torch.tensor([1e-10, 1.0, 1e10]).view(3, 1, 1, 1)
    image = torch.full((3, 3, 4, 4), 0.3, requires_grad=True)
    descent = build(image, 10, recipe(optimizer=optimizer))
    calls = 0

    def closure() -> None:
        nonlocal calls
        calls += 1
        awake = torch.tensor([1.0, 1.0 if calls > 2 else 0.0, 1.0]).view(3, 1, 1, 1)
        image.grad = awake * factors * (image.detach() - torch.linspace(0, 1, 48).view(3, 4, 4))

    path = []
    for _ in range(10):
        descent.step(closure)
        path.append(image.detach().clone())
    torch.testing.assert_close(path[-1][0], path[-1][2], rtol=0, atol=1e-5)
    assert torch.equal(path[1][1], torch.full((3, 4, 4), 0.3))
    assert not torch.equal(path[2][1], path[1][1])
    assert path[-1].isfinite().all()


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=5),
)
def test_dividing_by_a_power_of_two_rounds_nothing(values: list[float]) -> None:
    x = torch.tensor([values])
    (unit,) = power_of_two(x).flatten().tolist()
    assert math.frexp(unit)[0] == 0.5
    quotients = (x / unit).flatten().tolist()
    largest = max(map(abs, values))
    assert max(map(abs, quotients)) < 4
    if largest >= torch.finfo(torch.float32).tiny:
        assert max(map(abs, quotients)) >= 0.5
    for value, quotient in zip(values, quotients, strict=True):
        if abs(value) > 1e-30 * largest:  # below, nothing is seen beside the largest
            assert quotient * unit == value


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gradient_that_is_no_number_is_not_hidden(optimizer: str, bad: float) -> None:
    image = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    descent = build(image, 1, recipe(optimizer=optimizer))

    def closure() -> None:
        image.grad = torch.ones_like(image)
        image.grad[0, 0, 0, 0] = bad

    descent.step(closure)
    assert not image.isfinite().all()


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(-25, 25), growth=st.floats(-3, 3))
def test_lbfgs_stays_finite_whatever_gradients_come(seed: int, size: float, growth: float) -> None:
    """Gradients of no function at all; up to 10^12 times the first, or next to nothing."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.full((1, 3, 2, 3), 0.5, requires_grad=True)
    descent = build(image, 15, recipe())
    number = 0

    def closure() -> None:
        nonlocal number
        drawn = torch.randn(image.shape, generator=generator)
        image.grad = 10.0 ** (size + min(12.0, growth * number)) * drawn
        number += 1

    for _ in range(15):
        descent.step(closure)
        assert image.isfinite().all()
