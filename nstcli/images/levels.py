"""Gray pixels that are numbers of any depth -> 8 bits, by the scale that a file states or hints at.

Pillow hands on the numbers of a file without their scale: 4095 is white in 12 bits, 1 in most
files of floats, and in a TIFF whatever its tags say (TIFF 6.0, pages 20, 37, 80).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Tags of TIFF.
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT, _LOWEST, _HIGHEST = 258, 262, 339, 340, 341
_MIN_IS_WHITE, _SIGNED = 0, 2

# White of 8, 10, 12, 14 and 16 bits, one of which a file is taken to mean if it names none.
_WHITES = (255, 1023, 4095, 16383, 65535)

# Sharpening and resizing overshoot by about this share of white; what goes further means another.
_SLACK = 0.1


@dataclass(frozen=True)
class _Scale:
    """Which numbers are black and white, and what the user should know of how that was found."""

    black: float
    white: float
    note: str = ""


def are_numbers(image: Image.Image) -> bool:
    """Whether a loaded image is gray and its pixels may be other than levels of 0 to 255."""
    if image.mode == "F" or image.mode.startswith("I"):
        return True
    tags = _tags(image)
    return image.mode == "L" and (_signed(tags) or _HIGHEST in tags)


def to_levels(image: Image.Image) -> tuple[NDArray[np.uint8], list[str]]:
    """Scale a gray image of which `are_numbers` holds -> uint8 (H, W), 255 is white; notes."""
    tags = _tags(image)
    values = _numbers(image, tags)
    values, low, high = _finite(values)
    scale = _stated(tags, low, high) or _known(image, tags, high) or _guessed(values, low, high)
    levels = _stretch(values, scale.black, scale.white)
    if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE:
        levels = 255 - levels
    notes = [scale.note] if scale.note else []
    if _HIGHEST in tags and _range_of(tags) is None:
        notes.append("its range of samples (SMinSampleValue, SMaxSampleValue) was ignored")
    return levels, notes


def note_of_color(image: Image.Image, bits: int) -> str | None:
    """Say what Pillow passes over in a loaded picture in colour, of so many bits a sample."""
    if image.mode not in ("RGB", "RGBA"):
        return None
    stated = _range_of(_tags(image))
    if stated and stated != (0, 2**bits - 1):
        return f"its tags say that black is {stated[0]:g} and white {stated[1]:g}; that was ignored"
    if bits != 16:
        return None
    # Pillow kept the upper byte, so that no more than this is known of the levels.
    bands = image.getextrema()[:3]
    highest = max(int(band[1]) for band in bands if isinstance(band, tuple))
    return _note_of_dimness(highest * 256 + 255, 65535) if highest else None


def bits_of(image: Image.Image) -> int:
    """Bits a sample of a TIFF; 0 of any other file."""
    bits = _tags(image).get(_BITS, (1,)) if image.format == "TIFF" else (0,)
    return int(bits[0])


def _tags(image: Image.Image) -> Any:
    return getattr(image, "tag_v2", {})


def _signed(tags: Any) -> bool:
    return _SIGNED in tags.get(_SAMPLE_FORMAT, ())


def _numbers(image: Image.Image, tags: Any) -> NDArray[Any]:
    """Return the samples (H, W) as they stand in the file."""
    values: NDArray[Any] = np.asarray(image)
    if image.mode == "I" and bits_of(image) == 32 and not _signed(tags):
        return values.view(np.uint32)  # Pillow has but signed ones of 32 bits
    if image.mode == "I" and bits_of(image) == 16:
        return values.astype(np.int16)
    if image.mode == "L":  # which Pillow scaled to 8 bits, and turned where black is white
        if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE:
            values = 255 - values
        values = values // (255 // (2 ** min(bits_of(image), 8) - 1))
        return values.view(np.int8) if _signed(tags) else values
    return values


def _finite(values: NDArray[Any]) -> tuple[NDArray[Any], float, float]:
    """Replace what is no number by the lowest, infinity by the nearest extreme -> with extremes."""
    if values.dtype.kind != "f":
        return values, float(values.min()), float(values.max())
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return np.nan_to_num(values, nan=low, posinf=high, neginf=low), low, high


def _stated(tags: Any, low: float, high: float) -> _Scale | None:
    """Take the range that a TIFF states, whatever it has besides."""
    found = _range_of(tags)
    if found is None:
        return None
    black, white = found
    beyond = low < black or high > white
    note = f"black is {black:g} and white {white:g}, as its tags say"
    return _Scale(black, white, f"{note}; it goes from {low:g} to {high:g}" if beyond else note)


def _range_of(tags: Any) -> tuple[float, float] | None:
    """SMinSampleValue (0 where it is missing) and SMaxSampleValue; None if they are no range."""
    try:
        black, white = (
            float(np.atleast_1d(tags.get(tag, default))[0])
            for tag, default in ((_LOWEST, 0), (_HIGHEST, math.nan))
        )
    except (TypeError, ValueError, IndexError):
        return None
    return (black, white) if math.isfinite(white - black) and white > black else None


def _known(image: Image.Image, tags: Any, high: float) -> _Scale | None:
    """Take the range of unsigned samples of up to 16 bits, which is all that they can hold."""
    if image.mode == "F" or _signed(tags) or bits_of(image) == 32:
        return None
    bits = bits_of(image) or 16  # PNG, PGM and JPEG 2000 come filled up to 16 bits
    white = 2**bits - 1
    return _Scale(0, white, _note_of_dimness(high, white))


def _guessed(values: NDArray[Any], low: float, high: float) -> _Scale:
    """Choose the scale of numbers that name none.

    Floats within 0..1, the habit of TIFF and PFM, and those a little beyond have 1 for white.
    Others, and signed numbers or those of 32 bits, have the white of the first common depth that
    holds them, provided that they come to a quarter of it. What is left is stretched from its
    lowest to its highest.
    """
    floats = values.dtype.kind == "f"
    slack = _SLACK if floats else 0.0
    whites = _whites(values.dtype)
    for white in whites:
        reaches = white == 1 or high > white / 4
        if reaches and -slack * white <= low and high <= (1 + slack) * white:
            filled = not floats and high == whites[-1]  # the whole range: nothing was guessed
            return _Scale(0, white, "" if filled else _note_of_guess(low, high, white))
    return _Scale(low, high, f"its gray levels {low:g}..{high:g} were stretched to 0..255")


def _whites(dtype: np.dtype[Any]) -> Sequence[int]:
    if dtype.kind == "f":
        return (1, *_WHITES)
    most = int(np.iinfo(dtype).max)
    return _WHITES if most > _WHITES[-1] else (*(n for n in _WHITES if n < most), most)


def _note_of_guess(low: float, high: float, white: float) -> str:
    if low < 0 or high > white:
        return f"its gray levels {low:g}..{high:g} were clipped to 0..{white:g}, black to white"
    if white == 1:
        dim = 0 < high < 1 / 8
        return f"its gray levels reach only {high:g}, and 1 was taken for white" if dim else ""
    return f"its gray levels {low:g}..{high:g} name no scale; {white:g} was taken for white"


def _note_of_dimness(high: float, white: float) -> str:
    """Say that the lightest sample is less than a quarter of white.

    Cameras and microscopes store 10, 12 or 14 bits in 16; then the picture comes out dark.
    """
    if not 0 < high < white / 4:
        return ""
    return (
        f"it is dark: its lightest level is {high:g}, white {white:g}; if less is white, scale it"
    )


def _stretch(values: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    """Map black..white to 0..255, rounded; all black where both are equal."""
    span = white - black if white > black else np.inf
    scaled = (values.astype(np.float64) - black) * 255 / span
    return np.rint(scaled).clip(0, 255).astype(np.uint8)
