"""Named sets of recipe options. What a user gives explicitly wins over its preset."""

from collections.abc import Mapping
from typing import Any

# Every option has its default here and nowhere else. None: by the backbone or the convention.
DEFAULT: Mapping[str, Any] = {
    "model": "vgg19",
    "weights": None,
    "size": 512,
    "steps": 200,
    "scales": "auto",
    "content_weight": None,
    "style_weight": None,
    "tv_weight": None,
    "loss": "relative",
    "tv": "l2",
    "content_layers": None,
    "style_layers": None,
    "pooling": "max",
    "optimizer": "lbfgs",
    "tolerance": 0.0,
    "init": "content",
    "seed": 0,
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "draft": {"model": "squeezenet", "size": 384, "steps": 120},
    "high": {"size": 1024, "steps": 400},
    # Gatys, Ecker, Bethge 2016: their network with average pooling, their losses, one scale,
    # white noise to start from.
    "gatys": {
        "model": "vgg19",
        "pooling": "avg",
        "loss": "gatys",
        "optimizer": "lbfgs",
        "steps": 500,
        "scales": "1",
        "init": "noise",
    },
}


def chosen(preset: str, explicit: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the defaults, a preset, and what is not None of the explicit options."""
    given = {name: value for name, value in explicit.items() if value is not None}
    return {**DEFAULT, **PRESETS[preset], **given}
