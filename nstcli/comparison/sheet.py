"""The pictures of a comparison in one: content, style, a column for every backbone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backbones.files import write_atomic
from nstcli.batch.plan import Pair, shown
from nstcli.comparison.contest import Contest, Entry
from nstcli.errors import InputError
from nstcli.images import Picture, decode, encode, lettered, read_metadata, resize

Pixels = NDArray[np.uint8]

NAME = "comparison.png"
# In the metadata of every sheet, so that none is ever written over another picture.
_SOFTWARE = "nst compare-backbones"

# Widths of a column in pixels. A sheet is at most so high or wide as long as that allows it.
_WIDEST, _NARROWEST, _LONGEST = 384, 96, 12_000

_INK, _QUIET, _ALARM = (28, 27, 26), (101, 98, 93), (164, 48, 31)


def write_sheet(contest: Contest) -> Path:
    """Write the contact sheet into the output folder, and return its path.

    Raises:
        InputError: another program's picture has its name.
        OSError: it cannot be written.
    """
    path = contest.store.folder / NAME
    _refuse_foreign(path)
    data = encode(draw_sheet(contest), metadata={"Software": _SOFTWARE})
    write_atomic(path, data)
    return path


def draw_sheet(contest: Contest) -> Pixels:
    """Draw a row for every content with a style, uint8 (H, W, 3); nothing is enlarged."""
    entries = contest.entries
    sizes = [record.width for record in contest.records.values()]
    room = _LONGEST // max(len(entries) + 2, len(entries[0].pairs))
    cell = max(_NARROWEST, min(_WIDEST, max(sizes, default=_WIDEST), room))
    drawing = _Drawing(contest, cell)
    rows = zip(*(entry.pairs for entry in entries), strict=True)
    return np.concatenate([drawing.margin(len(entries) + 2), *map(drawing.row, rows)])


def _refuse_foreign(path: Path) -> None:
    if path.is_dir() or (
        path.exists() and read_metadata(path.read_bytes()).get("Software") != _SOFTWARE
    ):
        raise InputError(f"'{shown(path)}' is there and not a sheet of nst; move it away")


class _Drawing:
    """Draws with one width of columns; gaps and letters are shares of it."""

    def __init__(self, contest: Contest, cell: int):
        self._contest = contest
        self._cell = cell
        self._gap = max(6, cell // 20)
        self._text = max(10, cell // 18)

    def margin(self, columns: int) -> Pixels:
        """Draw the white above the first row."""
        return self._white(self._gap, columns * (self._cell + self._gap) + self._gap)

    def row(self, same: Sequence[Pair]) -> Pixels:
        """Draw a content, a style, and what every backbone made of them."""
        first = same[0]
        cells = [
            self._captioned(_read(first.content), (shown(first.content.name), "content")),
            self._captioned(_read(first.style), (shown(first.style.name), "style")),
            *map(self._result, self._contest.entries, same),
        ]
        height = max(map(len, cells)) + self._gap
        gap = self._white(height, self._gap)
        parts = [gap]
        for cell in cells:
            parts += [np.concatenate([cell, self._white(height - len(cell), self._cell)]), gap]
        return np.concatenate(parts, axis=1)

    def _result(self, entry: Entry, pair: Pair) -> Pixels:
        record = self._contest.records.get(pair.output)
        if record is None:
            return self._captioned(None, (entry.title, "not made"), _ALARM)
        known = self._contest.measured.get(pair.output)
        values = known.values if known else {}
        figures = [f"{record.seconds:.1f} s, {record.steps} steps"]
        if "style_error" in values:
            figures.append(f"style error {values['style_error']:.4f} ({entry.contender.judge})")
        if "lpips" in values:
            figures.append(f"LPIPS {values['lpips']:.3f}")
        picture = _read(self._contest.store.path(pair))
        return self._captioned(picture, (entry.title, *figures))

    def _captioned(
        self, picture: Picture | None, lines: Sequence[str], ink: tuple[int, int, int] = _QUIET
    ) -> Pixels:
        image = self._fitted(picture) if picture else self._empty()
        captions = [
            self._line(text, ink if number else _INK, self._text if not number else self._small)
            for number, text in enumerate(lines)
        ]
        return np.concatenate([image, self._white(self._text // 3, self._cell), *captions])

    @property
    def _small(self) -> int:
        return max(9, self._text * 4 // 5)

    def _fitted(self, picture: Picture) -> Pixels:
        """Shrink to the column's width, and to half as much again in height."""
        scale = min(self._cell / picture.width, 1.5 * self._cell / picture.height)
        longest = max(1, int(scale * max(picture.width, picture.height)))
        rgb = resize(picture, longest).rgb[:, : self._cell]
        canvas = self._white(rgb.shape[0], self._cell)
        canvas[:, : rgb.shape[1]] = rgb
        return canvas

    def _empty(self) -> Pixels:
        canvas = self._white(self._cell * 3 // 4, self._cell)
        canvas[:] = 243
        return canvas

    def _line(self, text: str, ink: tuple[int, int, int], size: int) -> Pixels:
        line = lettered(text, size, self._cell, ink)
        canvas = self._white(line.shape[0], self._cell)
        canvas[:, : line.shape[1]] = line
        return canvas

    @staticmethod
    def _white(height: int, width: int) -> Pixels:
        return np.full((height, width, 3), 255, np.uint8)


def _read(path: Path) -> Picture | None:
    """Decode a picture; None where that is gone or damaged in the meantime."""
    try:
        return decode(path.read_bytes(), shown(path))
    except (OSError, InputError):
        return None
