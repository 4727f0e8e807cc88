"""Boxes with numbers, drawn on a copy of a picture."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nstcli.images.lettering import draw_text

# Seen on any picture: a bright line, and a dark one on both of its sides.
_BRIGHT, _DARK = (255, 230, 0), (0, 0, 0)
# A line is one of so many pixels of the longer edge, and a number so many lines high.
_LINE, _LETTERS = 400, 8


def marked(
    rgb: NDArray[np.uint8], boxes: Iterable[tuple[float, float, float, float]]
) -> NDArray[np.uint8]:
    """Draw boxes on a copy of pixels, uint8 (H, W, 3), and number them from 1.

    A box is left, top, right and bottom in pixels; what of it is outside is not drawn.
    """
    found = rgb.copy()
    line = max(1, round(max(rgb.shape[:2]) / _LINE))
    for number, (left, top, right, bottom) in enumerate(boxes, 1):
        for grown, color in ((line, _DARK), (0, _BRIGHT), (-line, _DARK)):
            edges = left - grown, top - grown, right + grown, bottom + grown
            _outline(found, edges, line, color)
        _label(found, str(number), round(left) + 2 * line, round(top) + 2 * line, line)
    return found


def _outline(
    rgb: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    line: int,
    color: tuple[int, int, int],
) -> None:
    height, width = rgb.shape[:2]
    left, top, right, bottom = map(round, box)
    columns = slice(max(0, left), min(width, max(0, right + line)))
    rows = slice(max(0, top), min(height, max(0, bottom + line)))
    for first in (left, right):
        rgb[rows, max(0, first) : max(0, first + line)] = color
    for first in (top, bottom):
        rgb[max(0, first) : max(0, first + line), columns] = color


def _label(rgb: NDArray[np.uint8], text: str, left: int, top: int, line: int) -> None:
    """Write a text on white with its upper left corner at a place, or as near as it fits."""
    height, width = rgb.shape[:2]
    drawn = draw_text(text, max(9, _LETTERS * line), width, _DARK)[:height]
    rows, columns = drawn.shape[:2]
    top, left = min(max(0, top), height - rows), min(max(0, left), width - columns)
    rgb[top : top + rows, left : left + columns] = drawn
