"""A picture in memory, and how to make it smaller, by shrinking or by cutting."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# (H, W, 3): levels of 8 bits, or of 16.
Levels = NDArray[np.unsignedinteger[Any]]


# eq=False: comparing arrays gives an array, so that a generated == would raise.
@dataclass(frozen=True, eq=False)
class Picture:
    """What a picture file shows, whatever its format was.

    `rgb` is uint8 (H, W, 3) in sRGB, upright, with transparency laid over white. `alpha` is uint8
    (H, W), or None when every pixel is opaque, so that an alpha channel that says nothing does not
    follow through the program. `notes` are warnings for the user, one line each, about the file
    ("only the first of 12 frames is used").
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.rgb.shape[1])


def resize(picture: Picture, longest: int, scale: float = 1.0) -> Picture:
    """Shrink to at most `longest` pixels along the longer edge, and then scale by a factor.

    Without a factor above 1, it never enlarges.

    The aspect is kept as far as whole pixels allow and no edge goes below 1, so that 1 × 5000 at
    512 becomes 1 × 512. Lanczos, whose support grows with the reduction (no aliasing). Colour
    under transparency cannot bleed into what is seen: `decode` laid it over white before.
    Raises ValueError when `longest` is below 1.
    """
    if longest < 1:
        raise ValueError(f"longest must be at least 1 pixel, not {longest}")
    size = shrunk_size(picture.width, picture.height, longest, scale)
    if size == (picture.width, picture.height):
        return picture
    alpha = None if picture.alpha is None else opaque_as_none(_lanczos(picture.alpha, size))
    return replace(picture, rgb=_lanczos(picture.rgb, size), alpha=alpha)


def shrunk_size(width: int, height: int, longest: int, scale: float = 1.0) -> tuple[int, int]:
    """Return the width and height, in pixels, that `resize` would give a picture of this size."""
    scale *= min(1.0, longest / max(width, height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))


def cropped(picture: Picture, aspect: tuple[int, int]) -> Picture:
    """Cut out the largest part of that aspect, width to height, around the middle."""
    width, height = cropped_size(picture.width, picture.height, aspect)
    top, left = (picture.height - height) // 2, (picture.width - width) // 2
    rows, columns = slice(top, top + height), slice(left, left + width)
    alpha = None if picture.alpha is None else opaque_as_none(picture.alpha[rows, columns])
    return replace(picture, rgb=np.ascontiguousarray(picture.rgb[rows, columns]), alpha=alpha)


def cropped_size(width: int, height: int, aspect: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height, in pixels, of what `cropped` gives of such a picture."""
    scale = min(width / aspect[0], height / aspect[1])
    wide, high = (max(1, round(edge * scale)) for edge in aspect)
    return min(width, wide), min(height, high)


def off_white(rgb: Levels, alpha: NDArray[np.uint8]) -> Levels:
    """Find the colours that give `rgb`, (H, W, 3), once they lie under `alpha` over white.

    `rgb` is uint8 or uint16, white being the highest level of its type; `alpha` is uint8. So
    what is seen of a result over white is what was painted, to the level. Where a colour is darker
    than black under such an alpha would be, black comes closest; where nothing is seen, the colour
    stays as it is.
    """
    white = int(np.iinfo(rgb.dtype).max)
    opacity = alpha[..., None].astype(np.int64) * (white // 255)
    light = white * (rgb - (white - opacity))  # of the colour, times its opacity
    halves = np.maximum(opacity, 1)
    found = (2 * light + halves) // (2 * halves)  # rounded
    seen: Levels = np.where(opacity == 0, rgb, found.clip(0, white)).astype(rgb.dtype)
    return seen


def opaque_as_none(alpha: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the same alpha (H, W), or None when every pixel is opaque."""
    return None if bool((alpha == 255).all()) else alpha


def _lanczos(values: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resample (H, W) or (H, W, 3) to `size` = (width, height)."""
    small = Image.fromarray(values).resize(size, Image.Resampling.LANCZOS)
    return np.array(small, dtype=np.uint8)  # a copy: torch warns of arrays that it may not write
