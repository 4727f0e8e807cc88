"""The recipe: everything but the two images that changes the pixels of a result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nstcli.errors import InputError

if TYPE_CHECKING:
    from backbones import Backbone

# Raise it when the same recipe would give other pixels than before: old results become stale.
VERSION = 1

Loss = Literal["relative", "gatys", "sum", "mean"]
TotalVariation = Literal["l1", "l2"]
Optimizer = Literal["adam", "lbfgs"]
Schedule = Literal["cosine", "drop"]
Pooling = Literal["max", "avg"]
Init = Literal["content", "noise", "style"]

_MOST_SCALES = 16
Scales = Literal["auto"] | Annotated[int, Field(ge=1, le=_MOST_SCALES)]

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Layers = Annotated[
    dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)
]

# Weights of content, style and total variation where the user gives none. Those of `relative` hold
# for every network and size; the others were found by eye for vgg19:gatys at 256 px.
WEIGHTS: Mapping[Loss, tuple[float, float, float]] = {
    "relative": (1.0, 30.0, 0.0),
    "gatys": (1.0, 1e6, 0.0),
    "sum": (1.0, 5e5, 0.0),
    "mean": (1.0, 1e5, 0.0),
}


class Recipe(BaseModel):
    """A resolved recipe: nothing in it is left to a default that could change later.

    Attributes:
        model: name of the backbone.
        weights: sha256 of the weights file.
        size: longest edge in pixels that content and style are shrunk to; they never grow.
        steps: optimizer steps over all scales, of one evaluation each.
        loss: convention of the content and style terms.
        tv: norm of the total variation term.
        content_layers: layer to relative weight; scaled to a sum of 1 when used.
        style_layers: likewise.
        learning_rate: Adam's, in the pixel range [0, 1]; L-BFGS finds its own.
        schedule: how that rate falls: along a cosine, to a tenth; or all at once, to a thirtieth
            for the last tenth of the steps.
        dense: let a strided first convolution see every pixel; false for backbones without.
        pooling: `avg` swaps the network's max pooling for average pooling; `max` for backbones
            without.
        init: what the optimization starts from.
        scales: number of sizes from coarse to fine, each half of the next; `auto` starts at
            128 to 255 pixels.
        tolerance: a scale ends early when twenty steps lower its loss by less than this share;
            0 takes every step.
        seed: seeds the noise, where there is any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    model: str
    weights: str
    size: Annotated[int, Field(ge=1)]
    steps: Annotated[int, Field(ge=1)]
    loss: Loss
    content_weight: Weight
    style_weight: Weight
    tv_weight: Weight
    tv: TotalVariation
    content_layers: Layers
    style_layers: Layers
    dense: bool
    pooling: Pooling
    optimizer: Optimizer
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    schedule: Schedule
    init: Init
    scales: Scales
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]

    @property
    def weights_of_terms(self) -> dict[str, float]:
        """The weight of each term, by its name."""
        return {
            "content": self.content_weight,
            "style": self.style_weight,
            "tv": self.tv_weight,
        }

    @property
    def layers_of_terms(self) -> dict[str, Mapping[str, float]]:
        """The layers of each term that looks at layers, by its name, with their weights."""
        return {"content": self.content_layers, "style": self.style_layers}

    def telling(self) -> dict[str, Any]:
        """Return, as for JSON, what changes pixels; options without effect here are left out."""
        return telling(self.model_dump(mode="json"))

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not any(self.weights_of_terms.values()):
            raise ValueError("all weights are 0, which leaves nothing to optimize for")
        return self


def telling(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a recipe changes pixels; of an older one, what is not known to be idle.

    Args:
        recipe: as `Recipe` is dumped for JSON, maybe by another version.
    """
    idle = {
        "seed": recipe.get("init", "noise") != "noise",
        "learning_rate": recipe.get("optimizer", "adam") != "adam",
        "schedule": recipe.get("optimizer", "adam") != "adam",
        "tv": not recipe.get("tv_weight", 1),
        "content_layers": not recipe.get("content_weight", 1),
        "style_layers": not recipe.get("style_weight", 1),
    }
    return {name: value for name, value in recipe.items() if not idle.get(name)}


def resolve(backbone: Backbone, weights: str, choices: Mapping[str, Any]) -> Recipe:
    """Fill in what was not chosen: weights by the convention, layers by the backbone.

    Args:
        backbone: whose layers are meant.
        weights: sha256 of its weights file.
        choices: all other attributes of `Recipe`, with layers as users write them (see
            `parse_layers`); see `presets.DEFAULT`.

    Raises:
        InputError: a value out of range.
        BackboneError: an unknown layer.
    """
    values = dict(choices)
    usual = zip(("content", "style", "tv"), WEIGHTS[values["loss"]], strict=True)
    for term, weight in usual:
        if values[f"{term}_weight"] is None:
            values[f"{term}_weight"] = weight
    for role in ("content_layers", "style_layers"):
        values[role] = parse_layers(values[role], getattr(backbone, role), backbone)
    values["dense"] = bool(values["dense"] and backbone.stem)
    if values["pooling"] == "avg" and not _has_max_pooling(backbone):
        values["pooling"] = "max"
    if values["scales"] != "auto":
        values["scales"] = _count(values["scales"])
    try:
        return Recipe(**{**values, "model": backbone.name, "weights": weights})
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"]).replace("_", " ")
        raise InputError(f"{where}: {first['msg']}".removeprefix(": ")) from error


def _has_max_pooling(backbone: Backbone) -> bool:
    """Tell whether a network pools; one that names no such layer is built for it, without weights.

    This may import torch.
    """
    if any(layer.kind == "pool" for layer in backbone.layers):
        return True
    import torch

    with torch.device("meta"):
        network = backbone.build()
    return any(isinstance(module, torch.nn.MaxPool2d) for module in network.modules())


def _count(scales: str | int) -> int:
    try:
        count = int(scales)
    except ValueError:
        count = 0
    if not 1 <= count <= _MOST_SCALES:
        raise InputError(f"scales must be 'auto' or 1 to {_MOST_SCALES}, not '{scales}'")
    return count


def parse_layers(
    text: str | None, default: Mapping[str, float], backbone: Backbone
) -> dict[str, float]:
    """Read `relu1_1,relu2_1=0.5`: layers with their relative weights, which are 1 if not given.

    Raises:
        InputError: a weight that is no positive number, or a layer given twice.
        BackboneError: an unknown layer.
    """
    if text is None:
        return dict(default)
    layers: dict[str, float] = {}
    for item in text.split(","):
        name, equals, weight = (part.strip() for part in item.partition("="))
        backbone.layer(name)
        if name in layers:
            raise InputError(f"layer {name!r} is given twice in '{text}'")
        layers[name] = _positive(weight, text) if equals else 1.0
    # In the network's order, whatever that of the text: a sum's last digit depends on it.
    return {layer.name: layers[layer.name] for layer in backbone.layers if layer.name in layers}


def _positive(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        raise InputError(f"layer weight {number!r} in '{text}' is not a number") from None
    if not 0 < value < math.inf:
        raise InputError(f"layer weight {number!r} in '{text}' is not positive and finite")
    return value
