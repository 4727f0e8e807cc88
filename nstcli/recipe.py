"""The recipe: everything but the two images that changes the pixels of a result."""

from __future__ import annotations

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
Init = Literal["content", "noise", "style"]

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Layers = Annotated[
    dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)
]

# Weights of content, style and total variation where the user gives none. `relative` ones hold
# for every network and size; the others are of the magnitude that vgg19:gatys wants.
WEIGHTS: Mapping[Loss, tuple[float, float, float]] = {
    "relative": (1.0, 100.0, 0.0),
    "gatys": (1.0, 1e6, 0.0),
    "sum": (1.0, 1e6, 0.0),
    "mean": (1.0, 1e5, 0.0),
}


class Recipe(BaseModel):
    """A resolved recipe: nothing in it is left to a default that could change later.

    Attributes:
        model: name of the backbone.
        weights: sha256 of the weights file.
        size: longest edge in pixels that content and style are shrunk to; they never grow.
        steps: optimizer steps, of one evaluation each.
        loss: convention of the content and style terms.
        tv: norm of the total variation term.
        content_layers: layer to relative weight; scaled to a sum of 1 when used.
        style_layers: likewise.
        init: what the optimization starts from.
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
    optimizer: Optimizer
    init: Init
    seed: Annotated[int, Field(ge=0, lt=2**63)]

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.content_weight == self.style_weight == self.tv_weight == 0:
            raise ValueError("all weights are 0, which leaves nothing to optimize for")
        return self


def resolve(
    backbone: Backbone,
    weights: str,
    *,
    size: int = 512,
    steps: int = 200,
    loss: Loss = "relative",
    content_weight: float | None = None,
    style_weight: float | None = None,
    tv_weight: float | None = None,
    tv: TotalVariation = "l2",
    content_layers: str | None = None,
    style_layers: str | None = None,
    optimizer: Optimizer = "lbfgs",
    init: Init = "content",
    seed: int = 0,
) -> Recipe:
    """Fill in what was not chosen: weights by the convention, layers by the backbone.

    Args:
        backbone: whose layers are meant.
        weights: sha256 of its weights file.
        content_layers: as users write them, see `parse_layers`; likewise `style_layers`.

    The other arguments are those of `Recipe`.

    Raises:
        InputError: a value out of range.
        BackboneError: an unknown layer.
    """
    usual: dict[str, Any] = dict(
        zip(("content_weight", "style_weight", "tv_weight"), WEIGHTS[loss], strict=True)
    )
    chosen = {
        "content_weight": content_weight,
        "style_weight": style_weight,
        "tv_weight": tv_weight,
    }
    usual.update({name: value for name, value in chosen.items() if value is not None})
    try:
        return Recipe(
            model=backbone.name,
            weights=weights,
            size=size,
            steps=steps,
            loss=loss,
            tv=tv,
            content_layers=parse_layers(content_layers, backbone.content_layers, backbone),
            style_layers=parse_layers(style_layers, backbone.style_layers, backbone),
            optimizer=optimizer,
            init=init,
            seed=seed,
            **usual,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"]).replace("_", " ")
        raise InputError(f"{where}: {first['msg']}".removeprefix(": ")) from error


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
        name, _, weight = (part.strip() for part in item.partition("="))
        backbone.layer(name)
        if name in layers:
            raise InputError(f"layer {name!r} is given twice in '{text}'")
        try:
            layers[name] = float(weight or 1)
        except ValueError:
            raise InputError(f"layer weight {weight!r} in '{text}' is not a number") from None
    return layers
