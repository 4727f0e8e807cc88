"""Regions and maps: what they leave as it is, what they divide, and where they hold."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine import matching, memory
from nstcli.engine.guidance import EVERYWHERE, Guidance, Region
from nstcli.engine.masks import area, fitted, pooled
from nstcli.engine.matching import matched
from nstcli.engine.objective import evaluate, judged_parts, parts
from nstcli.engine.stylize import Result, Scale, stylize, stylize_together
from nstcli.engine.targets import mixed, read_content, read_style
from nstcli.recipe import Recipe
from tests.nstcli.engine.drawn import features, standing
from tests.nstcli.engine.scene import CONTENT, OTHER, STYLE, picture, recipe

ALL_TERMS = {"content_weight": 1.0, "style_weight": 30.0, "nearest_weight": 15.0}


def halves(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Masks of the left and of the right half."""
    left = torch.zeros(1, 1, height, width)
    left[..., : width // 2] = 1
    return left, 1 - left


def scale_of(
    extractor: FeatureExtractor,
    asked: Recipe,
    content: Tensor = CONTENT,
    style: Tensor = STYLE,
    **guidance: Any,
) -> Scale:
    return Scale(
        read_content(extractor, content, asked),
        read_style(extractor, [style], asked),
        Guidance(**guidance),
    )


def terms_of(
    extractor: FeatureExtractor, scale: Scale, asked: Recipe, image: Tensor
) -> dict[str, Tensor]:
    objective = parts(extractor, scale.content, scale.style, asked, guidance=scale.guidance)
    return evaluate(extractor, image, objective)


def test_maps_are_how_much_a_term_weighs(extractor: FeatureExtractor) -> None:
    asked = recipe(**ALL_TERMS)
    half, twice = torch.full((1, 1, 24, 32), 0.5), torch.full((1, 1, 24, 32), 2.0)
    plain = terms_of(extractor, scale_of(extractor, asked), asked, OTHER)
    guided = scale_of(extractor, asked, content=CONTENT, style=STYLE)
    guided = Scale(guided.content, guided.style, Guidance(content=twice, style=half))
    found = terms_of(extractor, guided, asked, OTHER)
    torch.testing.assert_close(found["content"], 2 * plain["content"])
    torch.testing.assert_close(found["style"], plain["style"] / 2)
    torch.testing.assert_close(found["nearest"], plain["nearest"] / 2)


def test_maps_multiply() -> None:
    one, other = features(1, 1, 4, 5), features(1, 1, 4, 5, seed=1)
    assert EVERYWHERE.plain
    assert EVERYWHERE.times().plain
    found = EVERYWHERE.times(content=one).times(content=other, style=one)
    assert not found.plain
    assert found.content is not None
    assert torch.equal(found.content, one * other)
    assert found.style is one


def test_both_halves_of_the_same_picture_are_painted_as_the_whole(
    extractor: FeatureExtractor,
) -> None:
    """Two regions with the same style pull every place, away from the seam, as no region does."""
    asked = recipe(content_weight=1.0, style_weight=30.0)
    half = picture(32, 64, seed=3)
    content = torch.cat([half, half], -1)
    image = (content + 0.1).clamp(0, 1).requires_grad_()
    plain = scale_of(extractor, asked, content)
    regions = tuple(Region(mask, plain.style) for mask in halves(32, 128))
    guided = Scale(plain.content, plain.style, Guidance(regions=regions))
    gradients = []
    for scale in (plain, guided):
        terms = terms_of(extractor, scale, asked, image)
        (gradient,) = torch.autograd.grad(terms["style"].sum(), image)
        gradients.append(gradient)
    # The Gram matrices of the halves differ by what their borders see of each other.
    far = [gradient[..., 12:52] for gradient in gradients]
    assert (far[0] - far[1]).norm() < 0.05 * far[0].norm()
    errors = [
        evaluate(extractor, image, judged_parts(s.content, s.style, asked, s.guidance))
        for s in (plain, guided)
    ]
    torch.testing.assert_close(errors[0]["content"], errors[1]["content"])
    assert errors[1]["style"].item() == pytest.approx(errors[0]["style"].item(), rel=0.05)


def test_the_gradient_of_regions_and_maps_is_the_derivative(extractor: FeatureExtractor) -> None:
    extractor.double().arrange(torch.float64, torch.contiguous_format)
    asked = recipe(**ALL_TERMS)
    content, style = CONTENT.double(), STYLE.double()
    mask = halves(20, 28)[0].double()
    styles = [
        read_style(extractor, [style], asked),
        read_style(extractor, [style, style], asked, [1, 2], [mask, None]),
    ]
    soft = torch.linspace(0, 1, 32, dtype=torch.float64).expand(1, 1, 24, 32)
    maps = {"content": 1 + features(1, 1, 24, 32).abs(), "style": features(1, 1, 24, 32).abs()}
    regions = (Region(soft, styles[0]), Region(1 - soft, styles[1]))
    scale = Scale(
        read_content(extractor, content, asked), styles[0], Guidance(**maps, regions=regions)
    )
    objective = parts(extractor, scale.content, scale.style, asked, guidance=scale.guidance)
    image = OTHER.double().requires_grad_()
    direction = features(1, 3, 24, 32, seed=2)

    def value(shift: float) -> Tensor:
        terms = evaluate(extractor, image + shift * direction, objective)
        return torch.stack([terms["content"], terms["style"], terms["nearest"]]).sum()

    (gradient,) = torch.autograd.grad(value(0), image)
    expected = (value(1e-7) - value(-1e-7)) / 2e-7
    torch.testing.assert_close((gradient * direction).sum(), expected.detach(), rtol=1e-4, atol=0)


def test_a_place_that_takes_no_style_stays_as_it_is(extractor: FeatureExtractor) -> None:
    asked = recipe(**ALL_TERMS, scales=1, steps=15, size=64)
    content = picture(40, 64, seed=1)
    left, _ = halves(40, 64)
    scale = scale_of(extractor, asked, content)
    painted = stylize(extractor, [Scale(scale.content, scale.style, Guidance(style=left))], asked)
    moved = (painted.image - content).abs().mean((0, 1, 2))
    assert moved[:24].mean() > 0.05
    assert moved[44:].max() < 0.2 * moved[:24].mean()
    assert painted.style_error < painted.style_error_before


def test_a_map_that_is_black_everywhere_leaves_the_photo(extractor: FeatureExtractor) -> None:
    asked = recipe(**ALL_TERMS, steps=3)
    scale = scale_of(extractor, asked)
    black = Guidance(style=torch.zeros(1, 1, 24, 32))
    painted = stylize(extractor, [Scale(scale.content, scale.style, black)], asked)
    assert torch.equal(painted.image, CONTENT)
    assert (painted.style_error, painted.style_error_before) == (0, 0)


def test_pairs_with_masks_are_painted_at_once_as_alone(extractor: FeatureExtractor) -> None:
    # Not Adam, whose steps are as large where nothing but rounding is left of a gradient.
    asked = recipe(**ALL_TERMS, steps=3)
    left, right = halves(24, 32)
    pairs = [
        [scale_of(extractor, asked)],
        [scale_of(extractor, asked, OTHER)],
        [scale_of(extractor, asked, OTHER)],
    ]
    pairs[1][0] = Scale(pairs[1][0].content, pairs[1][0].style, Guidance(style=left))
    pairs[2][0] = Scale(
        pairs[2][0].content, pairs[2][0].style, Guidance(content=right, style=right)
    )
    together = stylize_together(extractor, pairs, asked)
    for pair, result in zip(pairs, together, strict=True):
        alone = stylize(extractor, pair, asked)
        assert isinstance(result, Result)
        torch.testing.assert_close(result.image, alone.image, rtol=0, atol=1e-3)
        assert result.style_error == pytest.approx(alone.style_error, rel=1e-3)


def test_pairs_with_other_regions_are_not_painted_at_once(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=1)
    plain = scale_of(extractor, asked)
    regions = tuple(Region(mask, plain.style) for mask in halves(24, 32))
    parted = Scale(plain.content, plain.style, Guidance(regions=regions))
    with pytest.raises(ValueError, match="different shapes"):
        stylize_together(extractor, [[plain], [parted]], asked)


def test_a_region_that_is_too_small_for_a_layer_asks_for_nothing_there(
    extractor: FeatureExtractor,
) -> None:
    asked = recipe(style_weight=1.0)
    small = torch.zeros(1, 1, 24, 32)
    small[..., 8:16, 8:15] = 1  # 14 positions of relu2, 3.5 of relu3
    plain = scale_of(extractor, asked)
    guidance = Guidance(regions=(Region(small, plain.style),))
    found = parts(extractor, plain.content, plain.style, asked, guidance=guidance)
    shares = {part.layer: float(part.share) for part in found if part.term == "style"}
    share = 56 / (3 * 24 * 32)
    assert shares == {"relu1": pytest.approx(share), "relu2": pytest.approx(share), "relu3": 0}
    # Likewise on the other side.
    masked = read_style(extractor, [STYLE], asked, masks=[small[..., :20, :28]])
    assert masked.unseen == {"relu3"}
    found = parts(extractor, plain.content, masked, asked)
    assert [float(p.share) > 0 for p in found if p.term == "style"] == [True, True, False]
    # Where another image of the style is seen there, that one stands for both.
    both = mixed([masked, plain.style], [1, 1])
    assert not both.unseen
    for place, value in both.statistics.items():
        one, other = masked.statistics[place], plain.style.statistics[place]
        torch.testing.assert_close(value, other if place[1] == "relu3" else (one + other) / 2)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_masks_that_tile_a_picture_tile_every_size_and_layer_of_it(
    height: int, width: int, rows: int, columns: int, seed: int
) -> None:
    masks = features(3, 1, height, width, seed=seed, dtype=torch.float32).softmax(0)
    for found in (fitted(masks, rows, columns), pooled(masks, (rows, columns))):
        assert found is not None
        assert found.min() >= 0
        torch.testing.assert_close(found.sum(0), torch.ones(1, rows, columns))
    assert area(masks).le(1).all()


def test_every_style_offers_places_in_proportion_to_its_share(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe()
    one, other = (read_style(extractor, [image], asked) for image in (STYLE, OTHER))
    layers = {"relu1": 1.0}
    alone = matching._offered(extractor, one.artworks, layers)["relu1"]
    assert torch.equal(
        matching._offered(extractor, mixed([one, other], [1, 0]).artworks, layers)["relu1"], alone
    )
    counts = {len(alone): 0}
    for weight in (1.0, 0.25):
        offered = matching._offered(extractor, mixed([one, other], [1, weight]).artworks, layers)
        places = [set(map(tuple, each.tolist())) for each in (alone, offered["relu1"])]
        own = len(places[0] & places[1])
        counts[own] = len(places[1]) - own
        assert (len(places[1]) - own) / own == pytest.approx(weight, rel=0.1)


def test_only_places_within_the_mask_of_a_style_are_offered(extractor: FeatureExtractor) -> None:
    asked = recipe()
    left, _ = halves(24, 32)
    whole = torch.cat([STYLE[..., :16], OTHER[..., :20, :16]], -1)
    masked = read_style(extractor, [whole], asked, masks=[left[..., :20, :]])
    found = matched(extractor, CONTENT, masked.artworks, None, {"relu1": 1.0})["relu1"]
    places = set(map(tuple, standing(found)[0].flatten(1).T.tolist()))
    allowed = set()
    for turns in range(4):
        image = torch.rot90(whole, turns, (2, 3)).contiguous()
        mask = torch.rot90(left[..., :20, :], turns, (2, 3))
        grid = [edge // 4 for edge in image.shape[-2:]]
        values = matching._places(extractor, image, ["relu1"])["relu1"]
        inside = pooled(mask, grid)
        assert inside is not None
        allowed |= set(map(tuple, values[inside.flatten() > 0.5].tolist()))
    assert places <= allowed


def test_memory_of_regions_is_foretold(extractor: FeatureExtractor) -> None:
    asked = recipe(**ALL_TERMS)
    _, expected, _, many = memory.measure_tensors(extractor, asked, regions=3)
    (_, taken, _, few), (_, plain, *_) = (
        memory._measured(extractor, asked, n, 128) for n in (3, 0)
    )
    assert expected.peak / many == pytest.approx(taken.peak / few, rel=0.05)
    assert taken.peak > plain.peak
