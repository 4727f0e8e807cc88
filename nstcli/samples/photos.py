"""Photos from scikit-image's wheel, none larger than the drawings."""

from __future__ import annotations

import numpy as np
from skimage import data

from nstcli.samples.fields import Image, finish, resized

LONGEST = 640
"""Longest edge in pixels; larger photos are scaled down to it, smaller ones left alone."""


def photo(name: str) -> Image:
    """Return scikit-image's photo `name` as (H, W, 3) uint8 RGB, at most `LONGEST` px on an edge.

    Raises AttributeError where scikit-image has no photo of that name.
    """
    image = np.asarray(getattr(data, name)(), dtype=np.uint8)
    factor = LONGEST / max(image.shape[:2])
    if factor >= 1:
        return image
    shape = round(image.shape[0] * factor), round(image.shape[1] * factor)
    return finish(resized(image / 255, shape, order=1, anti_aliasing=True))
