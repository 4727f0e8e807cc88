"""The contact sheet of a summary: one swept key in columns, another in rows, more on pages.

A row goes from the photo over the values of the key in columns to the artwork.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from backbones.atomic import write_atomic
from nstcli.errors import InputError
from nstcli.experiments.summary import Picture, Summary
from nstcli.images import cells, decode, encode, read_metadata
from nstcli.images.cells import Cells, Pixels
from nstcli.report.foreign_files import refuse_foreign
from nstcli.report.origins import copy_input
from nstcli.report.thumbs import LARGE, Thumbs
from nstcli.report.varying import side_by_side
from nstcli.text import shown

# In the metadata of every sheet, so that none is ever written over another picture.
_SOFTWARE = "nst summarize"
_PAGE = re.compile(r"sheet(-[0-9]+)?\.png")

# Widths of a column in pixels, and rows of a page.
_WIDEST, _NARROWEST = 320, 64
_ROWS = 16


@dataclass(frozen=True)
class Axes:
    """Which of a summary's keys are where, by their places among its keys; None is nothing."""

    columns: int | None
    rows: int | None
    pages: tuple[int, ...]


def axes_of(summary: Summary) -> Axes:
    """Choose which values stand side by side."""
    order = side_by_side(summary.values)
    first, second = [*order, None, None][:2]
    return Axes(first, second, tuple(sorted(order[2:])))


def write_sheets(summary: Summary, folder: Path) -> list[Path]:
    """Write the pages, `sheet.png` or `sheet-1.png` and so on, and return their paths.

    Pages of an earlier summary that are no more are taken away.

    Raises:
        InputError: another program's picture has such a name.
        OSError: one cannot be written.
    """
    pages = list(_pages(summary))
    one = len(pages) == 1
    paths = [
        folder / ("sheet.png" if one else f"sheet-{at}.png") for at in range(1, len(pages) + 1)
    ]
    for path in paths:
        refuse_foreign(path, "sheet", _is_ours, "choose another -o")
    drawing = _Drawing(summary)
    for path, page in zip(paths, pages, strict=True):
        write_atomic(path, encode(drawing.page(page), metadata={"Software": _SOFTWARE}))
    for old in folder.iterdir():
        if _PAGE.fullmatch(old.name) and old not in paths and _is_ours(old.read_bytes()):
            old.unlink()
    return paths


def _is_ours(data: bytes) -> bool:
    return read_metadata(data).get("Software") == _SOFTWARE


@dataclass(frozen=True)
class _Row:
    """A content and a style under the settings that differ in the key of the columns alone."""

    first: Picture
    caption: str
    pictures: Sequence[Picture | None]


@dataclass(frozen=True)
class _Page:
    title: str
    headings: Sequence[str]
    rows: Sequence[_Row]


def _pages(summary: Summary) -> Iterator[_Page]:
    """Divide the pictures: by the keys of pages, and then by what fits on one."""
    axes = axes_of(summary)
    at = axes.columns
    titles = [""] if at is None else [f"{summary.keys[at]} {value}" for value in summary.values[at]]
    for labels in product(*(summary.values[at] for at in axes.pages)):
        wanted = dict(zip(axes.pages, labels, strict=True))
        here = [p for p in summary.pictures if all(p.labels[at] == wanted[at] for at in wanted)]
        rows = list(_rows(summary, axes, here))
        title = " · ".join(f"{summary.keys[at]} {value}" for at, value in wanted.items())
        for start in range(0, len(rows), _ROWS):
            yield _Page(title, titles, rows[start : start + _ROWS])


def _values(summary: Summary, at: int | None) -> Sequence[str]:
    return ("",) if at is None else summary.values[at]


def _rows(summary: Summary, axes: Axes, pictures: Sequence[Picture]) -> Iterator[_Row]:
    pairs: dict[tuple[str, str], dict[tuple[str, str], Picture]] = {}
    for picture in pictures:
        place = tuple("" if at is None else picture.labels[at] for at in (axes.rows, axes.columns))
        found = pairs.setdefault((picture.content, picture.style), {})
        found.setdefault((place[0], place[1]), picture)
    for known in pairs.values():
        for value in _values(summary, axes.rows):
            row = [known.get((value, column)) for column in _values(summary, axes.columns)]
            first = next(filter(None, row), None)
            if first:
                caption = "" if axes.rows is None else f"{summary.keys[axes.rows]} {value}"
                yield _Row(first, caption, row)


class _Drawing:
    """Finds the pictures of a summary and draws them."""

    def __init__(self, summary: Summary):
        self._folder = summary.folder
        self._thumbs = Thumbs(summary.folder)
        self._widths = [picture.record.width for picture in summary.pictures]

    def page(self, page: _Page) -> Pixels:
        """Draw a page, uint8 (H, W, 3); nothing is enlarged."""
        columns = len(page.headings) + 2
        draw = Cells.fitting(columns, len(page.rows), self._widths, _NARROWEST, _WIDEST)
        head = [page.title, *page.headings, ""]
        top = draw.row([draw.line(text, cells.INK) if text else draw.blank() for text in head])
        return draw.sheet([top, *(self._row(draw, row) for row in page.rows)])

    def _row(self, draw: Cells, row: _Row) -> Pixels:
        first = row.first
        photo = self._input(draw, first, "content", first.content, row.caption)
        artwork = self._input(draw, first, "style", first.style)
        return draw.row([photo, *(self._result(draw, each) for each in row.pictures), artwork])

    def _input(self, draw: Cells, picture: Picture, role: str, name: str, more: str = "") -> Pixels:
        known = picture.record.input(role)
        copy_input(known.path, known.sha256, self._folder, self._thumbs)
        thumb = self._thumbs.find(known.sha256, LARGE)
        image = (
            draw.fitted(decode(thumb.path.read_bytes(), name), draw.highest)
            if thumb
            else draw.field("not found")
        )
        lines = [draw.line(name, cells.INK), *([draw.line(more, cells.QUIET)] if more else [])]
        return draw.captioned(image, *lines)

    def _result(self, draw: Cells, picture: Picture | None) -> Pixels:
        if picture is None:
            return draw.field("not made")
        path = self._folder / picture.output
        try:
            return draw.fitted(decode(path.read_bytes(), shown(path)), draw.highest)
        except (OSError, InputError):
            return draw.field("its file is gone or damaged", cells.ALARM)
