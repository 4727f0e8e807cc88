"""Pictures of a few hundred pixels and recipes for the tiny backbone."""

from typing import Any

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.pyramid import factors, shrunk
from nstcli.engine.steps import Step
from nstcli.engine.stylize import OnStep, Result, Scale, stylize
from nstcli.engine.targets import read_content, read_style
from nstcli.recipe import DEFAULT, Recipe, resolve
from tests.conftest import draw
from tests.tiny import TINY


def picture(height: int = 24, width: int = 32, seed: int = 0) -> Tensor:
    """Make a picture (1, 3, H, W) in [0, 1]."""
    pixels = torch.from_numpy(draw(height, width, seed))
    return pixels.permute(2, 0, 1)[None].float().div(255).contiguous()


def recipe(**choices: Any) -> Recipe:
    """Resolve a recipe of a few steps; `choices` are those of `nstcli.recipe.resolve`.

    Without the nearest term unless chosen, since its target changes with the picture.
    """
    usual = {**DEFAULT, "size": 32, "steps": 10, "nearest_weight": 0.0}
    return resolve(TINY, "0" * 64, {**usual, **choices})


CONTENT, STYLE = picture(24, 32, seed=0), picture(20, 28, seed=1)
OTHER = picture(24, 32, seed=2)


def scales(
    extractor: FeatureExtractor, asked: Recipe, content: Tensor = CONTENT, style: Tensor = STYLE
) -> list[Scale]:
    """Read both pictures at every scale, from coarse to fine."""
    return [
        Scale(
            read_content(extractor, shrunk(content, factor), asked),
            read_style(extractor, [shrunk(style, factor)], asked),
        )
        for factor in factors(asked, content, style, TINY.minimum_size)
    ]


def paint(
    extractor: FeatureExtractor,
    asked: Recipe,
    on_step: OnStep | None = None,
    content: Tensor = CONTENT,
    style: Tensor = STYLE,
) -> Result:
    """Read both pictures and stylize."""
    return stylize(extractor, scales(extractor, asked, content, style), asked, on_step)


def watch(extractor: FeatureExtractor, asked: Recipe, **rest: Any) -> tuple[Result, list[Step]]:
    """Stylize, and return the result with every event."""
    steps: list[Step] = []
    return paint(extractor, asked, steps.append, **rest), steps
