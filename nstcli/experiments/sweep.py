"""A sweep: axes, which are settings with several values, and the points that these make.

Pure: no disk, no networks. A point is a value of each axis; what is made at a point is a variant
of the settings (`nstcli.experiments.variant`).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice, product
from typing import Any, Literal

from nstcli.errors import InputError

How = Literal["grid", "zip", "random"]

# More variants than anybody paints; a count of values that is this wrong shall not fill the memory.
MOST = 100_000
# Draws for each sample that is wanted, until there seem to be no others.
_DRAWS = 1000
# Digits of what lies between the ends of a range, since it is in names: of the number itself where
# ratios are even, else of the distance between the ends.
_DIGITS = 4


@dataclass(frozen=True)
class Value:
    """A value of an axis.

    Attributes:
        label: what it is called in names, `30` or `vgg19`.
        changes: what it sets, by the fields of options.
    """

    label: str
    changes: Mapping[str, Any]

    @property
    def plain(self) -> float | bool | str:
        """What it sets, if that is a number or a switch, else what it is called."""
        first, *others = self.changes.values()
        return first if isinstance(first, int | float) and not others else self.label


@dataclass(frozen=True)
class Axis:
    """A setting that takes several values, in an order; `key` is its name in files."""

    key: str
    values: tuple[Value, ...]

    def draw(self, token: str) -> Value:
        """Return the value that a text stands for, at random and yet always the same.

        Each value has a number by the text, and the highest wins: where values are added to the
        axis, only the draws change that these win.
        """
        return max(self.values, key=lambda value: uniform(f"{token} {value.label}"))


@dataclass(frozen=True)
class Range:
    """A setting that takes any number between two, to draw from.

    Attributes:
        log: draw its logarithm evenly, not itself.
        value: makes a value of a number.
        whole: whether numbers are whole.
    """

    key: str
    start: float
    end: float
    log: bool
    whole: bool
    value: Callable[[float], Value]

    def draw(self, token: str) -> Value:
        """Return the value that a text stands for, at random and yet always the same."""
        return self.value(between(self.start, self.end, uniform(token), self.log, self.whole))


@dataclass(frozen=True)
class Sweep:
    """Axes, and which points of theirs are wanted.

    Attributes:
        axes: in the order of names; without any there is one point.
        how: `grid` is every value with every other, `zip` the first with the first and so on,
            `random` draws.
        samples: how many are drawn.
        seed: others give others. With the same, more samples only add to fewer.
    """

    axes: tuple[Axis | Range, ...] = ()
    how: How = "grid"
    samples: int = 0
    seed: int = 0

    def points(self) -> list[tuple[Value, ...]]:
        """List the points, no two with the same labels.

        Raises:
            InputError: there are more than `MOST`; lists to be zipped have several lengths, or make
                a point twice; or there are fewer different points than samples.
        """
        if self.how == "random":
            return self._drawn()
        axes = [axis.values for axis in self.axes if isinstance(axis, Axis)]
        lengths = [len(values) for values in axes]
        if self.how == "zip":
            if len(set(lengths)) > 1:
                said = ", ".join(
                    f"{axis.key} {n}" for axis, n in zip(self.axes, lengths, strict=True)
                )
                raise InputError(f"how = 'zip' needs as many values of each key, not {said}")
            points = list(zip(*axes, strict=True))
            name, times = Counter(map(self.name, points)).most_common(1)[0]
            if times > 1:
                raise InputError(f"how = 'zip' gives the same twice: {name}")
            return points
        _refuse_many(math.prod(lengths))
        return list(product(*axes))

    def order(self) -> dict[str, list[str]]:
        """Return what the values of each axis are called, in their order; a range has none."""
        return {
            axis.key: list(dict.fromkeys(value.label for value in axis.values))
            for axis in self.axes
            if isinstance(axis, Axis)
        }

    def name(self, point: Sequence[Value]) -> str:
        """Name a point by what varies: `style-weight=30,model=vgg19`."""
        pairs = zip(self.axes, point, strict=True)
        return ",".join(f"{axis.key}={value.label}" for axis, value in pairs)

    def values(self, point: Sequence[Value]) -> dict[str, Any]:
        """Return what a point sets, by key: numbers and switches, and the names of other values."""
        pairs = zip(self.axes, point, strict=True)
        return {axis.key: value.plain for axis, value in pairs}

    def _drawn(self) -> list[tuple[Value, ...]]:
        _refuse_many(self.samples)
        sizes = [len(axis.values) for axis in self.axes if isinstance(axis, Axis)]
        if len(sizes) == len(self.axes) and math.prod(sizes) < self.samples:
            raise InputError(
                f"samples = {self.samples}: there are only {math.prod(sizes)} different ones; "
                "how = 'grid' makes them all"
            )
        found: dict[tuple[str, ...], tuple[Value, ...]] = {}
        for number in islice(count(), _DRAWS * self.samples):
            if len(found) == self.samples:
                break
            point = tuple(axis.draw(f"{self.seed} {number} {axis.key}") for axis in self.axes)
            found.setdefault(tuple(value.label for value in point), point)
        if len(found) < self.samples:
            raise InputError(f"samples = {self.samples}: the ranges hold only {len(found)}")
        return list(found.values())


def spaced(start: float, end: float, many: int, log: bool, whole: bool) -> list[float]:
    """Return so many numbers from one to another, evenly, or with even ratios."""
    if many == 1:
        return [start]
    return [between(start, end, at / (many - 1), log, whole) for at in range(many)]


def between(start: float, end: float, share: float, log: bool, whole: bool) -> float:
    """Return the number at a share of the way; a short one, except for the ends themselves."""
    if share in (0, 1):
        return end if share else start
    found = start * (end / start) ** share if log else start + (end - start) * share
    if whole:
        return round(found)
    size = found if log else end - start
    return round(found, _DIGITS - math.ceil(math.log10(abs(size))))


def uniform(text: str) -> float:
    """Return a number in [0, 1) for a text, the same on every machine and in every version."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def _refuse_many(points: int) -> None:
    if points > MOST:
        raise InputError(f"the sweep has {points} variants, of which {MOST} are the most")
