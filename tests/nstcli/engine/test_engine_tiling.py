"""Tiles: the loss and the gradient of the whole picture, whatever its tiles."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import backbones
from backbones.hooks import FeatureExtractor
from nstcli.engine import objective as objective_module
from nstcli.engine.guidance import EVERYWHERE, Guidance, Region
from nstcli.engine.losses import Target, statistic_of
from nstcli.engine.losses.grid import Stretch, on_grid, part_on_grid
from nstcli.engine.losses.window import window, windows
from nstcli.engine.objective import Objective, Part, parts, weighted
from nstcli.engine.precision import adapted
from nstcli.engine.targets import read_content, read_style
from nstcli.engine.tiling import Tile, Tiles, Tiling
from nstcli.recipe import DEFAULT, Recipe, resolve
from nstcli.terms import TERMS
from tests import tiny
from tests.nstcli.engine.drawn import features
from tests.nstcli.engine.scene import picture, recipe

EVERYTHING = {f"{name}_weight": float(statistic_of(name).additive) for name in TERMS}


def double(asked: Recipe) -> FeatureExtractor:
    """Make the tiny backbone in double precision, as a recipe wants it."""
    network = tiny.build()
    network.load_state_dict(tiny.random_state())
    extractor = adapted(FeatureExtractor(tiny.TINY, network, tiny.IMAGENET), asked)
    return extractor.double().arrange(torch.float64, torch.contiguous_format)


def objective_of(
    extractor: FeatureExtractor,
    asked: Recipe,
    shape: tuple[int, int],
    regions: int = 0,
    tiling: Tiling | None = None,
) -> list[Part]:
    """Make the loss of a drawn pair, with maps and so many regions where there are any."""
    height, width = shape
    painted = picture(height, width, seed=8).double()
    content = read_content(extractor, picture(height, width, seed=0).double(), asked, None, tiling)
    styles = [
        read_style(extractor, [picture(20, 28, seed=seed).double()], asked, tiling=tiling)
        for seed in range(1, 2 + regions)
    ]
    guidance = EVERYWHERE
    if regions:
        maps = features(regions + 2, 1, height, width, seed=5).sigmoid()
        held = [Region(each[None], own) for each, own in zip(maps[2:], styles, strict=False)]
        guidance = Guidance(maps[:1], maps[1:2], tuple(held))
    return parts(extractor, content, styles[0], asked, painted, guidance, tiling)


def gradient_of(objective: Objective, image: Tensor, asked: Recipe) -> tuple[Tensor, Tensor]:
    """Return the terms of a picture, side by side, and the gradient of their weighted sum."""
    image = image.clone().requires_grad_()
    terms = objective.terms(image)
    (gradient,) = torch.autograd.grad(weighted(terms, asked).sum(), image)
    return torch.stack([*terms.values()]).detach(), gradient


@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(8, 61), st.integers(8, 61)),
    tile=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    padding=st.sampled_from(["own", "replicate", "reflect", "circular"]),
    regions=st.integers(0, 2),
    neck=st.sampled_from([None, "pool1", "pool2", "relu2"]),
    kept=st.integers(0, 9),
)
def test_tiles_of_any_size_are_exact(
    shape: tuple[int, int],
    tile: tuple[int, int],
    padding: str,
    regions: int,
    neck: str | None,
    kept: int,
) -> None:
    """Content, style and matches are read in tiles, too: nothing may depend on them."""
    asked = recipe(padding=padding, **EVERYTHING)
    extractor, tiling = double(asked), Tiling(tile, neck, kept)
    whole, tiled = (objective_of(extractor, asked, shape, regions, each) for each in (None, tiling))
    image = picture(*shape, seed=9).double()
    found, gradient = gradient_of(Objective.of(extractor, tiled, shape, tiling), image, asked)
    expected, gradient_of_whole = gradient_of(Objective(extractor, whole), image, asked)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)
    bound = 1e-6 * gradient_of_whole.abs().max().item()
    torch.testing.assert_close(gradient, gradient_of_whole, rtol=0, atol=bound)


@given(
    edges=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    places=st.integers(1, 12),
    data=st.data(),
)
def test_a_part_is_brought_to_the_grid_as_the_whole_is(
    edges: tuple[int, int], places: int, data: st.DataObject
) -> None:
    """Whatever the ratio, which is irregular where edges are no multiples of the grid's stride."""
    height, width = edges
    x = features(1, 2, height, width)
    means = height > places or width > places
    rows, columns = (
        Stretch(edge, places, range(*sorted(data.draw(ends_of(places)))), means) for edge in edges
    )
    first = rows.needed.start, columns.needed.start
    part = x[..., first[0] : rows.needed.stop, first[1] : columns.needed.stop]
    expected = on_grid(x, places, places)[
        ..., rows.wanted.start : rows.wanted.stop, columns.wanted.start : columns.wanted.stop
    ]
    found = part_on_grid(part, rows, columns, first)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def ends_of(places: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, places), min_size=2, max_size=2, unique=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("vgg19", {}),
        ("vgg16", {"padding": "reflect"}),
        ("squeezenet", {}),
        ("squeezenet", {"padding": "replicate", "dense": False}),
        ("mobilenet", {"padding": "reflect"}),
        ("mobilenet", {"dense": False}),
    ],
    ids=str,
)
def test_tiles_of_every_backbone_are_exact(name: str, choices: dict[str, Any]) -> None:
    """A strip is as good as a picture, and no edge of it is a multiple of a stride."""
    backbone = backbones.get(name)
    asked = resolve(backbone, "0" * 64, {**DEFAULT, **choices})
    torch.manual_seed(0)
    network = backbone.build()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):  # else activations fade with depth
            torch.nn.init.kaiming_normal_(module.weight)
    extractor = adapted(FeatureExtractor(backbone, network, tiny.IMAGENET), asked)
    # In less, the larger one of two values that are pooled may be another one.
    extractor.double().arrange(torch.float64, torch.contiguous_format)
    # Longer than a position of the deepest layer sees.
    longest = max(extractor.layer(name).receptive_field for name in asked.layers_of_terms["style"])
    width = max(331, 3 * longest // 2 * 2 + 1)
    content = read_content(extractor, picture(33, width).double(), asked)
    style = read_style(extractor, [picture(32, 32, seed=1).double()], asked)
    pieces = parts(extractor, content, style, asked)
    image = picture(33, width, seed=2).double()
    expected, gradient_of_whole = gradient_of(Objective(extractor, pieces), image, asked)
    necks = extractor.necks(asked.layers_of_terms["style"])
    assert len(necks) > 1
    for neck in (None, *necks):
        tiled = Objective.of(extractor, pieces, image.shape, Tiling((999, 112), neck))
        assert tiled.tiles
        assert len(tiled.tiles) >= 3
        assert tiled.tiles.largest < image[0, 0].numel()
        found, gradient = gradient_of(tiled, image, asked)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
        bound = 1e-6 * gradient_of_whole.abs().max().item()
        torch.testing.assert_close(gradient, gradient_of_whole, rtol=0, atol=bound)


@pytest.mark.parametrize("layer", ["relu1_1", "relu2_1"])
def test_a_shallow_layer_of_a_network_that_needs_many_pixels_is_measured(layer: str) -> None:
    """What it sees is few pixels, and still no picture may be smaller than the network needs."""
    backbone = backbones.get("vgg19")
    extractor = FeatureExtractor(backbone, backbone.build(), tiny.IMAGENET)
    tiles = Tiles.of(extractor, (40, 200), {layer}, Tiling((999, 64)))
    assert len(tiles) > 1
    assert tiles.largest < 40 * 200


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_window_has_a_gradient_as_its_activations_lie(layout: torch.memory_format) -> None:
    x = features(2, 3, 7, 9).contiguous(memory_format=layout).requires_grad_()
    weights = features(2, 3, 4, 5, seed=1)
    found = window(x, slice(2, 6), slice(0, 5))
    assert torch.equal(found, x[..., 2:6, 0:5])
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    (expected,) = torch.autograd.grad((x[..., 2:6, 0:5] * weights).sum(), x)
    assert torch.equal(gradient, expected)
    assert gradient.is_contiguous(memory_format=layout)


def test_windows_may_overlap() -> None:
    x = features(1, 2, 5, 6).requires_grad_()
    where = (slice(0, 3), slice(1, 6)), (slice(2, 5), slice(0, 6))
    found = windows(x, where)
    weights = [features(*each.shape, seed=seed) for seed, each in enumerate(found)]
    losses = [(a * b).sum() for a, b in zip(found, weights, strict=True)]
    (gradient,) = torch.autograd.grad(torch.stack(losses).sum(), x)
    expected = torch.zeros_like(x)
    for place, weight in zip(where, weights, strict=True):
        expected[..., *place] += weight
    torch.testing.assert_close(gradient, expected)


def test_a_window_of_everything_is_no_copy() -> None:
    x = features(1, 2, 3, 4)
    assert window(x, slice(0, 3), slice(0, 4)) is x


def test_nothing_behind_the_neck_is_read_twice(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deep layers see the whole picture once in a step, however many tiles there are.

    What stands there is compared tile by tile, for the sake of memory, and once, too.
    """
    asked = recipe(**EVERYTHING)
    image, tiling = picture(64, 64), Tiling((16, 16), "pool1")
    content = read_content(extractor, image, asked)
    style = read_style(extractor, [image], asked)
    pieces = parts(extractor, content, style, asked, tiling=tiling)
    objective = Objective.of(extractor, pieces, image.shape, tiling)
    assert objective.tiles
    assert len(objective.tiles) == 16
    shapes: list[tuple[int, int]] = []
    deep = extractor.get_submodule("network.6")
    deep.register_forward_hook(lambda module, inputs, x: shapes.append((x.shape[2], x.shape[3])))
    compared: list[str | None] = []
    aim = objective_module._target_of_tile

    def noted(part: Part, tile: Tile) -> Target:
        compared.append(part.layer)
        return aim(part, tile)

    monkeypatch.setattr(objective_module, "_target_of_tile", noted)
    gradient_of(objective, image, asked)
    assert shapes == [(16, 16)]
    layers = [p.layer for p in pieces if p.statistic.local and objective.tiles.behind(p.layer)]
    assert layers
    assert len([each for each in compared if each in layers]) == 16 * len(layers)
