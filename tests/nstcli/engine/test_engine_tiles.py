"""Tiles: what is beyond one border is what is at the other, for every part of the engine."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.objective import evaluate, parts
from nstcli.engine.precision import adapted
from nstcli.engine.pyramid import resized
from nstcli.engine.targets import read_style
from tests.nstcli.engine.scene import paint, picture, recipe, scales

EDGES = st.integers(1, 40)


@given(EDGES, EDGES, EDGES, EDGES)
def test_a_tile_is_resampled_as_if_there_were_others_around_it(
    height: int, width: int, rows: int, columns: int
) -> None:
    tile = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    # As many around it as the filter reaches, be the tile ever so small.
    around = tile.repeat(1, 1, 5, 5)
    expected = resized(around, 5 * rows, 5 * columns)
    found = resized(tile, rows, columns, wraps=True)
    middle = expected[..., 2 * rows : 3 * rows, 2 * columns : 3 * columns]
    torch.testing.assert_close(found, middle, atol=1e-4, rtol=1e-4)


def test_total_variation_sees_the_seam(extractor: FeatureExtractor) -> None:
    ramp = torch.linspace(0, 1, 32).expand(1, 3, 24, 32).contiguous()

    def told(padding: str) -> float:
        asked = recipe(padding=padding, tv_weight=1, tv="l1", scales=1)
        (scale,) = scales(extractor, asked)
        objective = parts(extractor, scale.content, scale.style, asked)
        return evaluate(extractor, ramp, objective)["tv"].item()

    # Each row goes up by 1 on its way, and down again at the seam.
    assert told("circular") == pytest.approx(2 * told("own"), rel=0.1)


def seam(image: Tensor) -> float:
    """Compare the differences across the seams of a tile with those inside of it: their ratio."""
    across = [image.roll(1, dim) - image for dim in (2, 3)]
    at_seam = torch.cat([across[0][..., 0, :].flatten(), across[1][..., 0].flatten()])
    return (at_seam.abs().mean() / torch.cat([x.flatten() for x in across]).abs().mean()).item()


@pytest.mark.parametrize(("padding", "least", "most"), [("circular", 0.7, 1.3), ("own", 1.5, 99)])
def test_a_tile_shows_no_seam(
    extractor: FeatureExtractor, padding: str, least: float, most: float
) -> None:
    asked = recipe(padding=padding, content_weight=0, init="noise", steps=60, scales=2, tv_weight=3)
    smooth = picture(24, 32, seed=3)
    result = paint(adapted(extractor, asked), asked, style=smooth)
    assert least < seam(result.image) < most


def test_an_artwork_is_no_tile(extractor: FeatureExtractor) -> None:
    """Its borders are mirrored, and afterwards the network is as it was."""
    wraps, mirrors = recipe(padding="circular"), recipe(padding="reflect")
    image = picture(24, 32)
    network = adapted(extractor, wraps)
    before = network(image, ["relu3"])["relu3"]
    style = read_style(network, [image], wraps)
    assert torch.equal(network(image, ["relu3"])["relu3"], before)
    expected = read_style(adapted(extractor, mirrors), [image], mirrors)
    for place, value in expected.statistics.items():
        assert torch.equal(style.statistics[place], value)
