"""Example photos and style images, so that style transfer can be tried without a file of one's own.

`CONTENT` and `STYLE` map a name to a function without arguments that returns an (H, W, 3) uint8 RGB
array.  Nothing is downloaded: the photos, and Hubble's deep field, lie in scikit-image's wheel; the
other styles are drawn here.  A new drawing is one module with `draw()` and one row.

Importing this package imports neither numpy nor scikit-image, so that `nst --help` stays quick.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Sample = Callable[[], NDArray[np.uint8]]

__all__ = ["CONTENT", "STYLE"]


def _photo(name: str) -> NDArray[np.uint8]:
    from nstcli.samples import photos

    return photos.photo(name)


def _drawing(module: str) -> NDArray[np.uint8]:
    draw = cast("Sample", import_module(f"{__name__}.{module}").draw)
    return draw()


CONTENT: Mapping[str, Sample] = {
    name: partial(_photo, name) for name in ("astronaut", "chelsea", "coffee", "rocket")
}

STYLE: Mapping[str, Sample] = {
    "cubist": partial(_drawing, "cubist"),
    "ember_marble": partial(_drawing, "ember_marble"),
    "hubble_deep_field": partial(_photo, "hubble_deep_field"),
    "ink_waves": partial(_drawing, "ink_waves"),
    "pointillist": partial(_drawing, "pointillist"),
    "stained_glass": partial(_drawing, "stained_glass"),
    "woven_strokes": partial(_drawing, "woven_strokes"),
}
