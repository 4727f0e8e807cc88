"""Which scales are looked at in tiles, by made-up needs of memory."""

from collections.abc import Sequence
from functools import partial

import pytest
import torch

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import statistic_of
from nstcli.engine.memory import (
    InTiles,
    Needs,
    TensorBytes,
    _measured_in_tiles,
    additive,
    in_tiles,
    needs,
)
from nstcli.engine.objective import Objective, parts, sights, weighted
from nstcli.engine.targets import read_content, read_style
from nstcli.engine.tile_size import Chosen, Seeing, Wanted, chosen
from nstcli.engine.tiling import Tiling
from nstcli.terms import TERMS
from tests.nstcli.engine.scene import recipe

NEEDS = Needs(1000, 100.0, 50.0, tiled=True)
THROUGH = InTiles(2000, 5.0, 10.0, 60.0)
NECK = InTiles(2000, 5.0, 12.0, 50.0, 20.0, 8.0, "pool1", 0.4)
SCALES = [(128, 128), (256, 256)]
LARGEST = 256 * 256


@pytest.fixture
def seen(extractor: FeatureExtractor) -> Seeing:
    return partial(sights, extractor, recipe=recipe(nearest_weight=1.0))


def choose(
    seen: Seeing,
    wanted: Wanted,
    free: float,
    needed: Needs = NEEDS,
    ways: Sequence[InTiles] = (THROUGH,),
) -> Chosen:
    return chosen(needed, SCALES, (64, 64), wanted, free, lambda: ways, seen)


def test_what_fits_is_looked_at_at_once(seen: Seeing) -> None:
    found = choose(seen, "auto", 1000 + 100 * LARGEST)
    assert (found.tilings, found.style, found.work) == ((None, None), None, (1.0, 1.0))
    assert found.peak == 1000 + 100 * LARGEST


def test_the_scales_that_do_not_fit_are_in_tiles(seen: Seeing) -> None:
    free = 50 * LARGEST
    found = choose(seen, "auto", free)
    coarse, fine = found.tilings
    assert coarse is None
    assert fine
    cut = seen(SCALES[1], neck=None).cut(fine.size)
    assert found.peak <= free
    assert found.peak == 2000 + (5 + 10) * LARGEST + 60 * cut.largest * fine.kept
    assert found.work == (1.0, fine.work(cut.pixels, cut.count, LARGEST))
    assert 1 < found.work[1] < 1.6


def test_tiles_end_where_it_costs_least_work(seen: Seeing) -> None:
    free = 50 * LARGEST
    through = choose(seen, "auto", free)
    found = choose(seen, "auto", free, ways=(THROUGH, NECK))
    (_, fine), (_, work) = found.tilings, found.work
    assert fine
    assert (fine.neck, fine.share) == ("pool1", 0.4)
    assert work < through.work[1]
    assert found.peak <= free
    # What is behind the neck is there for all of the picture, which does not fit into less.
    less = choose(seen, "auto", 30 * LARGEST, ways=(THROUGH, NECK)).tilings[1]
    assert less
    assert less.neck is None


def test_memory_left_over_keeps_tiles(seen: Seeing) -> None:
    wanting, plenty = (
        choose(seen, "auto", share * LARGEST, ways=(NECK,)).tilings[1] for share in (42, 80)
    )
    assert wanting
    assert plenty
    assert wanting.kept < plenty.kept


@pytest.mark.parametrize("needed", [NEEDS, Needs(1000, 100.0, 50.0)])
def test_off_and_what_does_not_add_up_are_as_without(needed: Needs, seen: Seeing) -> None:
    found = choose(seen, "off", 10.0, needed)
    assert (found.tilings, found.peak) == ((None, None), 1000 + 100 * LARGEST)


def test_what_fits_in_no_tiles_tells_what_it_would_take(seen: Seeing) -> None:
    found = choose(seen, "auto", 14 * LARGEST)
    assert found.tilings[1]
    assert found.peak > 14 * LARGEST


def test_tiles_of_a_size_are_wherever_a_picture_is_longer(seen: Seeing) -> None:
    found = choose(seen, 130, 1e9)
    assert found.tilings == (None, Tiling((130, 130)))
    assert found.style == Tiling((130, 130))


def test_larger_tiles_are_less_work(seen: Seeing) -> None:
    shape = (250, 333)
    works = []
    for free in (10, 20, 40, 60):
        found = chosen(
            NEEDS, [shape], (8, 8), "auto", free * shape[0] * shape[1], lambda: [THROUGH], seen
        )
        works.append(found.work[0])
    assert works == sorted(works, reverse=True)
    assert works[0] > works[-1] > 1.0


ADDITIVE = [name for name in TERMS if statistic_of(name).additive]


# Of places to be matched, a block is compared at a time, which does not grow with the picture.
@pytest.mark.parametrize(
    ("term", "neck"),
    [
        (name, neck)
        for name in ADDITIVE
        if TERMS[name].target != "matched"
        for neck in (None, "pool1")
        if neck is None or TERMS[name].layers
    ],
)
def test_memory_of_a_tile_is_foretold(
    extractor: FeatureExtractor, term: str, neck: str | None
) -> None:
    """What is found without computing is what a computation takes."""
    asked = recipe(**{f"{name}_weight": float(name == term) for name in TERMS})
    foretold = next(way for way in in_tiles(extractor, asked) if way.neck == neck)
    taken = _measured_in_tiles(extractor, extractor, asked, 0, 512, neck)
    assert foretold.tile == pytest.approx(taken.tile, rel=0.15)
    assert foretold.held == pytest.approx(taken.held, rel=0.05)
    assert foretold.behind == pytest.approx(taken.behind, rel=0.15)
    assert foretold.share == pytest.approx(taken.share, rel=0.01)
    assert (foretold.share < 1) == (neck is not None)


def test_a_sliced_term_adds_up_over_no_tiles(extractor: FeatureExtractor) -> None:
    asked = recipe(sliced_weight=1.0)
    assert not additive(asked)
    assert not needs(extractor, asked).tiled


@pytest.mark.parametrize("neck", [None, "pool1", "pool2"])
def test_a_step_takes_no_more_than_is_foretold(
    extractor: FeatureExtractor, neck: str | None
) -> None:
    """The peak of a step in tiles, by counting tensors."""
    asked, tiling = recipe(nearest_weight=1.0), Tiling((128, 128), neck, kept=int(neck is None))
    image = torch.rand(1, 3, 256, 256)
    content = read_content(extractor, image, asked, tiling=tiling)
    style = read_style(extractor, [image], asked, tiling=tiling)
    pieces = parts(extractor, content, style, asked, tiling=tiling)
    objective = Objective.of(extractor, pieces, image.shape, tiling)
    picture = image.clone().requires_grad_()
    with TensorBytes() as taken:
        torch.autograd.grad(weighted(objective.terms(picture), asked).sum(), picture)
    foretold = next(way for way in in_tiles(extractor, asked) if way.neck == neck)
    assert objective.tiles
    # Besides, what is there at the neck and its gradient, and the gradient of the picture.
    bound = foretold.at_work(LARGEST, objective.tiles.largest) + 3 * image.nbytes
    assert 0.4 * bound < taken.peak < bound
