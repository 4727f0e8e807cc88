"""The preconditioner is a symmetric, positive definite product that favours large things."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nstcli.engine.coarse_first import assembled, coarse_first, levels_of
from nstcli.engine.lbfgs import LBFGS
from tests.nstcli.engine.drawn import features


def matrix(height: int, width: int, wraps: bool) -> torch.Tensor:
    """Return it as a matrix, a column for each pixel."""
    pixels = torch.eye(height * width, dtype=torch.float64)
    return coarse_first(pixels.view(-1, 1, height, width), wraps).flatten(1)


@given(height=st.integers(1, 19), width=st.integers(1, 19), wraps=st.booleans())
def test_symmetric_and_positive_definite_at_any_size(height: int, width: int, wraps: bool) -> None:
    product = matrix(height, width, wraps)
    torch.testing.assert_close(product, product.T)
    assert torch.linalg.eigvalsh(product).min() > 1 - 1e-9  # the pixels themselves are in it


@given(count=st.integers(1, 3), height=st.integers(1, 40), width=st.integers(1, 40))
def test_linear_and_of_each_picture_and_channel_alone(count: int, height: int, width: int) -> None:
    x, y = (features(count, 3, height, width, seed=seed) for seed in (1, 2))
    torch.testing.assert_close(coarse_first(2 * x + y), 2 * coarse_first(x) + coarse_first(y))
    alone = coarse_first(x[-1:, 1:2])
    torch.testing.assert_close(coarse_first(x)[-1:, 1:2], alone)


@given(height=st.integers(8, 40), width=st.integers(8, 40))
def test_no_pixel_of_a_tile_is_at_a_border(height: int, width: int) -> None:
    """A field is as much at the seam as elsewhere; and where levels fit, nothing knows of it."""
    field = coarse_first(torch.ones(1, 1, height, width, dtype=torch.float64), wraps=True)
    assert field.min() > 0.6 * field.max()
    x = features(1, 3, 32, 64)
    moved = coarse_first(x.roll((16, 32), (2, 3)), wraps=True)
    torch.testing.assert_close(moved, coarse_first(x, wraps=True).roll((16, 32), (2, 3)))


def test_fields_count_more_than_grain() -> None:
    rows = torch.arange(64, dtype=torch.float64)
    grain = ((rows[:, None] + rows) % 2 * 2 - 1)[None, None]
    field = torch.ones(1, 1, 64, 64, dtype=torch.float64)

    def gain(x: torch.Tensor) -> float:
        return ((x * coarse_first(x)).sum() / x.square().sum()).item()

    assert gain(grain) == pytest.approx(1, rel=0.05)
    assert gain(field) > 4


def test_lbfgs_with_the_true_curvature_as_its_guess_takes_one_step() -> None:
    """What a guess is for: had it been told the inverse Hessian, there is nothing to learn."""
    stiffness = torch.logspace(0, 3, 48, dtype=torch.float64).view(1, 3, 4, 4)
    image = features(1, 3, 4, 4).mul(1e-3).requires_grad_()
    optimizer = LBFGS(image, lambda x: x / stiffness)

    def closure() -> None:
        (image.grad,) = torch.autograd.grad((stiffness * image.square()).sum() / 2, image)

    before = (stiffness * image.square()).sum().item()
    for _ in range(3):  # the first is bounded, the second knows the size of the curvature
        optimizer.step(closure)
    assert (stiffness * image.square()).sum().item() < 1e-12 * before


@given(st.integers(4, 40), st.integers(4, 40), st.booleans())
def test_the_gradient_of_a_level_is_that_of_the_pictures_it_makes(
    height: int, width: int, wraps: bool
) -> None:
    """Uᵀ is the transpose of U: ⟨U p, g⟩ = ⟨p, Uᵀ g⟩, level by level up to one factor of each."""
    gradient = torch.randn(1, 2, height, width, dtype=torch.float64)
    aimed = levels_of(gradient, wraps)
    for number, level in enumerate(aimed):
        changed = [torch.zeros_like(each) for each in aimed]
        changed[number] = torch.randn_like(level)
        wanted = 4**number * (changed[number] * level).sum()
        torch.testing.assert_close((assembled(changed, wraps) * gradient).sum(), wanted)


@pytest.mark.parametrize("wraps", [False, True])
def test_a_flat_level_is_a_flat_picture_inside(wraps: bool) -> None:
    levels = [torch.zeros_like(each) for each in levels_of(torch.zeros(1, 3, 48, 64))]
    levels[-1].fill_(1)
    inside = assembled(levels, wraps)[..., 8:-8, 8:-8]
    torch.testing.assert_close(inside, torch.ones_like(inside))
