"""A contact sheet: one picture of all results between their photos and artworks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nstcli.batch.records import Record
from nstcli.errors import InputError
from nstcli.images import Picture, decode, lettered, resize
from nstcli.report.grid import Entry, Grid, Input, read_grid
from nstcli.report.inputs import copy_input
from nstcli.report.thumbs import LARGE, Thumbs

Pixels = NDArray[np.uint8]

# Widths of a column: as asked for or by the number of columns, but always within these.
WIDEST, NARROWEST = 320, 64
# A sheet is at most so wide or high as long as its columns need not be narrower than that.
_LONGEST = 12_000

_INK, _QUIET, _ALARM = (28, 27, 26), (101, 98, 93), (164, 48, 31)
_EMPTY, _FAILED = 243, (251, 238, 234)


@dataclass(frozen=True)
class _Row:
    """A content with one variant of its results, one entry or none for each style."""

    content: Input
    variant: str
    entries: Sequence[Entry | None]


def draw_sheet(folder: Path, cell: int | None = None) -> Pixels:
    """Draw the contact sheet of an output folder, uint8 (H, W, 3).

    Styles head the columns and contents the rows; where results of one content and style differ
    in their recipe, each variant has a row.

    Args:
        folder: of a batch.
        cell: width of a column in pixels; by default 320, or less where there are many or
            the results are smaller.

    Raises:
        InputError: there is no record in the folder.
        OSError: small copies of the inputs cannot be written to it.
    """
    grid = read_grid(folder)
    rows = _rows(grid)
    return _Drawing(grid, folder, cell or _width(grid, rows)).sheet(rows)


def _width(grid: Grid, rows: Sequence[_Row]) -> int:
    """Choose the width of a column: none is wider than the results, which are not enlarged."""
    results = [entry.known.width for entry in grid.entries if isinstance(entry.known, Record)]
    room = _LONGEST // max(len(grid.styles) + 1, len(rows) + 1)
    return max(NARROWEST, min(WIDEST, max(results, default=WIDEST), room))


def _rows(grid: Grid) -> list[_Row]:
    rows = []
    for number, content in enumerate(grid.contents):
        cells = [grid.cell(number, style) for style in range(len(grid.styles))]
        made = (entry for entry in grid.entries if entry.content == number)
        variants = dict.fromkeys(entry.variant for entry in made if isinstance(entry.known, Record))
        for variant in variants or [""]:
            rows.append(_Row(content, variant, [_of(variant, cell) for cell in cells]))
    return rows


def _of(variant: str, cell: Sequence[Entry]) -> Entry | None:
    """Choose what a cell shows: the result of a variant, else that there was a failure."""
    fitting = [e for e in cell if not isinstance(e.known, Record) or e.variant == variant]
    return fitting[0] if fitting else None


class _Drawing:
    """Draws with one width of columns; every length is a share of it."""

    def __init__(self, grid: Grid, folder: Path, cell: int):
        self._grid = grid
        self._folder = folder
        self._thumbs = Thumbs(folder)
        self._cell = cell
        self._gap = max(4, cell // 20)
        self._text = max(10, cell // 18)

    def sheet(self, rows: Sequence[_Row]) -> Pixels:
        """Draw everything, row by row."""
        heads = [self._headed(style, self._cell * 3 // 4) for style in self._grid.styles]
        bands = [self._band([self._blank(1), *heads], bottom=True)]
        bands += [self._band(self._row(row)) for row in rows]
        gap = self._white(self._gap, bands[0].shape[1])
        return np.concatenate([part for band in bands for part in (gap, band)] + [gap])

    def _row(self, row: _Row) -> list[Pixels]:
        head = self._headed(row.content, self._cell * 3 // 2, row.variant)
        return [head, *(self._result(entry) for entry in row.entries)]

    def _headed(self, known: Input, highest: int, variant: str = "") -> Pixels:
        """Draw a content or style with its name below."""
        picture = self._input(known)
        image = self._fitted(picture, highest) if picture else self._note("not found", _QUIET)
        captions = [self._line(known.label, _INK)]
        if variant:
            captions.append(self._line(variant, _QUIET))
        return np.concatenate([image, self._white(self._text // 3, self._cell), *captions])

    def _input(self, known: Input) -> Picture | None:
        copy_input(known.path, known.sha256, self._folder, self._thumbs)
        thumb = self._thumbs.find(known.sha256, LARGE)
        return decode(thumb.path.read_bytes(), known.label) if thumb else None

    def _result(self, entry: Entry | None) -> Pixels:
        if entry is None:
            return self._note("not made", _QUIET)
        if not isinstance(entry.known, Record):
            return self._note("failed", _ALARM, _FAILED)
        try:
            picture = decode((self._folder / entry.output).read_bytes(), entry.output)
        except (OSError, InputError):
            return self._note("its file is gone or damaged", _ALARM)
        return self._fitted(picture, self._cell * 3 // 2)

    def _fitted(self, picture: Picture, highest: int) -> Pixels:
        """Shrink to the column's width and at most `highest`; a smaller one stays as it is."""
        scale = min(self._cell / picture.width, highest / picture.height)
        longest = max(1, int(scale * max(picture.width, picture.height)))
        rgb = resize(picture, longest).rgb
        canvas = self._white(rgb.shape[0], self._cell)
        canvas[:, : rgb.shape[1]] = rgb[:, : self._cell]
        return canvas

    def _note(
        self, text: str, ink: tuple[int, int, int], ground: tuple[int, int, int] | int = _EMPTY
    ) -> Pixels:
        """Draw a placeholder that says why nothing is there."""
        canvas = self._white(self._cell * 3 // 4, self._cell)
        canvas[:] = ground
        line = lettered(text, self._text, self._cell - 2 * self._gap, ink)
        top, left = (canvas.shape[0] - line.shape[0]) // 2, (self._cell - line.shape[1]) // 2
        area = canvas[top : top + line.shape[0], left : left + line.shape[1]]
        area[:] = np.minimum(area, line)  # the ground shows where the line is white
        return canvas

    def _line(self, text: str, ink: tuple[int, int, int]) -> Pixels:
        line = lettered(text, self._text, self._cell, ink)
        canvas = self._white(line.shape[0], self._cell)
        canvas[:, : line.shape[1]] = line
        return canvas

    def _band(self, cells: Sequence[Pixels], bottom: bool = False) -> Pixels:
        """Set cells side by side, aligned at their tops or bottoms, with gaps around."""
        height = max(len(cell) for cell in cells)
        gap = self._white(height, self._gap)
        parts = [gap]
        for cell in cells:
            fill = self._white(height - len(cell), self._cell)
            parts += [np.concatenate([fill, cell] if bottom else [cell, fill]), gap]
        return np.concatenate(parts, axis=1)

    def _blank(self, height: int) -> Pixels:
        return self._white(height, self._cell)

    @staticmethod
    def _white(height: int, width: int) -> Pixels:
        return np.full((height, width, 3), 255, np.uint8)
