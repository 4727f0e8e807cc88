"""Colour conversion: pixels of any mode and profile -> 8-bit sRGB and alpha."""

import functools
import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from nstcli.images.levels import are_numbers, to_levels

# The mode in which a profile of each ICC colour space expects its pixels.
_MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(
    image: Image.Image, *, profiled: bool = True
) -> tuple[Image.Image, Image.Image | None, list[str]]:
    """Convert a loaded image of any mode -> (RGB image in sRGB, alpha of mode L or None, notes).

    Alpha is not applied yet: a profile describes the bare colours. Where it is not `profiled`,
    levels stay as they are, whatever profile the file has.
    """
    if are_numbers(image):
        base, alpha, notes = _from_numbers(image)
    else:
        (base, alpha), notes = _split(image), []
    if not profiled:
        return base.convert("RGB"), alpha, notes
    rgb, profile_notes = _through_profile(base, image.info.get("icc_profile"))
    return rgb, alpha, notes + profile_notes


def laid_over(rgb: Image.Image, alpha: Image.Image, color: str) -> Image.Image:
    """Lay an RGB image with its alpha (mode L) over a colour."""
    canvas = Image.new("RGB", rgb.size, color)
    canvas.paste(rgb, mask=alpha)
    return canvas


@functools.cache
def srgb_profile() -> bytes:
    """Make an sRGB ICC profile, the same bytes at any time.

    LittleCMS writes the time of creation into bytes 24 to 35 of the header (ICC.1:2022, 7.2);
    a fixed day stands there instead.
    """
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    fixed_day = b"".join(part.to_bytes(2, "big") for part in (2000, 1, 1, 0, 0, 0))
    return made[:24] + fixed_day + made[36:]


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Separate colour (mode L, RGB, CMYK or LAB) from alpha (mode L, or None)."""
    if image.mode in ("LA", "La") or (image.mode in ("1", "L") and image.has_transparency_data):
        gray = image.convert("LA")
        return gray.getchannel("L"), gray.getchannel("A")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return rgba.convert("RGB"), rgba.getchannel("A")
    if image.mode == "1":
        return image.convert("L"), None
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("RGB"), None


def _from_numbers(image: Image.Image) -> tuple[Image.Image, Image.Image | None, list[str]]:
    """Scale a gray image of numbers to mode L."""
    levels, notes = to_levels(image)
    clear = image.info.get("transparency")
    alpha = None
    if isinstance(clear, int):  # PNG: the one gray level that is see-through
        alpha = Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8))
    return Image.fromarray(levels), alpha, notes


def _through_profile(image: Image.Image, icc: Any) -> tuple[Image.Image, list[str]]:
    """Convert colours (mode L, RGB, CMYK or LAB) to sRGB, through the file's profile if it fits.

    A profile that cannot be used costs the picture some accuracy of colour, no more: it is left
    out and said so. LAB is absolute and needs none.
    """
    if not icc or image.mode == "LAB":
        return image.convert("RGB"), []
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = source.profile.xcolor_space.strip()
        mode = _MODE_OF_SPACE.get(space, space)
        # Gray pixels with an RGB profile are common and mean what they seem to mean: R = G = B.
        if mode != image.mode and (mode, image.mode) != ("RGB", "L"):
            kind = space if space in _MODE_OF_SPACE else "foreign"
            note = f"its colour profile was ignored (a {kind} profile on {image.mode} pixels)"
            return image.convert("RGB"), [note]
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "RGB" and _changes_nothing(transform):
            return image.convert("RGB"), []
        converted = ImageCms.applyTransform(image.convert(mode), transform)
    except (OSError, TypeError, ValueError, ImageCms.PyCMSError):
        return image.convert("RGB"), ["its colour profile is damaged and was ignored"]
    return converted or image, []  # only an in-place transform returns None


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform moves no RGB colour of a grid by more than one level.

    That is sRGB under one of its many names; leaving the pixels alone keeps them exact.
    """
    steps = np.linspace(0, 255, 16).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    moved = ImageCms.applyTransform(Image.fromarray(grid), transform)
    return int(np.abs(np.asarray(moved, dtype=np.int16) - grid).max()) <= 1
