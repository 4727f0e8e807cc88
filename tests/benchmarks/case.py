"""One pair for one model: what each section measures ours and the reference on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import backbones
from backbones import weights
from backbones.hooks import FeatureExtractor
from backbones.spec import Preprocessing
from nstcli import images
from nstcli.engine import objective as engine_objective
from nstcli.engine.objective import Part, evaluate, parts
from nstcli.engine.precision import Precision, adapted, arranged
from nstcli.engine.pyramid import factors, resized, shrunk
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import read_content, read_style
from nstcli.images import Picture
from nstcli.recipe import DEFAULT, Recipe
from nstcli.results.records import Form
from nstcli.run.job import Settings, settings_for
from tests.benchmarks.reference import Reference
from tests.benchmarks.scope import Scope


class Pair(NamedTuple):
    """Both images, (1, 3, H, W), RGB in [0, 1]."""

    content: Tensor
    style: Tensor


def as_read(scope: Scope, size: int) -> Pair:
    """Read the pair as `nst` does: aspects kept, shrunk to a longest edge, never enlarged."""
    content, style = (images.resize(each, size) for each in (scope.content, scope.style))
    return Pair(tensor(content), tensor(style))


def framed(scope: Scope, size: int) -> Pair:
    """Cut out 4:3 and resample to `size`, so that costs can be compared between sizes."""
    return Pair(_frame(tensor(scope.content), size), _frame(tensor(scope.style), size))


def tensor(picture: Picture) -> Tensor:
    """Turn uint8 (H, W, 3) into (1, 3, H, W) in [0, 1]."""
    pixels = torch.from_numpy(np.array(picture.rgb)).permute(2, 0, 1)[None]
    return pixels.float().div(255).contiguous()


def _frame(image: Tensor, size: int) -> Tensor:
    height, width = image.shape[-2:]
    keep_height, keep_width = min(height, width * 3 // 4), min(width, height * 4 // 3)
    top, left = (height - keep_height) // 2, (width - keep_width) // 2
    cut = image[..., top : top + keep_height, left : left + keep_width]
    return resized(cut, size * 3 // 4, size)


def settings(model: str, **choices: Any) -> Settings:
    """Resolve a recipe as `nst` does, with its defaults for all that is not chosen.

    Without the nearest term, which the reference does not know.
    """
    usual = {**DEFAULT, "nearest_weight": 0.0}
    return settings_for({**usual, **choices, "model": model, "weights": None}, Form())


def network(asked: Settings) -> tuple[nn.Module, Preprocessing]:
    """Build the bare network with its weights, for the reference."""
    loaded = weights.load(asked.backbone, asked.weight_set)
    with torch.device("meta"):
        built = asked.backbone.build()
    built.load_state_dict(loaded.tensors, assign=True)
    if asked.recipe.dense:  # the same arithmetic on both sides
        built.get_submodule(asked.backbone.stem.module).stride = (1, 1)
    return built.eval().requires_grad_(False), loaded.preprocessing


def reference(asked: Settings, pair: Pair) -> Reference:
    """Set up the reference for a pair."""
    return Reference(*network(asked), modules(asked), asked.recipe, pair.content, pair.style)


def modules(asked: Settings) -> dict[str, str]:
    """Return the module path of every public layer name, in forward order."""
    return {layer.name: layer.module for layer in asked.backbone.layers}


def plain(asked: Settings) -> FeatureExtractor:
    """Load an extractor with no more than the recipe's network: float32, contiguous."""
    return adapted(FeatureExtractor.load(asked.backbone, asked.weight_set), asked.recipe)


def fastest(asked: Settings, scratch: Path) -> tuple[FeatureExtractor, Precision]:
    """Load an extractor in the precision that `nst` would choose here and now.

    It is measured in this run, and remembered for it alone: what the user's cache remembers may be
    of a busier hour.
    """
    extractor = FeatureExtractor.load(asked.backbone, asked.weight_set)
    return arranged(extractor, asked.recipe, "auto", scratch / "precision.json")


def scales(extractor: FeatureExtractor, recipe: Recipe, pair: Pair) -> list[Scale]:
    """Read both images at all scales of the recipe, as `nst` does."""
    minimum = extractor.backbone.minimum_size
    return [
        Scale(
            read_content(extractor, shrunk(pair.content, factor), recipe),
            read_style(extractor, [shrunk(pair.style, factor)], recipe),
        )
        for factor in factors(recipe, pair.content, pair.style, minimum)
    ]


def objective(extractor: FeatureExtractor, recipe: Recipe, pair: Pair) -> list[Part]:
    """List the terms that our loop evaluates at full size."""
    content = read_content(extractor, pair.content, recipe)
    style = read_style(extractor, [pair.style], recipe)
    return parts(extractor, content, style, recipe)


def weighted(
    extractor: FeatureExtractor, image: Tensor, terms: Sequence[Part], recipe: Recipe
) -> Tensor:
    """Evaluate J (scalar), as our loop does."""
    return engine_objective.weighted(evaluate(extractor, image, terms), recipe).sum()


class Judge:
    """J of any picture, for comparison: by an extractor of its own, in float32, not arranged."""

    def __init__(self, asked: Settings, pair: Pair):
        self.extractor = plain(asked)
        self._recipe = asked.recipe
        self._terms = objective(self.extractor, asked.recipe, pair)

    @torch.no_grad()
    def __call__(self, image: Tensor) -> float:
        """Evaluate J of (1, 3, H, W), after clamping it to what a file can hold."""
        image = image.detach().float().clamp(0, 1)
        return weighted(self.extractor, image, self._terms, self._recipe).item()


def check_minimum(model: str, size: int) -> int:
    """Return the size, or what the 4:3 frame needs at least for the model's deepest layer."""
    return max(size, -(-backbones.get(model).minimum_size * 4 // 3))
