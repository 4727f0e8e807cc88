"""Places of the style for places of the content: against a search by hand, and at its limits."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cosine_similarity

from backbones.hooks import FeatureExtractor
from nstcli.engine import matching, stylize
from nstcli.engine.losses import nearest
from nstcli.engine.losses.grid import on_grid
from nstcli.engine.losses.nearest import cosine
from nstcli.engine.losses.target import Target
from nstcli.engine.matching import matched
from nstcli.engine.targets import Artwork
from tests.nstcli.engine.drawn import features, standing
from tests.nstcli.engine.scene import CONTENT, OTHER, STYLE, paint, picture, recipe, scales

ARTWORKS = [Artwork(STYLE)]
LAYERS = {"relu1": 1.0, "relu2": 2.0, "relu3": 0.5}


def by_hand(extractor: FeatureExtractor, source: Tensor, style: Tensor) -> dict[str, Tensor]:
    """Compare every place with every other, one layer list beside the other, in float64."""

    def read(image: Tensor) -> dict[str, Tensor]:
        size = image.shape[-2] // 4, image.shape[-1] // 4
        found = extractor(image, LAYERS)
        return {name: on_grid(found[name], *size)[0].flatten(1).T for name in LAYERS}

    def standard(x: Tensor, weight: float) -> Tensor:
        centred = x.double() - x.double().mean(0)
        return weight**0.5 * centred / centred.square().sum(1).mean().sqrt()

    turned = [read(torch.rot90(style, turn, (2, 3)).contiguous()) for turn in range(4)]
    offered = {name: torch.cat([each[name] for each in turned]) for name in LAYERS}
    sought = read(source)
    joined = [
        torch.cat([standard(places[name], weight) for name, weight in LAYERS.items()], 1)
        for places in (sought, offered)
    ]
    similar = cosine_similarity(joined[0][:, None], joined[1][None], dim=2)
    best = similar.argmax(1)
    return {name: values[best] for name, values in offered.items()}


@pytest.mark.parametrize("painted", [None, OTHER])
def test_every_place_gets_the_most_similar_one(
    extractor: FeatureExtractor, painted: Tensor | None
) -> None:
    found = matched(extractor, CONTENT, ARTWORKS, painted, LAYERS)
    source = CONTENT if painted is None else 0.75 * CONTENT + 0.25 * painted
    expected = by_hand(extractor, source, STYLE)
    assert list(found) == list(LAYERS)
    for name, target in found.items():
        value = expected[name].T.view(1, -1, 6, 8)
        torch.testing.assert_close(standing(target), value)
        torch.testing.assert_close(target.energy, value.square().sum().view(1))


def test_blocks_are_no_part_of_the_answer(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = matched(extractor, CONTENT, ARTWORKS, None, LAYERS)
    monkeypatch.setattr(matching, "_BLOCK", 1000)
    for name, target in matched(extractor, CONTENT, ARTWORKS, None, LAYERS).items():
        assert torch.equal(standing(target), standing(whole[name]))


def test_of_too_many_places_some_are_drawn_the_same_every_time(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "_MOST_PLACES", 40)
    first, again = (matched(extractor, CONTENT, ARTWORKS, None, LAYERS) for _ in range(2))
    everything = matched(extractor, STYLE, ARTWORKS, None, LAYERS)
    assert len({tuple(row) for row in standing(everything["relu1"])[0].flatten(1).T.tolist()}) <= 40
    for name in LAYERS:
        assert torch.equal(standing(first[name]), standing(again[name]))


def test_a_picture_is_matched_with_itself_and_with_its_turns(extractor: FeatureExtractor) -> None:
    square = picture(24, 24, seed=5)
    for turns in range(4):
        content = torch.rot90(square, turns, (2, 3)).contiguous()
        found = matched(extractor, content, [Artwork(square)], None, LAYERS)
        own = extractor(content, LAYERS)
        for name, target in found.items():
            assert cosine(own[name], target).item() == pytest.approx(0, abs=1e-6)


def test_half_precision_finds_places_that_are_as_near(extractor: FeatureExtractor) -> None:
    exact = matched(extractor, CONTENT, ARTWORKS, None, LAYERS)
    extractor.arrange(torch.bfloat16, torch.channels_last)
    rough = matched(extractor, CONTENT, ARTWORKS, None, LAYERS)
    found = extractor(CONTENT, LAYERS)
    losses = [
        sum(cosine(found[name], target).item() for name, target in targets.items())
        for targets in (exact, rough)
    ]
    assert all(target.value.dtype == torch.bfloat16 for target in rough.values())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_pictures_have_targets_too(extractor: FeatureExtractor, level: float) -> None:
    flat = torch.full((1, 3, 24, 32), level)
    for content, style in ((flat, STYLE), (CONTENT, flat), (flat, flat)):
        for name, target in matched(extractor, content, [Artwork(style)], None, LAYERS).items():
            assert target.value.isfinite().all(), name
            assert target.energy.isfinite().all()
            assert target.weights is not None
            assert target.weights.isfinite().all()


def test_a_place_counts_by_what_the_content_shows_there(extractor: FeatureExtractor) -> None:
    """In windows of 3 x 3 places, those beyond the border left out; in float64, one by one."""
    found = matched(extractor, CONTENT, ARTWORKS, OTHER, LAYERS)
    own = extractor(CONTENT, LAYERS)
    shares = torch.zeros(6, 8, dtype=torch.float64)
    for name, weight in LAYERS.items():
        x = on_grid(own[name], 6, 8)[0].double()
        whole = x.flatten(1).var(1, correction=0).sum()
        for row in range(6):
            for column in range(8):
                window = x[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
                variance = window.flatten(1).var(1, correction=0).sum()
                shares[row, column] += weight / sum(LAYERS.values()) * variance / whole
    for target in found.values():
        assert target.weights is not None
        expected = (shares / (shares + 0.1)).float()
        torch.testing.assert_close(target.weights[0, 0], expected, rtol=1e-4, atol=1e-4)


def test_a_clear_sky_is_left_to_the_other_terms(extractor: FeatureExtractor) -> None:
    content = picture(48, 128, seed=3)
    content[..., :64] = 0.7
    target = matched(extractor, content, ARTWORKS, None, LAYERS)["relu1"]
    assert target.weights is not None
    sky, ground = target.weights[..., 3:-3, 5:10], target.weights[..., 3:-3, 18:]
    assert sky.max() < 0.05 < 0.2 < ground.min()


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
)
def test_any_activations_come_to_any_grid(height: int, width: int, rows: int, columns: int) -> None:
    x = features(2, 3, rows, columns).requires_grad_()
    found = on_grid(x, height, width)
    assert found.shape == (2, 3, height, width)
    assert x.min() - 1e-9 <= found.min() <= found.max() <= x.max() + 1e-9
    if rows >= height and columns >= width:  # then every activation counts
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert (gradient > 0).all()


def test_the_cosine_is_that_of_the_field() -> None:
    x, like = features(2, 5, 3, 4, seed=1), features(1, 5, 3, 4, seed=2)
    expected = 1 - cosine_similarity(x, like, dim=1).mean((1, 2))
    torch.testing.assert_close(cosine(x, Target.of(like)), expected, rtol=1e-3, atol=0)


def test_positions_count_by_their_weights() -> None:
    x, like = features(2, 5, 3, 4, seed=1), features(1, 5, 3, 4, seed=2)
    weights = torch.rand(1, 1, 3, 4, dtype=x.dtype)
    apart = 1 - cosine_similarity(x, like, dim=1)
    target = replace(Target.of(like), weights=weights)
    expected = (apart * weights[:, 0]).mean((1, 2))
    torch.testing.assert_close(cosine(x, target), expected, rtol=1e-3, atol=0)


def test_longer_vectors_of_the_same_direction_are_as_good() -> None:
    x = features(1, 5, 3, 4, seed=1)
    assert cosine(3 * x, Target.of(x)).item() == pytest.approx(0, abs=1e-7)


def test_places_are_found_anew_at_every_scale(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coarsest knows the content alone, the others what has been painted, too."""
    calls: list[tuple[tuple[int, ...], bool]] = []

    def watched(*args: object) -> dict[str, Target]:
        assert isinstance(args[1], Tensor)
        calls.append((tuple(args[1].shape[-2:]), args[3] is not None))
        return matched(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("nstcli.engine.objective.matched", watched)
    asked = recipe(steps=6, scales=2, nearest_weight=1.0)
    content, style = picture(40, 48, seed=1), picture(32, 36, seed=2)
    paint(extractor, asked, content=content, style=style)
    assert calls == [((20, 24), False), ((40, 48), True)]


def test_the_same_picture_every_time(extractor: FeatureExtractor) -> None:
    asked = recipe(nearest_weight=15.0)
    both = [paint(extractor, asked).image for _ in range(2)]
    assert torch.equal(*both)


def test_pictures_of_a_batch_have_places_of_their_own(extractor: FeatureExtractor) -> None:
    asked = recipe(nearest_weight=15.0, optimizer="adam", steps=3)
    pairs = [scales(extractor, asked), scales(extractor, asked, content=OTHER)]
    together = stylize.stylize_together(extractor, pairs, asked)
    for pair, result in zip(pairs, together, strict=True):
        alone = stylize.stylize(extractor, pair, asked)
        assert isinstance(result, stylize.Result)
        torch.testing.assert_close(result.image, alone.image, rtol=0, atol=1e-3)


def test_a_batch_has_a_list_each_or_one_together() -> None:
    """Each picture has the distance that it has alone."""
    x = features(2, 5, 3, 4)
    rows = torch.arange(12).view(3, 4)
    lists = [features(20, 5, seed=1), features(30, 5, seed=2)]
    weights = [features(1, 1, 3, 4, seed=seed).sigmoid() for seed in (3, 4)]
    for vectors in (lists, lists[:1] * 2):
        targets = [
            Target.of_rows(each, rows + number, weight)
            for number, (each, weight) in enumerate(zip(vectors, weights, strict=True))
        ]
        together = cosine(x, Target.stacked(targets))
        alone = [cosine(x[n : n + 1], each) for n, each in enumerate(targets)]
        torch.testing.assert_close(together, torch.cat(alone))


def test_blocks_are_no_part_of_a_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    x = features(1, 5, 3, 4).requires_grad_()
    target = Target.of(features(1, 5, 3, 4, seed=1))
    expected = cosine(x, target)
    (slope,) = torch.autograd.grad(expected.sum(), x)
    monkeypatch.setattr(nearest, "_BLOCK", {"cpu": 17})
    found = cosine(x, target)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found.sum(), x)[0], slope)
