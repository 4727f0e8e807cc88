"""Scalar fields on the pixel grid, the common ground of all drawings: noise, palettes, relief.

A field is an (H, W) float array, a canvas an (H, W, 3) one with RGB in [0, 1]; both are measured in
pixels, y down and x to the right.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from skimage import filters, transform

Field = NDArray[np.float64]
Image = NDArray[np.uint8]
Shape = tuple[int, int]


def pixels(shape: Shape) -> tuple[Field, Field]:
    """Return the (y, x) coordinates of every pixel, each (H, W)."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return y, x


def resized(image: Field, shape: Shape, order: int, anti_aliasing: bool = False) -> Field:
    """Return `image`, (H, W) or (H, W, 3), on the grid `shape`, by splines of degree `order`."""
    scaled = transform.resize(  # type: ignore[no-untyped-call]
        image, (*shape, *image.shape[2:]), order=order, mode="reflect", anti_aliasing=anti_aliasing
    )
    return cast(Field, scaled)


def noise(
    shape: Shape,
    size: float | tuple[float, float],
    rng: np.random.Generator,
    octaves: int = 1,
) -> Field:
    """Return smooth noise of mean 0 and standard deviation 1.

    `size` is the width in px of the coarsest blobs, or their (height, width) for a streaky grain.
    Each further octave is half as large and half as strong.
    """
    tall, wide = size if isinstance(size, tuple) else (size, size)
    total = np.zeros(shape)
    for octave in range(octaves):
        cells = (
            max(4, int(shape[0] * 2**octave / tall) + 3),
            max(4, int(shape[1] * 2**octave / wide) + 3),
        )
        knots = rng.standard_normal(cells)
        total += resized(knots, shape, order=3) / 2**octave
    return cast(Field, (total - total.mean()) / total.std())


def blur(field: Field, sigma: float) -> Field:
    """Return `field` (H, W) or (H, W, 3) after a Gaussian of `sigma` px."""
    channel = -1 if field.ndim == 3 else None
    soft = filters.gaussian(  # type: ignore[no-untyped-call]
        field, sigma, mode="nearest", channel_axis=channel
    )
    return cast(Field, soft)


def smoothstep(low: float | Field, high: float | Field, value: Field) -> Field:
    """Return 0 below `low`, 1 above `high` and a smooth S between: an antialiased threshold."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def palette(colours: str) -> Field:
    """Return the colours, written "#rrggbb #rrggbb …", as (N, 3) RGB in [0, 1]."""
    return np.array([list(bytes.fromhex(c.lstrip("#"))) for c in colours.split()]) / 255


def ramp(t: Field, stops: Field) -> Field:
    """Return (…, 3) colours: `t` in [0, 1] runs evenly through the (N, 3) `stops`."""
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(t, at, stops[:, c]) for c in range(3)], axis=-1)


def mix(below: Field, above: Field, alpha: Field) -> Field:
    """Return `above` laid over `below`, both (H, W, 3) or one colour, with (H, W) opacity."""
    return below + (above - below) * alpha[..., None]


def relief(height: Field, steepness: float, towards: float = -2.2) -> Field:
    """Return how much light falls on a `height` map, about -1 (shade) to 1 (highlight), (H, W).

    The lamp stands at the angle `towards` (radians, x axis to y axis, so that -2.2 is upper left).
    """
    dy, dx = np.gradient(height)
    slope = dx * np.cos(towards) + dy * np.sin(towards)
    # A slope that falls towards the lamp faces it; tanh keeps cliffs from burning out.
    return cast(Field, np.tanh(-slope * steepness))


def finish(canvas: Field) -> Image:
    """Return the canvas as uint8, clipped to [0, 1] before rounding."""
    return np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
