"""Short lines of text as pixels, for captions."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

# Pillow's own font comes last: it is always there, and has little more than ASCII.
_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
)

# No font has this, so it shows what a font draws for a character that it lacks.
_NOWHERE = "\U0010ffff"

_ELLIPSIS = "…"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_text(text: str, size: int, longest: int, ink: tuple[int, int, int]) -> NDArray[np.uint8]:
    r"""Draw one line of text on white, uint8 (H, W, 3), as wide as it gets but at most `longest`.

    The line is cut in the middle where it is too long, because names that begin alike differ at
    their ends. Every line of one `size` (in pixels) is equally high. A character that no font of
    this machine can draw is written as in `\u6f22`, so that nothing ever seems to be another
    name than it is.
    """
    font, drawable = _for(unicodedata.normalize("NFC", text), size)
    line = _cut(drawable, font, longest)
    width = min(longest, max(1, round(font.getlength(line))))
    image = Image.new("RGB", (width, round(size * 1.4)), "white")
    # "ls": from the baseline, which all lines then share.
    ImageDraw.Draw(image).text((0, round(size * 1.05)), line, ink, font, anchor="ls")
    return np.array(image, dtype=np.uint8)


def _for(text: str, size: int) -> tuple[Font, str]:
    """Choose the font that can draw most of a text, and escape what it cannot."""
    best = max(_fonts(size), key=lambda font: sum(_has(font, character) for character in text))
    return best, "".join(c if _has(best, c) else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


@cache
def _fonts(size: int) -> list[Font]:
    found: list[Font] = []
    for name in _FONTS:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return [*found, ImageFont.load_default(size)]


@cache
def _has(font: Font, character: str) -> bool:
    if not character.isprintable():
        return False
    if unicodedata.bidirectional(character) in {"R", "AL"} and not features.check("raqm"):
        return False  # its letters would stand in the wrong order
    return character.isspace() or _drawn(font, character) != _drawn(font, _NOWHERE)


def _drawn(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _cut(text: str, font: Font, longest: int) -> str:
    """Leave out as much from the middle of a text as does not fit."""
    kept, line = len(text), text
    while font.getlength(line) > longest and kept > 0:
        kept -= 1
        head = (kept + 1) // 2
        line = text[:head] + _ELLIPSIS + text[len(text) - kept + head :]
    return line
