"""Pictures that are no better than what they began with are told of, whatever the recipe."""

import itertools
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import backbones
from backbones.hooks import FeatureExtractor
from nstcli.engine.init import STARTS
from nstcli.engine.shortfall import shortfall
from nstcli.engine.stylize import Result
from nstcli.errors import DivergedError
from nstcli.recipe import DEFAULT, Recipe, resolve
from tests.nstcli.engine.scene import CONTENT, STYLE, paint, picture, recipe

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "lbfgs": {},
    "adam": {"optimizer": "adam"},
    "adam, too slow": {"optimizer": "adam", "learning_rate": 1e-9},
    "adam, too fast": {"optimizer": "adam", "learning_rate": 10},
}
WEIGHTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "most style": {"style_weight": 1e20},
    "most content": {"content_weight": 1e20},
    "content alone": {"style_weight": 0},
    "style alone": {"content_weight": 0},
    "least": {"content_weight": 1e-20, "style_weight": 1e-20},
    "flatness": {"loss": "sum", "tv_weight": 1e6},
}


def flat(level: float, height: int = 24, width: int = 32) -> Tensor:
    return torch.full((1, 3, height, width), level)


LEVELS = {"black": 0.0, "gray": 0.5, "white": 1.0}
GRAY = flat(0.5)
PICTURES = {
    "drawn": CONTENT,
    **{name: flat(level) for name, level in LEVELS.items()},
    "long": picture(8, 320, seed=3),
    "thin": picture(240, 8, seed=4),
}


def levels(image: Tensor) -> Tensor:
    return image.mul(255).round()


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_picture_is_better_than_its_start_or_said_not_to_be(
    extractor: FeatureExtractor, optimizer: str, scales: int, every: int
) -> None:
    cells = list(itertools.product(PICTURES, ["drawn", "gray"], WEIGHTS, STARTS))
    for content, style, weights, init in cells[::every]:
        choices = {**OPTIMIZERS[optimizer], **WEIGHTS[weights], "init": init, "scales": scales}
        images = PICTURES[content], STYLE if style == "drawn" else GRAY
        look_at(extractor, recipe(steps=3, size=320, **choices), *images)


@pytest.mark.network
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_so_is_every_picture_of_a_real_network(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.environ.get("NST_CACHE"):
        monkeypatch.setenv("NST_CACHE", str(tmp_path))
    backbone = backbones.get("squeezenet")
    loaded = FeatureExtractor.load(backbone, backbone.weight_set())
    colorful = picture(64, 64, seed=1)
    contents = {name: flat(level, 48, 64) for name, level in LEVELS.items()}
    for content, weights, init in itertools.product(contents, WEIGHTS, STARTS):
        choices = {**OPTIMIZERS[optimizer], **WEIGHTS[weights], "init": init, "scales": 1}
        asked = resolve(backbone, "0" * 64, {**DEFAULT, "size": 64, "steps": 3, **choices})
        look_at(loaded, asked, contents[content], colorful)


def look_at(extractor: FeatureExtractor, asked: Recipe, content: Tensor, style: Tensor) -> None:
    """See that a picture has less loss than its start, or that somebody says it has not."""
    try:
        result = paint(extractor, asked, content=content, style=style)
    except DivergedError:
        return
    told = shortfall(result, asked)
    where = f"{asked}: {result.loss_before} → {result.loss}"
    assert math.isfinite(result.loss), where
    assert result.image.isfinite().all(), where
    assert told or result.loss < result.loss_before, where
    # Of several scales, the start of the last is known to the loop alone.
    if asked.scales == 1 and not told:
        first = STARTS[asked.init](content, style, asked.seed)
        assert not torch.equal(levels(result.image), levels(first)), where


def made(extractor: FeatureExtractor, **choices: Any) -> tuple[Result, Recipe]:
    images = {name: choices.pop(name) for name in ("content", "style") if name in choices}
    asked = recipe(**choices)
    return paint(extractor, asked, **images), asked


def test_a_good_picture_has_nothing_to_be_told(extractor: FeatureExtractor) -> None:
    for choices in ({}, {"init": "noise"}, {"scales": 2}, {"optimizer": "adam"}):
        result, asked = made(extractor, **choices)
        assert result.loss < 0.8 * result.loss_before
        assert result.moved > 0.01
        assert shortfall(result, asked) == ""


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"optimizer": "adam", "learning_rate": 1e-9}, "a larger --learning-rate, a larger --st"),
        ({"optimizer": "adam", "learning_rate": 10}, "a smaller --learning-rate, a larger --style"),
        ({"optimizer": "adam", "learning_rate": 10, "init": "noise"}, "-rate or more --steps"),
        ({"content_weight": 1e20}, "a larger --style-weight, --init noise or more --steps"),
        ({"content": GRAY, "style": GRAY, "init": "style"}, "it began with all that"),
    ],
)  # fmt: skip
def test_what_to_change_is_told(
    extractor: FeatureExtractor, choices: dict[str, Any], told: str
) -> None:
    assert told in shortfall(*made(extractor, **choices))


def test_a_loss_that_rose_is_told(extractor: FeatureExtractor) -> None:
    # Begun at half the size, the picture has lost what one step cannot give back.
    result, asked = made(extractor, scales=2, steps=2, style_weight=1e-3)
    assert result.loss > result.loss_before
    told = shortfall(result, asked)
    assert told.startswith("its loss ended above that of what it began with; try more --steps, --s")


@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize(
    ("choices", "cause"),
    [
        ({"style": CONTENT}, "photo and artwork look alike to the network, so there was nothing"),
        (
            {"style_weight": 0},
            "only the photo counts in its recipe, so there was nothing to change",
        ),
        ({"content": GRAY, "style": GRAY}, "photo and artwork look alike"),
    ],
)
def test_a_start_that_is_wanted_is_no_fault(
    extractor: FeatureExtractor, choices: dict[str, Any], cause: str, scales: int
) -> None:
    result, asked = made(extractor, scales=scales, **choices)
    assert shortfall(result, asked).startswith(cause)
    if scales == 1:
        assert torch.equal(result.image, choices.get("content", CONTENT))
    # Where there is another term, there is something to win.
    result, asked = made(extractor, tv_weight=100, **{"content": CONTENT, **choices})
    assert "content" in choices or shortfall(result, asked) == ""


def test_a_picture_that_was_stopped_is_not_judged(extractor: FeatureExtractor) -> None:
    asked = recipe(optimizer="adam", learning_rate=1e-9)
    result = paint(extractor, asked, lambda step: step.number == 2)
    assert result.stopped
    assert shortfall(result, asked) == ""


def test_what_it_began_with_is_measured_at_full_size(extractor: FeatureExtractor) -> None:
    one, several = (made(extractor, scales=scales)[0] for scales in (1, 2))
    assert several.loss_before == pytest.approx(one.loss_before, rel=1e-5)
    assert one.loss_before == pytest.approx(one.curve[0][1])
    assert one.loss_before == pytest.approx(30 * one.style_error_before, rel=1e-4)
