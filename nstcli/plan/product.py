"""The pairs of contents and styles: pure functions of paths, without torch and without disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath

from backbones.hints import closest
from nstcli.errors import InputError
from nstcli.plan import names
from nstcli.plan.pair import Pair, Source
from nstcli.plan.template import DEFAULT, Template
from nstcli.text import shown


@dataclass(frozen=True)
class Naming:
    """How results are called.

    Attributes:
        suffix: of the results, in lower case with its dot.
        template: what names are made of; see `Template`.
        values: for placeholders beyond those of the pair, such as `model`.
    """

    suffix: str = ".png"
    template: str = DEFAULT
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The pairs of a batch, and those with another name than the template gives, each with why."""

    pairs: list[Pair]
    renamed: list[tuple[Pair, str]]


def planned(
    contents: Iterable[Source | Path],
    styles: Iterable[Source | Path],
    naming: Naming,
    how: str = "product",
    limit: int | None = None,
) -> Plan:
    """Combine contents with styles, content by content, and name the results.

    Args:
        contents: in the order wanted; a bare path is a picture outside of any sub-folder.
        styles: likewise; the sub-folders of styles are not mirrored.
        naming: how results are called.
        how: `product` is every content with every style, `zip` the first with the first and so on.
        limit: keep at most so many pairs, under the names that they have without it.

    Raises:
        InputError: the template cannot be used, or `zip` meets more of one than of the other.
    """
    suffix = naming.suffix
    form = Template(naming.template, naming.values).without(suffix)
    combined = list(_combined([*map(_source, contents)], [*map(_source, styles)], how))
    outputs = names.outputs(combined, form, suffix)
    made, renamed = [], []
    for at, (content, style) in enumerate(combined[:limit]):
        made.append(Pair.of(content.path, style.path, outputs[at]))
        filled = form.fill(content.path.stem, style.path.stem, at + 1)
        why = _why_renamed(content.folder, filled, suffix, outputs[at])
        if why:
            renamed.append((made[at], why))
    return Plan(made, renamed)


def _source(given: Source | Path) -> Source:
    return given if isinstance(given, Source) else Source(given)


def _combined(
    contents: Sequence[Source], styles: Sequence[Source], how: str
) -> Iterator[tuple[Source, Source]]:
    if how == "product":
        return product(contents, styles)
    if how != "zip":
        known = ("product", "zip")
        raise InputError(f"unknown --pairs '{how}'{closest(how, known)}; one of product, zip")
    if len(contents) != len(styles):
        raise InputError(
            f"--pairs zip needs as many styles as contents, not {len(contents)} contents and "
            f"{len(styles)} styles; --pairs product makes every combination"
        )
    return zip(contents, styles, strict=True)


def _why_renamed(folder: PurePosixPath, filled: str, suffix: str, output: str) -> str | None:
    """Say why a result is not called what the template alone would give, or None."""
    wanted = "/".join((*folder.parts, filled)) + suffix
    if output == wanted:
        return None
    plain = names.result_path(folder, filled, suffix)
    if output == plain:
        return f"not every system takes the name '{shown(wanted)}'"
    if not names.fits(plain):
        return f"the name '{plain}' would be too long"
    return f"another result would be called '{plain}'"
