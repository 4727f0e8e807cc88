"""Styles of several artworks: the sub-folders of a folder, or steps from one to the next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

from backbones.hints import closest
from backbones.paths import exists, expanded
from nstcli.config import files
from nstcli.errors import InputError
from nstcli.methods import METHODS
from nstcli.plan.inputs import Found
from nstcli.plan.pair import Source
from nstcli.plan.walk import WEIGHTS, Selection
from nstcli.text import shown


def blend(name: Path, pictures: Iterable[tuple[Path, float]]) -> Source:
    """Make one style of several artworks, each with its weight; what weighs nothing is left out.

    Raises:
        InputError: a weight is negative or no number, or all are 0.
    """
    known = list(pictures)
    for path, weight in known:
        if not 0 <= weight < math.inf:
            raise InputError(f"the weight {weight:g} of '{shown(path)}' should be 0 or more")
    whole = sum(weight for _, weight in known)
    if not whole:
        raise InputError(f"all weights of '{shown(name)}' are 0")
    return Source(name, parts=tuple((path, weight / whole) for path, weight in known if weight))


def weighted(argument: str) -> tuple[str, float]:
    """Read `a.jpg=0.7`; without a weight it is 1. A file that is called so is meant by its name.

    Raises:
        InputError: the weight is no number.
    """
    path, equals, number = argument.rpartition("=")
    if not equals or exists(expanded(argument)):
        return argument, 1.0
    try:
        return path, float(number)
    except ValueError:
        raise InputError(
            f"'{shown(argument)}': '{shown(number)}' is no weight; should be FILE=0.7"
        ) from None


def named(pictures: Sequence[tuple[Path, float]]) -> Source:
    """Make one style of some artworks, called by the names of those that count."""
    made = blend(Path("+".join(path.stem for path, _ in pictures)), pictures)
    if len(made.parts) == 1:
        return Source(made.parts[0][0])
    return replace(made, path=Path("+".join(path.stem for path, _ in made.parts)))


def styles_in(selection: Selection, method: str, blend: bool) -> Selection:
    """Return which files of a folder are styles to a method, where photos are so selected.

    With `blend`, see `of_folders`.
    """
    suffixes = METHODS[method].networks or selection.suffixes
    return replace(selection, recursive=selection.recursive or blend, suffixes=suffixes)


def styles_of(found: Sequence[Found], blend: bool, mix: int | None) -> list[Source]:
    """Return the styles that arguments name, as they are to be blended and mixed.

    Args:
        found: the artworks; with `blend`, of folders with their sub-folders.
        blend: see `of_folders`.
        mix: see `steps_between`; None for the artworks themselves.

    Raises:
        InputError: they cannot be blended or mixed so.
    """
    styles = [style for each in found for style in (of_folders(each) if blend else each)]
    return steps_between(styles, mix) if mix else styles


def of_folders(found: Found) -> list[Source]:
    """Make one style of the artworks of each sub-folder; those outside of any stay what they are.

    A file `blend.toml` beside them may give them weights, `"ink.jpg" = 0.7`; else they are 1.

    Args:
        found: what is in the folder, its sub-folders included.

    Raises:
        InputError: there is no sub-folder, or weights that cannot be.
    """
    styles = [source for source in found if not source.folder.parts]
    below = [source for source in found if source.folder.parts]
    if not below:
        raise InputError(
            f"--blend: '{shown(found.argument)}' has no sub-folders with pictures; each of them is "
            "one style"
        )
    for folder, same in groupby(below, lambda source: source.path.parent):
        pictures = [source.path for source in same]
        weights = _weights(folder, pictures)
        styles.append(blend(folder, [(path, weights.get(path.name, 1.0)) for path in pictures]))
    return styles


def _weights(folder: Path, pictures: Sequence[Path]) -> Mapping[str, float]:
    path = folder / WEIGHTS
    if not exists(path):
        return {}
    weights = files.read(path)
    names = {picture.name for picture in pictures}
    for name, weight in weights.items():
        if name not in names:
            raise InputError(f"{shown(path)}: there is no picture '{name}'{closest(name, names)}")
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise InputError(f"{shown(path)}: the weight of '{name}' should be a number")
    return {name: float(weight) for name, weight in weights.items()}


def steps_between(styles: Sequence[Source], count: int) -> list[Source]:
    """Go from each style to the next in so many pictures, both of them included.

    Raises:
        InputError: there is but one style.
    """
    if len(styles) < 2:
        raise InputError("--style-mix goes from one artwork to the next: name two or more")
    found = [styles[0]]
    for one, other in pairwise(styles):
        for step in range(1, count - 1):
            share = step / (count - 1)
            parts = [
                *((path, weight * (1 - share)) for path, weight in one.pictures),
                *((path, weight * share) for path, weight in other.pictures),
            ]
            name = f"{one.path.stem}+{other.path.stem}_{round(100 * share):03}"
            found.append(blend(one.path.parent / name, parts))
        found.append(other)
    return found
