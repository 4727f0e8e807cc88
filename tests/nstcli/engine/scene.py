"""Pictures of a few hundred pixels and recipes for the tiny backbone."""

from typing import Any

import torch
from torch import Tensor

from nstcli.recipe import Recipe, resolve
from tests.conftest import draw
from tests.tiny import TINY


def picture(height: int = 24, width: int = 32, seed: int = 0) -> Tensor:
    """Make a picture (1, 3, H, W) in [0, 1]."""
    pixels = torch.from_numpy(draw(height, width, seed))
    return pixels.permute(2, 0, 1)[None].float().div(255).contiguous()


def recipe(**choices: Any) -> Recipe:
    """Resolve a recipe of a few steps; `choices` are those of `nstcli.recipe.resolve`."""
    return resolve(TINY, "0" * 64, **{"size": 32, "steps": 10, **choices})
