"""A contact sheet: one picture of all results between their photos and artworks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nstcli.errors import InputError
from nstcli.images import Picture, cells, decode
from nstcli.images.cells import Cells, Pixels
from nstcli.report.grid import Grid, GridPair, LabelledInput, read_grid
from nstcli.report.origins import copy_input
from nstcli.report.thumbs import LARGE, Thumbs
from nstcli.results.records import Record

# Widths of a column, where none is asked for.
_WIDEST, _NARROWEST = 320, 64


@dataclass(frozen=True)
class _Row:
    """A content with one variant of its results, one pair or none for each style."""

    content: LabelledInput
    variant: str
    pairs: Sequence[GridPair | None]


def draw_sheet(folder: Path, cell: int | None = None) -> Pixels:
    """Draw the contact sheet of an output folder, uint8 (H, W, 3).

    Styles head the columns and contents the rows; where results of one content and style differ
    in their recipe, each variant has a row. Where there are no styles, each has a column.

    Args:
        folder: of a batch.
        cell: width of a column in pixels; by default 320, or less where there are many or
            the results are smaller.

    Raises:
        InputError: there is no record in the folder.
        OSError: small copies of the inputs cannot be written to it.
    """
    grid = read_grid(folder)
    heads, rows = _strips(grid) if _has_no_styles(grid) else (grid.styles, _rows(grid))
    widths = [pair.known.width for pair in grid.pairs if isinstance(pair.known, Record)]
    fitting = Cells.fitting(len(heads) + 1, len(rows) + 1, widths, _NARROWEST, _WIDEST)
    return _Drawing(folder, Cells(cell) if cell else fitting).sheet(heads, rows)


def _has_no_styles(grid: Grid) -> bool:
    return len(grid.settings) > 0 and not any(style.path for style in grid.styles)


def _strips(grid: Grid) -> tuple[Sequence[LabelledInput], list[_Row]]:
    """Return the heads of variants, and a row for each content."""
    variants = {
        pair.variant: " · ".join(
            a.values[at] for a, at in zip(grid.settings, pair.settings, strict=True)
        )
        for pair in sorted(grid.pairs, key=lambda e: e.settings)
        if pair.variant
    }
    rows = [
        _Row(content, "", [_of(variant, grid.cells.get((number, 0), ())) for variant in variants])
        for number, content in enumerate(grid.contents)
    ]
    return [LabelledInput("", "", values) for values in variants.values()], rows


def _rows(grid: Grid) -> list[_Row]:
    rows = []
    for number, content in enumerate(grid.contents):
        cells = [grid.cells.get((number, style), ()) for style in range(len(grid.styles))]
        made = (pair for pair in grid.pairs if pair.content == number)
        variants = dict.fromkeys(pair.variant for pair in made if pair.variant)
        for variant in variants or [""]:
            rows.append(_Row(content, variant, [_of(variant, cell) for cell in cells]))
    return rows


def _of(variant: str, cell: Sequence[GridPair]) -> GridPair | None:
    """Choose what a cell shows: the result of a variant, else that there was a failure."""
    fitting = [e for e in cell if e.variant in {variant, ""}]
    return fitting[0] if fitting else None


class _Drawing:
    """Finds the pictures of a folder and draws them."""

    def __init__(self, folder: Path, drawn: Cells):
        self._folder = folder
        self._thumbs = Thumbs(folder)
        self._cells = drawn

    def sheet(self, heads: Sequence[LabelledInput], rows: Sequence[_Row]) -> Pixels:
        """Draw everything, row by row."""
        draw = self._cells
        columns = [self._headed(head, draw.width * 3 // 4) for head in heads]
        first = draw.row([draw.blank(), *columns], bottom=True)
        return draw.sheet([first, *(draw.row(self._row(row)) for row in rows)])

    def _row(self, row: _Row) -> list[Pixels]:
        head = self._headed(row.content, self._cells.highest, row.variant)
        return [head, *(self._result(pair) for pair in row.pairs)]

    def _headed(self, known: LabelledInput, highest: int, variant: str = "") -> Pixels:
        """Draw a content or style with its name below; a variant, or nothing, has no picture."""
        draw, picture = self._cells, self._input(known)
        missing = draw.field(known.missing) if known.path else draw.blank()
        image = draw.fitted(picture, highest) if picture else missing
        captions = [draw.line(known.label, cells.INK)]
        if variant:
            captions.append(draw.line(variant, cells.QUIET))
        return draw.captioned(image, *captions)

    def _input(self, known: LabelledInput) -> Picture | None:
        copy_input(known.path, known.sha256, self._folder, self._thumbs)
        thumb = self._thumbs.find(known.sha256, LARGE)
        return decode(thumb.path.read_bytes(), known.label) if thumb else None

    def _result(self, pair: GridPair | None) -> Pixels:
        draw = self._cells
        if pair is None:
            return draw.field("not made")
        if not isinstance(pair.known, Record):
            return draw.field("failed", cells.ALARM, cells.FAILED)
        try:
            picture = decode((self._folder / pair.output).read_bytes(), pair.output)
        except (OSError, InputError):
            return draw.field("its file is gone or damaged", cells.ALARM)
        image, psnr = draw.fitted(picture, draw.highest), pair.known.figure("psnr")
        if psnr is None:
            return image
        return draw.captioned(image, draw.line(f"{psnr:.1f} dB", cells.QUIET))
