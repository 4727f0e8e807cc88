"""The page of the gallery: plain values, and the template that they fill."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
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
    """A content or a style at the head of its row or column, with its two copies."""

    label: str
    path: str
    small: Image | None
    large: Image | None


@dataclass(frozen=True)
class Card:
    """A pair in its cell.

    Attributes:
        number: its place in the data for the script.
        output: name of its result, for people.
        href: URL of its result.
        image: what shows it; None if nothing can.
        variant: what tells it from others of its cell.
        flaw: what is wrong with the file of the result; may be empty.
        failed: why it could not be made; empty when it was.
        cell: what it is chosen by, where one can choose.
    """

    number: int
    output: str
    href: str = ""
    image: Image | None = None
    variant: str = ""
    flaw: str = ""
    failed: str = ""
    cell: str = ""

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
        contents: rows.
        styles: columns.
        cards: by (row, column).
        models: the backbones, for the filter.
        measures: what can be sorted by.
        data: for the script; see `gallery.js`.
        failed: how many pairs could not be made.
        first_failed: the fragment of the first of them.
        self_contained: URLs are the pictures themselves, and lead nowhere.
        command: makes what is chosen, with `--cells` behind it; empty where nothing can be.
    """

    title: str
    summary: Sequence[str]
    contents: Sequence[Header]
    styles: Sequence[Header]
    cards: Mapping[tuple[int, int], Sequence[Card]]
    models: Sequence[str]
    measures: Sequence[str]
    data: Mapping[str, Any] = field(repr=False)
    failed: int = 0
    first_failed: str = ""
    self_contained: bool = False
    command: str = ""

    @property
    def columns(self) -> int:
        """Return how many pictures stand side by side."""
        most = max(map(len, self.cards.values()), default=1)
        return len(self.styles) * min(most, _SIDE_BY_SIDE)


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
