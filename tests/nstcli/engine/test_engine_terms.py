"""The contract of a term: what every row of the table keeps to, without a word about which."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from backbones.hooks import FeatureExtractor
from nstcli.engine import memory
from nstcli.engine.losses import Distance, Statistic, distances_of, statistic_of
from nstcli.engine.objective import Part, evaluate, parts
from nstcli.engine.targets import read_content, read_style
from nstcli.recipe import Recipe
from nstcli.terms import TERMS
from tests.nstcli.engine.drawn import features, loss_of, target_for
from tests.nstcli.engine.scene import paint, picture, recipe, scales

CONVENTIONS = sorted({convention for term in TERMS.values() for convention in term.weights})
DISTANCES = [(term, name) for term in TERMS for name in distances_of(term)]
ROLES = {"content", "style"}


def alone(term: str, **choices: object) -> Recipe:
    """Make a recipe in which no other term weighs anything."""
    return recipe(**{f"{name}_weight": float(name == term) for name in TERMS}, **choices)


def named(convention: str) -> dict[str, str]:
    """Choose a convention, and no norm beside it."""
    return {"loss": convention, **{t.norm: "l2" for t in TERMS.values() if t.norm}}


@pytest.mark.parametrize("term", TERMS)
def test_a_row_says_what_everybody_needs_to_know(term: str) -> None:
    row = TERMS[term]
    assert row.name == term
    assert row.help
    assert set(row.weights) == set(CONVENTIONS)
    assert min(row.weights.values()) >= 0
    assert row.layers in {*ROLES, "nearest", None}
    assert row.target in {*ROLES, "matched", None}
    assert row.follows is None or list(TERMS).index(row.follows) < list(TERMS).index(term)


@pytest.mark.parametrize("term", TERMS)
def test_every_convention_has_a_distance(term: str) -> None:
    distances = set(distances_of(term))
    assert set(CONVENTIONS) <= distances
    assert TERMS[term].norm or distances == set(CONVENTIONS)  # others need an option


@pytest.mark.parametrize("term", TERMS)
def test_the_statistic_of_a_style_is_small_and_fits_any_size(term: str) -> None:
    if TERMS[term].target == "style":
        assert not statistic_of(term).local


@pytest.mark.parametrize(("term", "name"), DISTANCES)
def test_one_number_per_picture(term: str, name: str) -> None:
    x = features(3, 4, 5, 6, seed=1, dtype=torch.float32).requires_grad_()
    target = target_for(term, features(1, 4, 5, 6, seed=2, dtype=torch.float32))
    found = loss_of(term, name)(x, target)
    assert found.shape == (3,)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    assert (found > 0).all()
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize(("term", "name"), DISTANCES)
def test_gradient_of_every_distance(term: str, name: str) -> None:
    x = features(2, 3, 4, 3, seed=1).requires_grad_()
    target = target_for(term, features(1, 3, 4, 3, seed=2))
    loss: Distance = loss_of(term, name)
    assert gradcheck(lambda each: loss(each, target), x)


@pytest.mark.parametrize(("term", "name"), DISTANCES)
def test_zero_at_the_target(term: str, name: str) -> None:
    if TERMS[term].target:
        x = features(1, 3, 4, 5)
        assert 0 <= loss_of(term, name)(x, target_for(term, x)).item() < 1e-15


@pytest.mark.parametrize(("term", "name"), DISTANCES)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 4), size=st.integers(2, 6))
def test_pictures_of_a_batch_do_not_mix(
    term: str, name: str, seed: int, count: int, size: int
) -> None:
    x = features(count, 3, size, 5, seed=seed)
    target = target_for(term, features(1, 3, size, 5, seed=seed + 1))
    loss = loss_of(term, name)
    together = loss(x, target)
    each = torch.cat([loss(x[n : n + 1], target) for n in range(count)])
    torch.testing.assert_close(together, each, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("term", "name"), DISTANCES)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_target_gives_finite_values(term: str, name: str, level: float) -> None:
    x = (level * features(1, 3, 4, 5, dtype=torch.float32)).requires_grad_()
    found = loss_of(term, name)(x, target_for(term, torch.zeros(1, 3, 4, 5)))
    assert found.isfinite().all()
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(("term", "name"), DISTANCES)
def test_positions_count_as_their_weights_say(term: str, name: str) -> None:
    """A local term is that many times what it is at a position; a mean is that of what counts."""
    if not TERMS[term].target:
        return
    x, like = features(2, 3, 4, 6, seed=1).requires_grad_(), features(1, 3, 4, 6, seed=2)
    left = torch.ones(1, 1, 4, 6, dtype=torch.float64)
    left[..., 3:] = 0
    statistic, distance = statistic_of(term), distances_of(term)[name]
    target = target_for(term, like)
    plain = distance(statistic.of(x), target)
    if statistic.local:
        halved = replace(target, weights=torch.full_like(left, 0.5))
        torch.testing.assert_close(distance(statistic.of(x), halved), plain / 2)
        masks = [replace(target, weights=each) for each in (left, 1 - left)]
        parted = [distance(statistic.of(x), each) for each in masks]
        torch.testing.assert_close(parted[0] + parted[1], plain)
        found = parted[0]
    else:
        torch.testing.assert_close(statistic.of(x, left), statistic.of(x[..., :3]))
        soft = features(1, 1, 4, 6, seed=3).abs()
        assert gradcheck(lambda each: distance(statistic.of(each, soft), target), x)
        found = distance(statistic.of(x, left), target)
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert (gradient[..., 3:] == 0).all()
    assert (gradient[..., :3] != 0).any()


def tiles(x: Tensor) -> Iterator[Iterator[Tensor]]:
    """Cut (N, C, 6, 8) into four tiles of different sizes, row by row."""
    return (iter(row.tensor_split([5], dim=3)) for row in x.tensor_split([2], dim=2))


def local_of_tiles(statistic: Statistic, x: Tensor) -> Tensor:
    """Find a local statistic of the same tiles, each with a line more, and lay them together."""
    rows = [
        torch.cat(
            [statistic.of(x[:, :, a : b + 1, c : d + 1])[..., : b - a, : d - c] for c, d in ends], 3
        )
        for a, b in ((0, 2), (2, 6))
        for ends in [((0, 5), (5, 8))]
    ]
    return torch.cat(rows, 2)


@pytest.mark.parametrize("term", [term for term in TERMS if statistic_of(term).additive])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_statistics_of_tiles_add_up(term: str, dtype: torch.dtype) -> None:
    statistic, x = statistic_of(term), features(2, 3, 6, 8, dtype=dtype)
    whole = statistic.of(x)
    assert len(whole) == 2
    if statistic.local:
        assert torch.equal(local_of_tiles(statistic, x), whole)
        return
    shares = [(statistic.of(t), t[0, 0].numel() / 48) for row in tiles(x) for t in row]
    rtol = {torch.float64: 1e-12, torch.bfloat16: 3e-2}.get(dtype, 1e-5)
    added = sum(share * value for value, share in shares)
    torch.testing.assert_close(added, whole, rtol=rtol, atol=rtol)
    assert whole.dtype == (dtype if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_gradient_that_reaches_the_picture(
    extractor: FeatureExtractor, term: str, convention: str
) -> None:
    """It is the derivative along any direction, through the network, in double precision."""
    extractor.double().arrange(torch.float64, torch.contiguous_format)
    asked = alone(term, **named(convention))
    content = read_content(extractor, picture(24, 32, seed=0).double(), asked)
    style = read_style(extractor, [picture(20, 28, seed=1).double()], asked)
    terms = parts(extractor, content, style, asked)
    image = (0.5 + 0.1 * features(2, 3, 24, 32, seed=1)).requires_grad_()
    direction = features(2, 3, 24, 32, seed=2)

    def value(shift: float) -> Tensor:
        return evaluate(extractor, image + shift * direction, terms)[term]

    assert {part.term for part in terms} == {term}
    (gradient,) = torch.autograd.grad(value(0).sum(), image)
    found = (gradient * direction).flatten(1).sum(1)
    expected = (value(1e-7) - value(-1e-7)) / 2e-7
    assert (gradient.flatten(1).abs().sum(1) > 0).all()
    # What sorts values has a kink wherever two of them change places.
    torch.testing.assert_close(found, expected.detach(), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_term_alone_makes_progress(
    extractor: FeatureExtractor, term: str, convention: str
) -> None:
    start: list[float] = []
    asked = alone(term, init="noise", **named(convention))
    result = paint(extractor, asked, lambda step: start.append(step.loss))
    assert result.loss < 0.9 * start[0]
    assert all(
        torch.tensor([result.content_error, result.style_error, result.style_error_before]) >= 0
    )


@pytest.mark.parametrize("term", TERMS)
def test_memory_of_a_term_is_foretold(extractor: FeatureExtractor, term: str) -> None:
    """What is found without computing is what a computation takes."""
    asked = alone(term)
    foretold = memory.needs(extractor, asked)
    assert foretold.painting >= foretold.reading > 0
    _, expected, _, many = memory.measure_tensors(extractor, asked)
    _, taken, _, few = memory._measured(extractor, asked, 0, 256)
    assert (many, few) == (1024**2, 256**2)
    assert expected.peak / many == pytest.approx(taken.peak / few, rel=0.05)


def test_all_terms_together_are_read_and_evaluated(extractor: FeatureExtractor) -> None:
    asked = recipe(**{f"{name}_weight": 1.0 for name in TERMS})
    (scale,) = scales(extractor, asked)
    found = evaluate(
        extractor, picture(seed=3), parts(extractor, scale.content, scale.style, asked)
    )
    assert list(found) == list(TERMS)


def test_a_statistic_of_a_layer_is_computed_once(extractor: FeatureExtractor) -> None:
    asked = recipe(**{f"{name}_weight": 1.0 for name in TERMS})
    (scale,) = scales(extractor, asked)
    calls: Counter[Statistic] = Counter()

    def counted(part: Part) -> Part:
        def of(x: Tensor, weights: Tensor | None = None, /) -> Tensor:
            calls[part.statistic] += 1
            return part.statistic.of(x)

        return replace(part, statistic=counting.setdefault(part.statistic, Statistic(of, False)))

    counting: dict[Statistic, Statistic] = {}
    every = [counted(part) for part in parts(extractor, scale.content, scale.style, asked)]
    evaluate(extractor, picture(seed=3), every * 2)  # as if two terms looked at the same
    assert calls.total() == len({(part.statistic, part.layer) for part in every})
