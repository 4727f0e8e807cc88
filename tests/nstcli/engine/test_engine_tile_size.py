"""Which scales are looked at in tiles, by made-up needs of memory."""

from collections.abc import Callable

import pytest
import torch

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import statistic_of
from nstcli.engine.memory import InTiles, Needs, TensorBytes, _measured_in_tiles, needs
from nstcli.engine.objective import Objective, parts, sights, weighted
from nstcli.engine.targets import read_content, read_style
from nstcli.engine.tile_size import chosen
from nstcli.engine.tiling import Sights
from nstcli.terms import TERMS
from tests.nstcli.engine.scene import recipe

NEEDS = Needs(1000, 100.0, 50.0, in_tiles=InTiles(2000, 5.0, 10.0, 60.0))
SCALES = [(128, 128), (256, 256)]
LARGEST = 256 * 256


@pytest.fixture
def seen(extractor: FeatureExtractor) -> Callable[[tuple[int, int]], Sights]:
    return lambda shape: sights(extractor, shape, recipe(nearest_weight=1.0))


def test_what_fits_is_looked_at_at_once(seen: Callable[[tuple[int, int]], Sights]) -> None:
    found = chosen(NEEDS, SCALES, (64, 64), "auto", 1000 + 100 * LARGEST, seen)
    assert (found.tiles, found.style, found.work) == ((None, None), None, (1.0, 1.0))
    assert found.peak == 1000 + 100 * LARGEST


def test_the_scales_that_do_not_fit_are_in_tiles(seen: Callable[[tuple[int, int]], Sights]) -> None:
    free = 50 * LARGEST
    found = chosen(NEEDS, SCALES, (64, 64), "auto", free, seen)
    coarse, fine = found.tiles
    assert coarse is None
    assert fine
    tiles = seen(SCALES[1]).tiles(fine)
    assert found.peak == 2000 + (5 + 10) * LARGEST + 60 * tiles.largest <= free
    assert found.work == (1.0, tiles.work)
    assert 1 < tiles.work < 1.6


@pytest.mark.parametrize("needed", [NEEDS, Needs(1000, 100.0, 50.0)])
def test_off_and_what_does_not_add_up_are_as_without(
    needed: Needs, seen: Callable[[tuple[int, int]], Sights]
) -> None:
    found = chosen(needed, SCALES, (64, 64), "off", 10.0, seen)
    assert (found.tiles, found.peak) == ((None, None), 1000 + 100 * LARGEST)


def test_what_fits_in_no_tiles_tells_what_it_would_take(
    seen: Callable[[tuple[int, int]], Sights],
) -> None:
    found = chosen(NEEDS, SCALES, (64, 64), "auto", 14 * LARGEST, seen)
    assert found.tiles[1]
    assert found.peak > 14 * LARGEST


def test_tiles_of_a_size_are_wherever_a_picture_is_longer(
    seen: Callable[[tuple[int, int]], Sights],
) -> None:
    found = chosen(NEEDS, SCALES, (64, 64), 130, 1e9, seen)
    assert found.tiles == (None, (130, 130))
    assert found.style == (130, 130)


def test_larger_tiles_are_less_work(seen: Callable[[tuple[int, int]], Sights]) -> None:
    picture = seen((250, 333))
    works = []
    for most in (2000, 8000, 32000, 90000):
        tiles = picture.tiles(picture.fitting(most))
        assert tiles.largest <= most
        works.append(tiles.work)
    assert works == sorted(works, reverse=True)
    assert works[-1] == 1.0


ADDITIVE = [name for name in TERMS if statistic_of(name).additive]


# Of places to be matched, a block is compared at a time, which does not grow with the picture.
@pytest.mark.parametrize("term", [name for name in ADDITIVE if TERMS[name].target != "matched"])
def test_memory_of_a_tile_is_foretold(extractor: FeatureExtractor, term: str) -> None:
    """What is found without computing is what a computation takes."""
    asked = recipe(**{f"{name}_weight": float(name == term) for name in TERMS})
    foretold = needs(extractor, asked).in_tiles
    taken = _measured_in_tiles(extractor, asked, 0, 512)
    assert foretold
    assert foretold.tile == pytest.approx(taken.tile, rel=0.15)
    assert foretold.held == pytest.approx(taken.held, rel=0.05)


def test_a_sliced_term_adds_up_over_no_tiles(extractor: FeatureExtractor) -> None:
    assert needs(extractor, recipe(sliced_weight=1.0)).in_tiles is None


def test_activations_of_one_tile_are_there_at_a_time(extractor: FeatureExtractor) -> None:
    """The peak of a step in four tiles, by counting tensors, beside what is foretold for it."""
    asked, tile = recipe(nearest_weight=1.0), (128, 128)
    image = torch.rand(1, 3, 256, 256)
    content = read_content(extractor, image, asked, tile=tile)
    style = read_style(extractor, [image], asked, tile=tile)
    objective = Objective.of(
        extractor, parts(extractor, content, style, asked, tile=tile), image.shape, tile
    )
    picture = image.clone().requires_grad_()
    with TensorBytes() as taken:
        torch.autograd.grad(weighted(objective.terms(picture), asked).sum(), picture)
    foretold = needs(extractor, asked).in_tiles
    assert foretold
    assert objective.tiles
    bound = foretold.tile * objective.tiles.largest + 2 * image.nbytes
    assert 0.4 * bound < taken.peak < bound
