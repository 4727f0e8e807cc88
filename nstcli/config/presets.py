"""Named sets of recipe options. What a user gives explicitly wins over its preset.

Users keep their own beside those here, a TOML file each, in the folder of the program's settings.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backbones.hints import closest
from backbones.paths import exists
from nstcli.config import files

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "draft": {"model": "squeezenet", "dense": False, "size": 384, "steps": 120},
    "default": {},
    "high": {"size": 1024, "steps": 400},
    # What the two halves of the style are without each other: where it goes, and how it is mixed.
    "faithful": {"style_weight": 5.0, "nearest_weight": 15.0},
    "gram": {"nearest_weight": 0.0},
    # Gatys, Ecker, Bethge 2016: their network with average pooling, their losses, one scale,
    # white noise to start from. Their content term is a sum over positions, their style term is
    # none: at twice the size, a weight of the style is worth a quarter, and little but the photo
    # is left. So the size is that which the weights were found at.
    "gatys": {
        "model": "vgg19",
        "size": 256,
        "pooling": "avg",
        "style_layers": "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1",
        "loss": "gatys",
        "optimizer": "lbfgs",
        "steps": 500,
        "scales": 1,
        "init": "noise",
    },
    # The first pictures of the CS231n assignment (Stanford 2017; Composition VII): SqueezeNet, its
    # layers and weights. Total variation counted pixels divided by ImageNet's deviations, whose
    # squares come to 1/19.6, so 0.05 there is 0.98 here, and a rate of 3 is 0.68. What still
    # differs: 192 px were the shorter edge, and 512 that of the artwork; pixels were kept within
    # 1.5 such units of the mean rather than within [0, 1]; Adam's betas were (0.9, 0.999) rather
    # than (0.9, 0.99); and where the rate drops, a new Adam began, without its memory.
    "cs231n": {
        "model": "squeezenet",
        "weights": "torchvision",
        "dense": False,
        "size": 192,
        "scales": 1,
        "loss": "sum",
        "content_layers": "fire2",
        "content_weight": 0.05,
        "style_layers": "conv1=20000,fire3=500,fire4=12,fire5=1",
        # The sum of those of its layers, which are shares of it.
        "style_weight": 20513.0,
        "tv_weight": 0.98,
        "optimizer": "adam",
        "learning_rate": 0.68,
        "schedule": "drop",
        "steps": 200,
    },
}

# What is safe in the name of a file on every system.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


def folder() -> Path:
    """Return where users keep their own."""
    import platformdirs

    return platformdirs.user_config_path("nst", appauthor=False) / "presets"


def path_of(name: str) -> Path:
    """Return where a user's own preset is, or would be.

    Raises:
        ValueError: a preset cannot be called so.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("should be small letters, digits, '-' and '_', 64 at most")
    return folder() / f"{name}.toml"


def own() -> list[str]:
    """List the user's own presets by name."""
    with suppress(OSError):
        found = sorted(path.stem for path in folder().iterdir() if path.suffix == ".toml")
        return [name for name in found if name not in PRESETS and _NAME.fullmatch(name)]
    return []


def named(written: object) -> str:
    """Read the name of a preset that there is."""
    if isinstance(written, str) and written in PRESETS:
        return written
    if isinstance(written, str) and _NAME.fullmatch(written) and exists(path_of(written)):
        return written
    known = [*PRESETS, *own()]
    hint = closest(written, known) if isinstance(written, str) else ""
    raise ValueError(f"should be one of {', '.join(known)}{hint}")


def table(name: str) -> Mapping[str, Any]:
    """Return what a preset sets, by field.

    Raises:
        InputError: it is a user's own, and cannot be read.
    """
    if name in PRESETS:
        return PRESETS[name]
    return {key.replace("-", "_"): value for key, value in files.read(path_of(name)).items()}
