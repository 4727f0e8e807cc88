"""Pictures that go with the photos of a batch: one for all, or in a folder one for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from backbones.hints import closest
from nstcli.errors import InputError
from nstcli.methods import METHODS
from nstcli.plan.inputs import find
from nstcli.plan.names import folded
from nstcli.plan.pair import Input, Pair, Source
from nstcli.plan.walk import Selection
from nstcli.recipe import INITS
from nstcli.terms import Role
from nstcli.text import shown

# By the names without suffixes, with the folders before them, as file systems may compare them.
Named = Mapping[tuple[str, ...], Source]


def started(pairs: Sequence[Pair], choices: Mapping[str, Any]) -> list[Pair]:
    """Give pairs the picture that they start from, where that is one of the user's own.

    Args:
        pairs: of contents and styles.
        choices: of the recipe, by name: a method that heeds it starts from `init`, a word of
            `INITS`, a file or a folder.

    Raises:
        InputError: there is no such thing, or no picture in it for one of the pairs.
    """
    init = choices["init"]
    if init in INITS or not METHODS[choices["method"]].heeds("init"):
        return list(pairs)
    try:
        return with_input(pairs, "init", init)
    except InputError as error:
        raise InputError(f"--init: {error}{closest(init, INITS)}") from error


def with_input(pairs: Sequence[Pair], role: Role, argument: str) -> list[Pair]:
    """Give every pair a further input: a file, or what a folder has for it.

    In a folder, the picture of a pair is called like its result or like its first input, whatever
    the suffix; the result comes first, and what lies in a sub-folder of the same name.

    Raises:
        InputError: there is no such file or folder, or it has nothing for a pair, or two pictures
            of one name.
    """
    found = find(argument, Selection(recursive=True))
    if not found.folders and len(found) == 1:
        return [_with(pair, role, found.sources[0]) for pair in pairs]
    named = by_name(found)
    return [_with(pair, role, _of(pair, named, argument)) for pair in pairs]


def by_name(found: Iterable[Source]) -> Named:
    """Return pictures by their names.

    Raises:
        InputError: two have the same.
    """
    named: dict[tuple[str, ...], Source] = {}
    for source in found:
        name = (*_folded(source.folder), folded(source.path.stem))
        other = named.setdefault(name, source)
        if other is not source:
            raise InputError(
                f"'{shown(other.path)}' and '{shown(source.path)}' have the same name; keep one"
            )
    return named


def called(named: Named, folder: PurePosixPath, stem: str) -> Source | None:
    """Return the picture of a name, by the longest path below a folder that agrees."""
    folders = _folded(folder)
    paths = ((*folders[at:], folded(stem)) for at in range(len(folders) + 1))
    return next((named[path] for path in paths if path in named), None)


def _with(pair: Pair, role: Role, source: Source) -> Pair:
    return replace(pair, inputs=(*pair.inputs, Input(role, source.path)))


def _of(pair: Pair, named: Named, argument: str) -> Source:
    """Return the picture of a pair."""
    result = PurePosixPath(pair.output)
    stems = result.stem, pair.paths[0].stem
    for stem in stems:
        source = called(named, result.parent, stem)
        if source:
            return source
    wanted = " or ".join(f"'{shown(stem)}'" for stem in dict.fromkeys(reversed(stems)))
    raise InputError(f"'{shown(argument)}' has no picture for {pair.title}, called {wanted}")


def _folded(folder: PurePosixPath) -> tuple[str, ...]:
    return tuple(map(folded, folder.parts))
