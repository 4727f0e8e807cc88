"""The gallery of an output folder: one HTML file that needs nothing but the folder."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

from backbones.atomic import write_atomic
from nstcli.plan.layout import Layout
from nstcli.report.choosing import Choosing, read_choosing
from nstcli.report.discreet import without_folders
from nstcli.report.foreign_files import refuse_foreign
from nstcli.report.gallery_data import measures_of, script_data
from nstcli.report.gallery_page import Card, Header, Image, Page, PageAxis, render
from nstcli.report.grid import Grid, GridPair, LabelledInput, read_grid
from nstcli.report.links import Link, embedded, relative_to
from nstcli.report.origins import copy_input
from nstcli.report.recipes import value_of
from nstcli.report.thumbs import LARGE, SMALL, ResultThumbs, Thumb, Thumbs, result_thumbs
from nstcli.report.varying import side_by_side
from nstcli.results.records import Failure, Record
from nstcli.results.stages import StageFolder
from nstcli.results.state import State
from nstcli.text import duration, plural, shown

# What can be wrong with a result's file.
_FLAWS = {
    State.MISSING: "its file is gone",
    State.UNREADABLE: "its file cannot be read",
    State.EDITED: "changed after it was made",
}
# How many axes of the page are inputs, before the settings.
_INPUTS = 2
# That make small copies: the disk and the decoders let others run.
_THREADS = 4
# Values of a setting that the top of the page names.
_NAMED = 6
_MARK = b'<meta name="generator" content="nst gallery">'


def write_gallery(folder: Path, *, self_contained: bool = False) -> Path:
    """Write the gallery of an output folder, and return its path.

    Small copies of pictures are made where they are missing, so that to write it again after a
    few more pairs costs little more than those pairs' copies.

    Args:
        folder: of a batch.
        self_contained: the page holds the pictures, at most 1280 pixels long, and can be sent
            alone: it tells nothing of where files lie.

    Raises:
        InputError: there is no record in the folder, or an `index.html` that is not ours.
        OSError: the folder cannot be written to.
    """
    grid = read_grid(folder)
    path = Layout(folder).gallery
    refuse_foreign(path, "gallery", lambda data: _MARK in data[:4096])
    thumbs = Thumbs(folder)
    for known in {*grid.contents, *grid.styles}:
        copy_input(known.path, known.sha256, folder, thumbs)
    if self_contained:
        grid = without_folders(grid, folder)
    link = embedded if self_contained else relative_to(folder)
    page = _Builder(grid, folder, thumbs, link, self_contained).page()
    write_atomic(path, render(page).encode())
    return path


class _Builder:
    """Turns the grid into the page, with the two ways to refer to pictures."""

    def __init__(self, grid: Grid, folder: Path, thumbs: Thumbs, link: Link, embeds: bool):
        self._grid = grid
        self._folder = folder
        self._thumbs = thumbs
        self._link = link
        self._embeds = embeds
        # A page that is sent away tells nothing of commands and where files lie.
        self._choosing = Choosing() if embeds else read_choosing(Layout(folder))

    def page(self) -> Page:
        """Build the whole page."""
        grid = self._grid
        axes, cards = self._axes(), list[Card]()
        full: dict[int, str] = {}
        made = {pair.output: pair.known for pair in grid.pairs if isinstance(pair.known, Record)}
        with ThreadPoolExecutor(_THREADS) as pool:
            copies = dict(zip(made, pool.map(self._copies, made, made.values()), strict=True))
        for number, pair in enumerate(grid.pairs):
            if isinstance(pair.known, Failure):
                card = Card(number, pair.at, self._shown(pair.output), failed=pair.known.error)
            else:
                own = copies[pair.output]
                card = self._card(number, pair, own)
                if own.large and not self._embeds:
                    full[number] = self._link(own.large.path)
                elif own.readable and not self._embeds:
                    full[number] = card.href
            cards.append(card)
        failed = [number for number, e in enumerate(grid.pairs) if isinstance(e.known, Failure)]
        measures, placed = measures_of(grid.pairs), _placed(grid)
        return Page(
            title=shown(self._folder.resolve().name),
            summary=_summary(grid),
            axes=axes,
            placed=placed,
            cards=cards,
            measures=list(measures.values()),
            data=script_data(grid, axes, placed, measures, full),
            failed=len(failed),
            first_failed=f"pair-{failed[0] + 1}" if failed else "",
            self_contained=self._embeds,
            command=self._choosing.command,
        )

    def _copies(self, output: str, record: Record) -> ResultThumbs:
        return result_thumbs(self._folder, output, record, self._thumbs, self._embeds)

    def _axes(self) -> list[PageAxis]:
        grid = self._grid
        inputs = {"content": grid.contents, "style": grid.styles}
        return [
            *(PageAxis(role, role, [*map(self._header, known)]) for role, known in inputs.items()),
            *(PageAxis(a.key, a.title, [*map(Header, a.values)], a.prefix) for a in grid.settings),
        ]

    def _card(self, number: int, pair: GridPair, copies: ResultThumbs) -> Card:
        card = Card(number, pair.at, self._shown(pair.output))
        href = f"#{card.id}" if self._embeds else self._link(self._folder / pair.output)
        image = self._image(copies.large if self._embeds else copies.small)
        flaw, cell = _FLAWS.get(copies.state, ""), self._choosing.cells.get(pair.output, "")
        stages = "" if self._embeds else self._stages_of(pair)
        return replace(card, href=href, image=image, flaw=flaw, cell=cell, stages=stages)

    def _shown(self, output: str) -> str:
        """Name a result; its folder may be called by where weights lie."""
        return shown(PurePosixPath(output).name if self._embeds else output)

    def _stages_of(self, pair: GridPair) -> str:
        """Return the URL of how a picture came about, where that was kept."""
        stages = StageFolder(Layout(self._folder).stages(pair.output))
        seen = stages.animation() or next(iter(stages.pictures()), None)
        return self._link(seen) if seen else ""

    def _header(self, known: LabelledInput) -> Header:
        small, large = (self._thumbs.find(known.sha256, size) for size in (SMALL, LARGE))
        pictures = self._image(small), self._image(large)
        return Header(known.label, known.path, known.missing, *pictures)

    def _image(self, thumb: Thumb | None) -> Image | None:
        return Image(self._link(thumb.path), thumb.width, thumb.height) if thumb else None


def _placed(grid: Grid) -> tuple[int, int]:
    """Choose what is in rows and columns at first, by the numbers of axes.

    What varies of the settings is best seen side by side; else every content has a row and every
    style a column.
    """
    order = side_by_side([axis.values for axis in grid.settings])
    if not order:
        return 0, 1
    columns, *others = (at + _INPUTS for at in order)
    sizes = [len(grid.contents), len(grid.styles), *(len(axis.values) for axis in grid.settings)]
    return max([*range(_INPUTS), *others], key=lambda at: sizes[at]), columns


def _summary(grid: Grid) -> list[str]:
    """Say in a few words what the page shows."""
    records = [pair.known for pair in grid.pairs if isinstance(pair.known, Record)]
    varying = {axis.key: axis.prefix + _listed(axis.values) for axis in grid.settings}
    models = sorted({str(record.recipe.get("model", "")) for record in records})
    seconds = sum(record.seconds for record in records)
    parts = [
        plural(len(records), "picture"),
        " × ".join(
            plural(len(inputs), role)
            for role, inputs in (("content", grid.contents), ("style", grid.styles))
            if any(known.path for known in inputs)
        ),
        *varying.values(),
        "" if "model" in varying else ", ".join(models),
    ]
    sizes = {value_of(record.recipe.get("size")) for record in records}
    if len(sizes) == 1 and "size" not in varying:
        parts.append(f"{sizes.pop()} px")
    parts.append(f"made in {duration(seconds)}" if records else "")
    return [part for part in parts if part]


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values) if len(values) <= _NAMED else f"{values[0]} … {values[-1]}"
