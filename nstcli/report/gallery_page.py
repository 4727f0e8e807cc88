"""The page of the gallery: plain values, and the template that they fill."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@dataclass(frozen=True)
class Image:
    """What an <img> needs; `src` is a URL."""

    src: str
    width: int
    height: int


@dataclass(frozen=True)
class Header:
    """A value at the head of its row or column; a content or style has a path and two copies."""

    label: str
    path: str = ""
    missing: str = ""
    small: Image | None = None
    large: Image | None = None


@dataclass(frozen=True)
class PageAxis:
    """What can be rows or columns: contents, styles, or a setting that varies.

    Attributes:
        key: that it has in addresses.
        title: for people.
        values: in order.
        prefix: stands before a value that is read alone.
    """

    key: str
    title: str
    values: Sequence[Header]
    prefix: str = ""


@dataclass(frozen=True)
class Card:
    """A pair in its cell.

    Attributes:
        number: its place in the data for the script.
        at: the numbers of its values of all axes.
        output: name of its result, for people.
        href: URL of its result.
        image: what shows it; None if nothing can.
        flaw: what is wrong with the file of the result; may be empty.
        failed: why it could not be made; empty when it was.
        cell: what it is chosen by, where one can choose.
        stages: URL of how it came about, where that was kept.
    """

    number: int
    at: Sequence[int]
    output: str
    href: str = ""
    image: Image | None = None
    flaw: str = ""
    failed: str = ""
    cell: str = ""
    stages: str = ""

    @property
    def id(self) -> str:
        """Return the fragment that names the card in the page."""
        return f"pair-{self.number + 1}"


_LOADER = PackageLoader("nstcli.report")

# A cell with more pictures than this breaks its line.
_SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class Page:
    """A whole gallery.

    Attributes:
        title: of the page.
        summary: a few words each.
        axes: contents, styles, and the settings that vary.
        placed: which of the axes are rows and columns at first.
        cards: all pairs.
        measures: what can be sorted by.
        data: for the script; see `gallery.js`.
        failed: how many pairs could not be made.
        first_failed: the fragment of the first of them.
        self_contained: URLs are the pictures themselves, and lead nowhere.
        command: makes what is chosen, with `--cells` behind it; empty where nothing can be.
    """

    title: str
    summary: Sequence[str]
    axes: Sequence[PageAxis]
    placed: tuple[int, int]
    cards: Sequence[Card]
    measures: Sequence[str]
    data: Mapping[str, Any] = field(repr=False)
    failed: int = 0
    first_failed: str = ""
    self_contained: bool = False
    command: str = ""

    @cached_property
    def cells(self) -> Mapping[tuple[int, int], Sequence[Card]]:
        """The cards of each row and column that has any."""
        row, column = self.placed
        found: dict[tuple[int, int], list[Card]] = defaultdict(list)
        for card in self.cards:
            found[card.at[row], card.at[column]].append(card)
        return found

    @property
    def columns(self) -> int:
        """Return how many pictures stand side by side."""
        most = max(map(len, self.cells.values()), default=1)
        return len(self.axes[self.placed[1]].values) * min(most, _SIDE_BY_SIDE)

    def name(self, card: Card) -> str:
        """Say what a card shows, for those who cannot see it."""
        said = [(axis, axis.values[at]) for axis, at in zip(self.axes, card.at, strict=True)]
        made_of = " in the manner of ".join(value.label for _, value in said[:2] if value.path)
        return ", ".join([made_of, *(axis.prefix + value.label for axis, value in said[2:])])

    def caption(self, card: Card) -> str:
        """Tell a card from the others of its cell."""
        return " · ".join(
            axis.prefix + axis.values[at].label
            for number, (axis, at) in enumerate(zip(self.axes, card.at, strict=True))
            if len(axis.values) > 1 and number not in self.placed
        )


def render(page: Page) -> str:
    """Fill the template in. Whatever comes from names and messages is escaped."""
    environment = _environment()
    script = _source("gallery.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("index.html.j2").render(
        page=page,
        # Our own files, as they are.
        style=Markup(_source("style.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        # No other script will run, should a name ever get through as markup.
        script_hash=f"sha256-{digest}",
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=_LOADER,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False,
        "separators": (",", ":"),
        "allow_nan": False,
    }
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _source(name: str) -> str:
    return _LOADER.get_source(_environment(), name)[0]
