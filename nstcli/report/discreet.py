"""What of a grid may leave the computer: everything but where its files lie there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from nstcli.plan.names import safe
from nstcli.report.grid import Grid, GridPair, LabelledInput, labels
from nstcli.report.varying import Axis
from nstcli.results.records import Failure
from nstcli.text import printable, shown


def without_folders(grid: Grid, folder: Path) -> Grid:
    """Return a grid whose paths and messages tell nothing of the folders of this computer.

    Inputs whose path is absolute, or leads upwards, keep their name alone; those below the folder
    that the batch was started in stay as the user wrote them. The same holds for files of weights
    that are values of a setting.

    Args:
        grid: of a batch.
        folder: its output folder.
    """
    paths = {each.path for pair in grid.pairs for each in pair.known.inputs}
    names = {path: name for path in paths if (name := _name_alone(path))}
    hidden = {printable(path): printable(name) for path, name in names.items()}
    hidden |= {f"{shown(place)}{os.sep}": "" for place in (folder.absolute(), folder.resolve())}
    hidden[shown(Path.home())] = "~"
    return Grid(
        _renamed(grid.contents, names),
        _renamed(grid.styles, names),
        tuple(replace(axis, values=_values(axis)) for axis in grid.settings),
        tuple(_without(pair, hidden) for pair in grid.pairs),
    )


def _name_alone(path: str) -> str:
    """Return the name of a file whose path tells of folders elsewhere; else nothing."""
    kinds: tuple[type[PurePath], ...] = (PurePosixPath, PureWindowsPath)
    for known in (kind(path) for kind in kinds):
        if known.is_absolute() or ".." in known.parts:
            return known.name
    return ""


def _renamed(
    inputs: tuple[LabelledInput, ...], names: Mapping[str, str]
) -> tuple[LabelledInput, ...]:
    known = [(names.get(each.path, each.path), each.sha256) for each in inputs]
    return tuple(
        LabelledInput(path, sha256, label)
        for (path, sha256), label in zip(known, labels(known), strict=True)
    )


def _values(axis: Axis) -> tuple[str, ...]:
    """Return the values of a setting; in the name of a folder, a path has other signs."""
    home = safe(shown(Path.home()))
    names = [_name_alone(value) or value.replace(home, "~") for value in axis.values]
    return tuple(
        f"{name} ({at})" if names.count(name) > 1 else name for at, name in enumerate(names, 1)
    )


def _without(pair: GridPair, hidden: Mapping[str, str]) -> GridPair:
    """Write the messages of a pair without what is hidden, the longest first."""

    def told(text: str) -> str:
        for path in sorted(hidden, key=len, reverse=True):
            text = text.replace(path, hidden[path])
        return text

    known = pair.known
    if isinstance(known, Failure):
        return replace(pair, known=known.model_copy(update={"error": told(known.error)}))
    notes = tuple(told(note) for note in known.notes)
    return replace(pair, known=known.model_copy(update={"notes": notes}))
