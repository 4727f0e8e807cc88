"""Recipes that look at one input alone: textures of artworks, and inversions of photos.

A texture has what an artwork has everywhere and nothing of what it shows where (Gatys, Ecker,
Bethge 2015, "Texture Synthesis Using Convolutional Neural Networks"). An inversion has what one
layer still knows of a photo (Mahendran, Vedaldi 2015, "Understanding Deep Image Representations by
Inverting Them"; figure 1 of Gatys et al. 2016).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from backbones import Backbone
from nstcli.config.parsers import aspect
from nstcli.errors import InputError
from nstcli.methods import METHODS, OPTIMIZE
from nstcli.recipe import OFF, parse_layers
from nstcli.terms import INPUTS, TERMS, Role

# What only a photo and an artwork together have.
_OF_PAIRS = ("colors", "keep_faces", "fit")
# Shortest first size of a texture, longest edge in pixels, where nobody says how many there are.
# Other pictures begin larger, as a photo would be lost; noise has nothing to lose, and the coarser
# its first size, the larger are the strokes that find their places.
_COARSEST = 48
# Total variation of inversions, where nobody says any. What a pool has dropped, nothing else asks
# for: without it, deep layers leave checks all over. VGG-19's relu3_1 of a cat at 128 px and 100
# steps had 18 dB with 0, 25 with 1 and 29 with 10; relu1_1 26, 46 and 41.
_SMOOTH = 10.0


def alone(choices: Mapping[str, Any], content: bool, style: bool) -> dict[str, Any]:
    """Return the choices of results that have a content or a style, or both.

    An inversion is of the content layers that are chosen.
    """
    if content:
        return dict(choices) if style else of_inversion(choices, choices["content_layers"])
    return of_texture(choices)


def refuse_input(init: str | None) -> None:
    """Refuse to begin with an input, where the user asks for it: a result would be that.

    Raises:
        InputError: this is such a start.
    """
    if init in {*INPUTS, *METHODS}:
        raise InputError(
            f"--init {init}: what is made of one input begins with noise, gray, or a picture of "
            "your own"
        )


def of_texture(
    choices: Mapping[str, Any], shape: tuple[int, int] | None = None, tileable: bool = False
) -> dict[str, Any]:
    """Return the choices of textures.

    Args:
        choices: options of the recipe by name, all of them.
        shape: width and height in pixels; None for those of the choices.
        tileable: they go on beyond their borders.
    """
    found = {**_seeing("style", choices), "keep_size": OFF["keep_size"]}
    if shape:
        found["size"] = max(shape)
        square = shape[0] == shape[1]
        found["center_crop"] = OFF["center_crop"] if square else aspect("x".join(map(str, shape)))
    if found["scales"] == "auto":
        found["scales"] = 1 + max(0, int(math.log2(found["size"] / _COARSEST)))
    if tileable:
        found["padding"] = "circular"
    return found


def shape_of(size: str) -> tuple[int, int] | None:
    """Read `512` or `512x256`: a width and a height; None of an empty text.

    Raises:
        InputError: it is neither.
    """
    if not size:
        return None
    edges = size.lower().replace("×", "x").split("x")
    if len(edges) > 2 or not all(edge.isdecimal() and int(edge) for edge in edges):
        raise InputError(
            f"--size {size}: should be pixels like 512, or a width and a height like 512x256"
        )
    return int(edges[0]), int(edges[-1])


def of_inversion(choices: Mapping[str, Any], layers: str | None) -> dict[str, Any]:
    """Return the choices of inversions of a layer, from all options of the recipe by name."""
    found = {**_seeing("content", choices), "content_layers": layers}
    if found["tv_weight"] is None and found["loss"] == "relative":
        found["tv_weight"] = _SMOOTH
    return found


def layers_to_invert(backbone: Backbone, layers: str = "") -> list[str]:
    """Return layers as written, `relu1_1,relu2_1`, shallowest first.

    Where nothing is written, these are all that the content and style terms look at by default.

    Raises:
        InputError: a layer given twice.
        BackboneError: an unknown layer.
    """
    usual = (*backbone.usual_layers("content"), *backbone.usual_layers("style"))
    chosen = parse_layers(layers or None, dict.fromkeys(usual, 1.0), backbone)
    return [layer.name for layer in backbone.layers if layer.name in chosen]


def _seeing(role: Role, choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return choices without what looks at another input, from noise and not from an input.

    From its own input, a result would be that. A picture of the user's own may be begun with.

    Raises:
        InputError: their method takes both inputs.
    """
    if not METHODS[choices["method"]].stepwise:
        raise InputError(
            f"--method {choices['method']} needs a photo and an artwork; of one of them alone, "
            f"results are made by --method {OPTIMIZE}"
        )
    idle = {term.weight_option: 0.0 for term in TERMS.values() if term.target not in (role, None)}
    init = "noise" if choices["init"] in {*INPUTS, *METHODS} else choices["init"]
    return {**choices, **idle, **{name: OFF[name] for name in _OF_PAIRS}, "init": init}
