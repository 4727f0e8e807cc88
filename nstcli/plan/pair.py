"""Pairs: the inputs that make one result, each with its role and weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path, PurePosixPath

from nstcli.terms import Role
from nstcli.text import shown, stored


@dataclass(frozen=True)
class Source:
    """A picture to be read, and the folder below its input folder, which results mirror.

    Attributes:
        path: of the picture; of several that are one style, what it is called by.
        folder: below the input folder.
        parts: the several pictures of a style, each with its weight; empty for a single one.
    """

    path: Path
    folder: PurePosixPath = field(default=PurePosixPath())
    parts: tuple[tuple[Path, float], ...] = ()

    @property
    def pictures(self) -> tuple[tuple[Path, float], ...]:
        """Its pictures, each with its weight."""
        return self.parts or ((self.path, 1.0),)

    def inputs(self, role: Role) -> tuple[Input, ...]:
        """Return its pictures as the inputs of a pair."""
        return tuple(Input(role, path, weight) for path, weight in self.pictures)


@dataclass(frozen=True)
class Input:
    """A picture that a result is made of: what for, and how much it counts among its like."""

    role: Role
    path: Path
    weight: float = 1.0


@dataclass(frozen=True)
class Pair:
    """Pictures that make one result; `output` is where it goes below the output folder.

    Inputs of one role stand together, contents first, then styles, then masks and maps: of a role
    of which there are as many as styles, each belongs to the style in its place. The output is a
    relative path with `/`, and safe on every system.
    """

    inputs: tuple[Input, ...]
    output: str

    @classmethod
    def of(cls, content: Path, style: Path, output: str) -> Pair:
        """Return the pair of one content and one style."""
        return cls((Input("content", content), Input("style", style)), output)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where its inputs are."""
        return tuple(each.path for each in self.inputs)

    @property
    def roles(self) -> frozenset[Role]:
        """What it has inputs for."""
        return frozenset(each.role for each in self.inputs)

    def of_role(self, role: Role) -> tuple[Input, ...]:
        """Return its inputs of a role."""
        return tuple(each for each in self.inputs if each.role == role)

    def path(self, role: Role) -> Path:
        """Return where its first input of a role is."""
        return next(each.path for each in self.inputs if each.role == role)

    @property
    def title(self) -> str:
        """Name its pictures, masks and maps aside, for people: `cat.png × ink.png`."""
        pictures = (each for each in self.inputs if each.role in ("content", "style", "init"))
        roles = groupby(pictures, attrgetter("role"))
        return " × ".join(" + ".join(shown(each.path.name) for each in same) for _, same in roles)

    def for_json(self) -> dict[str, object]:
        """Return where its inputs are and what its result is called, for JSON."""
        inputs = by_role((each.role, stored(each.path), each.weight) for each in self.inputs)
        return {**inputs, "result": self.output}


def by_role(inputs: Iterable[tuple[str, str, float]]) -> dict[str, object]:
    """Sort what is told of inputs by their roles: (role, text, weight) -> {role: text}.

    A role with several inputs, or with one of another weight than 1, has a list of
    [text, weight].
    """
    found: dict[str, list[tuple[str, float]]] = {}
    for role, text, weight in inputs:
        found.setdefault(role, []).append((text, weight))
    return {
        role: same[0][0] if len(same) == 1 and same[0][1] == 1 else [list(each) for each in same]
        for role, same in found.items()
    }
