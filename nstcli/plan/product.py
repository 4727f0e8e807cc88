"""The pairs of contents and styles: pure functions of paths, without torch and without disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath

from backbones.hints import closest
from nstcli.errors import InputError
from nstcli.plan import names
from nstcli.plan.pair import Pair, Source
from nstcli.plan.template import DEFAULT, Template
from nstcli.terms import Role
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
    contents: Iterable[Source | Path] | None,
    styles: Iterable[Source | Path] | None,
    naming: Naming,
    how: str = "product",
    limit: int | None = None,
) -> Plan:
    """Combine contents with styles, content by content, and name the results.

    Args:
        contents: in the order wanted; a bare path is a picture outside of any sub-folder. None
            where results are made of a style alone.
        styles: likewise, None where they are made of a content alone; the sub-folders of styles are
            mirrored only where there are no contents.
        naming: how results are called.
        how: `product` is every content with every style, `zip` the first with the first and so on.
        limit: keep at most so many pairs, under the names that they have without it.

    Raises:
        InputError: there are neither, the template cannot be used, or `zip` meets more of one
            than of the other.
    """
    suffix = naming.suffix
    roles: tuple[tuple[Role, Iterable[Source | Path] | None], ...]
    roles = ("content", contents), ("style", styles)
    given: dict[Role, Sequence[Source]]
    given = {role: [*map(_source, several)] for role, several in roles if several is not None}
    if not given:
        raise InputError("there are neither photos nor artworks")
    form = Template(naming.template, naming.values, tuple(given)).without(suffix)
    combined = _combined(given, how)
    outputs = names.outputs(combined, form, suffix)
    made, renamed = [], []
    for at, sources in enumerate(combined[:limit]):
        known = tuple(each for role, source in sources.items() for each in source.inputs(role))
        made.append(Pair(known, outputs[at]))
        filled = form.fill({role: each.path.stem for role, each in sources.items()}, at + 1)
        why = _why_renamed(names.folder_of(sources), filled, suffix, outputs[at])
        if why:
            renamed.append((made[at], why))
    return Plan(made, renamed)


def _source(given: Source | Path) -> Source:
    return given if isinstance(given, Source) else Source(given)


def _combined(given: Mapping[Role, Sequence[Source]], how: str) -> list[names.Sources]:
    """List the pictures of each pair by role, contents first."""
    if how not in ("product", "zip"):
        known = ("product", "zip")
        raise InputError(f"unknown --pairs '{how}'{closest(how, known)}; one of product, zip")
    counts = [len(several) for several in given.values()]
    if how == "zip" and len(set(counts)) > 1:
        raise InputError(
            f"--pairs zip needs as many styles as contents, not {counts[0]} contents and "
            f"{counts[1]} styles; --pairs product makes every combination"
        )
    several = given.values()
    combined = product(*several) if how == "product" else zip(*several, strict=True)
    return [dict(zip(given, sources, strict=True)) for sources in combined]


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
