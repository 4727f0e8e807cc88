"""Cells of contact sheets: pictures of one width, captions below them, and rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nstcli.images.lettering import draw_text
from nstcli.images.picture import Picture, resize

Pixels = NDArray[np.uint8]
Ink = tuple[int, int, int]

INK: Ink = (28, 27, 26)
QUIET: Ink = (101, 98, 93)
ALARM: Ink = (164, 48, 31)

# Grounds of fields without a picture.
EMPTY: Ink = (243, 243, 243)
FAILED: Ink = (251, 238, 234)

# A sheet is at most so wide or high as long as its columns need not be too narrow for that.
_LONGEST = 12_000


@dataclass(frozen=True)
class Cells:
    """Draws cells, uint8 (H, `width`, 3), on white; every other length is a share of the width.

    Attributes:
        width: of a column in pixels.
    """

    width: int

    @classmethod
    def fitting(
        cls, columns: int, rows: int, widths: Iterable[int], narrowest: int, widest: int
    ) -> Self:
        """Choose the width for so many columns and rows.

        None is wider than the widest of the pictures, `widths`, which are not enlarged.
        """
        room = _LONGEST // max(columns, rows)
        return cls(max(narrowest, min(widest, max(widths, default=widest), room)))

    @property
    def text(self) -> int:
        """Size of the letters of a name, in pixels."""
        return max(10, self.width // 18)

    @property
    def highest(self) -> int:
        """Height in pixels that pictures are shrunk to where they are tall."""
        return self.width * 3 // 2

    def fitted(self, picture: Picture, highest: int) -> Pixels:
        """Shrink to the column's width and at most `highest`; a smaller one stays as it is."""
        scale = min(self.width / picture.width, highest / picture.height)
        longest = max(1, int(scale * max(picture.width, picture.height)))
        return self._beside_white(resize(picture, longest).rgb[:, : self.width])

    def field(self, text: str = "", ink: Ink = QUIET, ground: Ink = EMPTY) -> Pixels:
        """Draw a placeholder that says why no picture is there."""
        canvas = self._white(self.width * 3 // 4)
        canvas[:] = ground
        line = draw_text(text, self.text, self.width - 2 * self._gap, ink)
        top, left = (len(canvas) - len(line)) // 2, (self.width - line.shape[1]) // 2
        area = canvas[top : top + len(line), left : left + line.shape[1]]
        area[:] = np.minimum(area, line)  # the ground shows where the line is white
        return canvas

    def captioned(self, image: Pixels, *lines: Pixels) -> Pixels:
        """Set lines below an image."""
        return np.concatenate([image, self._white(self.text // 3), *lines])

    def line(self, text: str, ink: Ink, size: int | None = None) -> Pixels:
        """Draw a line of a caption, in the size of names if none is given."""
        return self._beside_white(draw_text(text, size or self.text, self.width, ink))

    def row(self, cells: Sequence[Pixels], bottom: bool = False) -> Pixels:
        """Set cells side by side, aligned at their tops or bottoms, with gaps around."""
        height = max(map(len, cells))
        gap = self._white(height, self._gap)
        parts = [gap]
        for cell in cells:
            fill = self._white(height - len(cell))
            parts += [np.concatenate([fill, cell] if bottom else [cell, fill]), gap]
        return np.concatenate(parts, axis=1)

    def blank(self) -> Pixels:
        """Draw a cell without anything."""
        return self._white(1)

    def sheet(self, rows: Sequence[Pixels]) -> Pixels:
        """Set rows below each other, with gaps around."""
        gap = self._white(self._gap, rows[0].shape[1])
        return np.concatenate([part for row in rows for part in (gap, row)] + [gap])

    @property
    def _gap(self) -> int:
        return max(4, self.width // 20)

    def _beside_white(self, pixels: Pixels) -> Pixels:
        """Fill what is narrower up to the width."""
        canvas = self._white(len(pixels))
        canvas[:, : pixels.shape[1]] = pixels
        return canvas

    def _white(self, height: int, width: int | None = None) -> Pixels:
        return np.full((height, self.width if width is None else width, 3), 255, np.uint8)
