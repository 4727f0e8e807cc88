"""The distances of our terms against the formulas of their papers, computed with numpy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from nstcli.engine.losses import Target, distances_of
from nstcli.engine.losses.statistics import gram
from nstcli.engine.targets import neighbours as pairs_of_neighbours
from tests.nstcli.engine.drawn import features, loss_of, target_for

Array = NDArray[np.float64]


def matrix(activations: Tensor) -> Array:
    """(1, C, H, W) -> F as the papers write it, (C, M)."""
    array: Array = activations[0].reshape(activations.shape[1], -1).numpy()
    return array


def neighbours(image: Tensor) -> Array:
    """Every difference of two pixels side by side or one above the other, by plain loops."""
    x = image[0].numpy()
    channels, height, width = x.shape
    found = [
        x[c, i, j] - x[c, k, m]
        for c in range(channels)
        for i in range(height)
        for j in range(width)
        for k, m in ((i + 1, j), (i, j + 1))
        if k < height and m < width
    ]
    return np.array(found)


# The published formulas, for F and P with C maps of M positions each.
def content_relative(f: Array, p: Array) -> float:
    return float(((f - p) ** 2).sum() / (p**2).sum())


def content_gatys(f: Array, p: Array) -> float:
    return float(0.5 * ((f - p) ** 2).sum())


def content_sum(f: Array, p: Array) -> float:
    return float(((f - p) ** 2).sum())


def content_mean(f: Array, p: Array) -> float:
    return float(((f - p) ** 2).sum() / f.size)


def style_relative(f: Array, p: Array) -> float:
    g, a = f @ f.T / f.shape[1], p @ p.T / p.shape[1]
    return float(((g - a) ** 2).sum() / (a**2).sum())


def style_gatys(f: Array, p: Array) -> float:
    """Gatys, Ecker, Bethge 2016, eq. 3 and 4; N_l = C, M_l = M."""
    g, a = f @ f.T, p @ p.T
    (c, m) = f.shape
    return float(((g - a) ** 2).sum() / (4 * c**2 * m**2))


def style_sum(f: Array, p: Array) -> float:
    """CS231n, assignment 3: normalised Gram matrices, summed squares."""
    g, a = f @ f.T / f.size, p @ p.T / p.size
    return float(((g - a) ** 2).sum())


def style_mean(f: Array, p: Array) -> float:
    """Johnson et al. 2016, eq. 3; mean over the C×C entries as in neural-style."""
    g, a = f @ f.T / f.size, p @ p.T / p.size
    return float(np.mean((g - a) ** 2))


FORMULAS: dict[tuple[str, str], Callable[[Array, Array], float]] = {
    ("content", "relative"): content_relative,
    ("content", "gatys"): content_gatys,
    ("content", "sum"): content_sum,
    ("content", "mean"): content_mean,
    ("style", "relative"): style_relative,
    ("style", "gatys"): style_gatys,
    ("style", "sum"): style_sum,
    ("style", "mean"): style_mean,
}
TV_FORMULAS: dict[str, Callable[[Array], float]] = {
    "relative": lambda d: float((d**2).mean()),
    "gatys": lambda d: float((d**2).mean()),
    "mean": lambda d: float((d**2).mean()),
    "sum": lambda d: float((d**2).sum()),
    "l1": lambda d: float(np.abs(d).mean()),
}


def test_every_distance_has_a_formula_here() -> None:
    known = {(term, name) for term in ("content", "style", "tv") for name in distances_of(term)}
    assert {*FORMULAS, *(("tv", name) for name in TV_FORMULAS)} == known


@pytest.mark.parametrize(("term", "convention"), FORMULAS)
def test_content_and_style_are_what_the_papers_say(term: str, convention: str) -> None:
    f, p = features(1, 5, 4, 6, seed=1), features(1, 5, 4, 6, seed=2) + 0.3
    (found,) = loss_of(term, convention)(f, target_for(term, p))
    expected = FORMULAS[term, convention](matrix(f), matrix(p))
    assert found.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("convention", ["relative", "sum", "mean"])
def test_style_image_may_have_another_size(convention: str) -> None:
    f, p = features(1, 5, 4, 6, seed=1), features(1, 5, 9, 3, seed=2)
    (found,) = loss_of("style", convention)(f, target_for("style", p))
    expected = FORMULAS["style", convention](matrix(f), matrix(p))
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_gatys_divides_each_side_by_its_own_size() -> None:
    f, p = features(1, 5, 4, 6, seed=1), features(1, 5, 4, 6, seed=2)
    (once,) = loss_of("style", "gatys")(f, target_for("style", p))
    (twice,) = loss_of("style", "gatys")(f, target_for("style", torch.cat([p, p], dim=3)))
    assert twice.item() == pytest.approx(once.item(), rel=1e-12)


@pytest.mark.parametrize("convention", TV_FORMULAS)
def test_total_variation_by_hand(convention: str) -> None:
    image = features(1, 3, 4, 6)
    by_hand = neighbours(image)
    (found,) = loss_of("tv", convention)(image, Target.flat(pairs_of_neighbours(image)))
    assert len(by_hand) == pairs_of_neighbours(image)
    assert found.item() == pytest.approx(TV_FORMULAS[convention](by_hand), rel=1e-12)


@pytest.mark.parametrize("convention", TV_FORMULAS)
def test_flat_pictures_have_no_variation(convention: str) -> None:
    flat = torch.full((1, 3, 4, 5), 0.7)
    assert loss_of("tv", convention)(flat, Target.flat(1)).item() == 0.0


def test_gram_is_the_mean_product_of_maps_over_their_number() -> None:
    x = features(2, 3, 4, 5)
    found = gram(x)
    for n in range(2):
        f = matrix(x[n : n + 1])
        np.testing.assert_allclose(found[n].numpy(), f @ f.T / (3 * 20), rtol=1e-12)


def test_batch_may_have_a_target_for_each_picture() -> None:
    x, p = features(2, 3, 4, 5, seed=1), features(2, 3, 4, 5, seed=2)
    for term, convention in FORMULAS:
        together = loss_of(term, convention)(x, target_for(term, p))
        for n in range(2):
            one = slice(n, n + 1)
            (alone,) = loss_of(term, convention)(x[one], target_for(term, p[one]))
            assert together[n].item() == pytest.approx(alone.item(), rel=1e-12)


@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(*[st.integers(1, 5)] * 4),
    factor=st.floats(1e-3, 1e3),
)
def test_gram_is_symmetric_and_positive_and_quadratic(
    seed: int, shape: tuple[int, int, int, int], factor: float
) -> None:
    x = features(*shape, seed=seed)
    found = gram(x)
    assert found.shape == (shape[0], shape[1], shape[1])
    torch.testing.assert_close(found, found.mT, rtol=1e-12, atol=1e-14)
    smallest = torch.linalg.eigvalsh(found).min().item()
    assert smallest > -1e-12 * max(1.0, found.abs().max().item())
    torch.testing.assert_close(gram(factor * x), factor**2 * found)


@given(seed=st.integers(0, 2**32))
def test_gram_forgets_where_things_are(seed: int) -> None:
    x = features(1, 3, 4, 5, seed=seed)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(gram(x.flatten(2)[:, :, order].view_as(x)), gram(x))


@pytest.mark.parametrize("term", ["content", "style"])
@given(seed=st.integers(0, 2**32), factor=st.floats(1e-4, 1e4))
def test_relative_error_has_no_unit(term: str, seed: int, factor: float) -> None:
    x, p = features(1, 3, 4, 5, seed=seed), features(1, 3, 4, 5, seed=seed + 1)
    relative = loss_of(term, "relative")
    torch.testing.assert_close(
        relative(factor * x, target_for(term, factor * p)),
        relative(x, target_for(term, p)),
        rtol=1e-9,
        atol=0,
    )


@pytest.mark.parametrize("term", ["content", "style"])
def test_relative_error_of_nothing_is_one(term: str) -> None:
    p = features(1, 3, 4, 5)
    (found,) = loss_of(term, "relative")(torch.zeros_like(p), target_for(term, p))
    assert found.item() == pytest.approx(1.0, rel=1e-12)


def test_floor_replaces_a_smaller_energy_only() -> None:
    value = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert Target.of(value, 1e-3).energy.tolist() == pytest.approx([25.0, 1e-3])
    assert Target.of(value, torch.tensor(30.0)).energy.tolist() == [30.0, 30.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gram_of_half_precision_does_not_overflow(dtype: torch.dtype) -> None:
    x = (500 + 100 * features(1, 4, 64, 64)).to(dtype)
    assert x.square().sum() > 65504
    found = gram(x)
    assert found.dtype == torch.float32
    rtol = 1e-5 if dtype == torch.float16 else 1e-3  # see nstcli.engine.losses.statistics._product
    torch.testing.assert_close(found.double(), gram(x.double()), rtol=rtol, atol=0)


def test_gram_keeps_double_precision() -> None:
    assert gram(features(1, 3, 4, 5)).dtype == torch.float64
