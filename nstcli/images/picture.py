"""A picture in memory, and how to make it smaller."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image


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


def off_white(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Find the colours that give `rgb`, uint8 (H, W, 3), once they lie under `alpha` over white.

    So that what is seen of a result over white is what was painted, to the level. Where a colour
    is darker than black under such an alpha would be, black comes closest; where nothing is seen,
    the colour stays as it is.
    """
    opacity = alpha[..., None].astype(np.int32)
    light = 255 * (rgb - (255 - opacity))  # of the colour, times its opacity
    halves = np.maximum(opacity, 1)
    found = (2 * light + halves) // (2 * halves)  # rounded
    return np.where(opacity == 0, rgb, found.clip(0, 255)).astype(np.uint8)


def opaque_as_none(alpha: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the same alpha (H, W), or None when every pixel is opaque."""
    return None if bool((alpha == 255).all()) else alpha


def _lanczos(values: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resample (H, W) or (H, W, 3) to `size` = (width, height)."""
    small = Image.fromarray(values).resize(size, Image.Resampling.LANCZOS)
    return np.array(small, dtype=np.uint8)  # a copy: torch warns of arrays that it may not write
