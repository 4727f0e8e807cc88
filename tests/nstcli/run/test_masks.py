"""Masks, maps and several styles of a job, from its files to what holds where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nstcli.errors import InputError
from nstcli.images import decode, encode
from nstcli.plan.pair import Input, Pair
from nstcli.results.digests import Digests
from nstcli.run.events import Failed, Made
from nstcli.run.job import Job, Settings
from nstcli.run.loader import Loaded
from nstcli.run.worker import Worker
from tests.nstcli.run.test_backends import by, settings_of

pytestmark = pytest.mark.usefixtures("tiny_plugin")

Picture = Callable[..., Path]


@pytest.fixture
def inputs(write_picture: Picture) -> tuple[Input, ...]:
    return (
        Input("content", write_picture("cat.png", 24, 32)),
        Input("style", write_picture("ink.png", 20, 28, seed=1)),
    )


def job_of(inputs: tuple[Input, ...], settings: Settings) -> Job:
    digests = [Digests(None).digest(each.path) for each in inputs]
    return Job.of(Pair(inputs, "cat__ink.png"), settings, *digests)


def written(folder: Path, name: str, levels: NDArray[Any]) -> Path:
    """Write gray levels (H, W), or colours (H, W, 3), as PNG."""
    path = folder / name
    rgb = levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)
    path.write_bytes(encode(rgb.astype(np.uint8)))
    return path


def flat(level: int, height: int = 24, width: int = 32) -> NDArray[Any]:
    return np.full((height, width), level)


def left(level: int = 255, height: int = 24, width: int = 32) -> NDArray[Any]:
    found = flat(0, height, width)
    found[:, : width // 2] = level
    return found


def load(inputs: tuple[Input, ...], **choices: Any) -> Loaded:
    settings = settings_of(2, **choices)
    made_by = Worker("cpu", by("local"))
    made_by.load(settings)
    return made_by._ready.loader.load(job_of(inputs, settings))


def data(inputs: tuple[Input, ...], **choices: Any) -> tuple[bytes, tuple[str, ...]]:
    """Return the pixels of a result and its notes."""
    settings = settings_of(2, **choices)
    outcomes = list(Worker("cpu", by("local")).make([job_of(inputs, settings)], lambda *_: None))
    (outcome,) = [found for _, found in outcomes]
    assert isinstance(outcome, Made), outcome
    return decode(outcome.data, "x.png").rgb.tobytes(), outcome.record.notes


def test_white_masks_give_the_same_picture_to_the_last_bit(
    inputs: tuple[Input, ...], tmp_path: Path
) -> None:
    white, small = (
        written(tmp_path, "w.png", flat(255)),
        written(tmp_path, "v.png", flat(255, 5, 7)),
    )
    regions = written(tmp_path, "r.png", np.zeros((20, 28, 3)))
    plain = data(inputs)
    more = [
        Input("content-mask", white),
        Input("style-mask", small),
        Input("style-strength-map", white),
        Input("content-weight-map", white),
    ]
    assert data((*inputs, *more)) == plain
    both = (Input("content-regions", regions), Input("style-regions", regions))
    assert data((*inputs, *both))[0] == plain[0]
    assert data((*inputs, Input("content-mask", written(tmp_path, "l.png", left()))))[0] != plain[0]


def test_a_style_that_weighs_all_is_the_only_one(
    inputs: tuple[Input, ...], write_picture: Picture
) -> None:
    other = write_picture("wave.png", 28, 20, seed=2)
    both = load((*inputs, Input("style", other, 0.5)))
    assert [each.share for each in both.scales[-1].style.artworks] == [2 / 3, 1 / 3]
    same = (inputs[0], Input("style", inputs[1].path, 0.3), Input("style", inputs[1].path, 0.7))
    single, twice = load(inputs).scales[-1].style, load(same).scales[-1].style
    for place, value in single.statistics.items():
        torch.testing.assert_close(twice.statistics[place], value)


def test_masks_are_fitted_and_another_shape_is_told(
    inputs: tuple[Input, ...], tmp_path: Path
) -> None:
    alike = written(tmp_path, "alike.png", left(255, 48, 64))
    other = written(tmp_path, "other.png", left(102, 30, 30))
    loaded = load(
        (*inputs, Input("content-mask", alike), Input("content-weight-map", other)), size=16
    )
    guidance = loaded.scales[-1].guidance
    assert guidance.style is not None
    assert guidance.content is not None
    assert guidance.style.shape == guidance.content.shape == (1, 1, 12, 16)
    assert guidance.style[0, 0, 0].tolist() == pytest.approx([1] * 8 + [0] * 8, abs=0.2)
    assert guidance.content.max() == pytest.approx(0.4)
    assert loaded.notes == (
        f"{other}: 30×30 px is not the shape of cat.png, to which it was stretched",
    )


def test_masks_of_both_kinds_multiply(inputs: tuple[Input, ...], tmp_path: Path) -> None:
    masks = [
        Input("content-mask", written(tmp_path, "l.png", left(51))),
        Input("style-strength-map", written(tmp_path, "h.png", flat(51))),
    ]
    style = load((*inputs, *masks)).scales[-1].guidance.style
    assert style is not None
    assert style.max() == pytest.approx(0.04)


def test_styles_with_a_mask_each_hold_there(
    inputs: tuple[Input, ...], write_picture: Picture, tmp_path: Path
) -> None:
    other = write_picture("wave.png", 28, 20, seed=2)
    masks = [
        Input("content-mask", written(tmp_path, f"{name}.png", levels))
        for name, levels in (("l", left()), ("r", 255 - left()))
    ]
    loaded = load((*inputs, Input("style", other), *masks))
    regions = loaded.scales[-1].guidance.regions
    assert [each.mask[..., :16].mean().item() for each in regions] == [1, 0]
    assert [each.style.image.shape[-2:] for each in regions] == [(20, 28), (28, 20)]
    assert loaded.needs.painting > load(inputs).needs.painting


def colored(*colors: tuple[int, int, int], height: int = 24, width: int = 32) -> NDArray[Any]:
    parts = np.array_split(np.arange(width), len(colors))
    found = np.zeros((height, width, 3))
    for columns, color in zip(parts, colors, strict=True):
        found[:, columns] = color
    return found


RED, GREEN, BLUE = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def with_maps(
    inputs: tuple[Input, ...], folder: Path, own: NDArray[Any], other: NDArray[Any]
) -> tuple[Input, ...]:
    return (
        *inputs,
        Input("content-regions", written(folder, "own.png", own)),
        Input("style-regions", written(folder, "other.png", other)),
    )


def test_regions_take_their_style_from_those_of_their_color(
    inputs: tuple[Input, ...], tmp_path: Path
) -> None:
    own, other = colored(RED, BLUE, GREEN), colored(BLUE, RED, height=20, width=28)
    loaded = load(with_maps(inputs, tmp_path, own, other))
    guidance = loaded.scales[-1].guidance
    by_place = {each.mask[0, 0, 0].argmax().item(): each.style for each in guidance.regions}
    masks = {at: style.artworks[0].mask for at, style in by_place.items()}
    assert set(masks) == {0, 11}
    assert masks[0] is not None
    assert masks[0][0, 0, 0].tolist() == [0] * 14 + [1] * 14
    assert [note for note in loaded.notes if "#00fa00 is in no map" in note]


def test_maps_without_a_color_in_common_are_refused(
    inputs: tuple[Input, ...], tmp_path: Path
) -> None:
    maps = with_maps(inputs, tmp_path, colored(RED), colored(BLUE, height=20, width=28))
    with pytest.raises(InputError, match="have no colour in common"):
        load(maps)
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3))
    with pytest.raises(InputError, match=r"own\.png has more than 32 colours"):
        load(with_maps(inputs, tmp_path, noise, colored(RED)))


def test_a_black_mask_leaves_the_photo_or_no_artwork(
    inputs: tuple[Input, ...], tmp_path: Path
) -> None:
    black = written(tmp_path, "black.png", flat(0))
    _, notes = data((*inputs, Input("content-mask", black)))
    assert "no place of the picture takes any style" in notes
    with pytest.raises(InputError, match="black everywhere: no style is left of it"):
        load((*inputs, Input("style-mask", black)))


def test_a_region_too_small_for_a_layer_is_told(inputs: tuple[Input, ...], tmp_path: Path) -> None:
    spot = flat(0)
    spot[4:10, 4:10] = 255
    loaded = load((*inputs, Input("content-mask", written(tmp_path, "s.png", spot))))
    assert loaded.notes == (
        "the part that takes style is too small for relu3, which leaves it out",
    )


def test_masks_are_part_of_the_key(inputs: tuple[Input, ...], tmp_path: Path) -> None:
    settings = settings_of(2)
    masks = [written(tmp_path, f"{n}.png", left(n)) for n in (10, 20)]
    variants = [
        inputs,
        (*inputs, Input("content-mask", masks[0])),
        (*inputs, Input("content-mask", masks[1])),
        (*inputs, Input("style-mask", masks[0])),
    ]
    assert len({job_of(each, settings).key for each in variants}) == 4


def test_a_mask_that_is_none_fails_its_pair(inputs: tuple[Input, ...], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    settings = settings_of(2)
    job = job_of((*inputs, Input("content-mask", broken)), settings)
    ((_, outcome),) = Worker("cpu", by("local")).make([job], lambda *_: None)
    assert isinstance(outcome, Failed)
    assert "broken.png" in outcome.error
