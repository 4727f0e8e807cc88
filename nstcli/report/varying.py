"""What varies among the results of an output folder: settings, with their values in order."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from backbones.atomic import write_atomic
from nstcli.config.option import settings_of
from nstcli.plan.layout import Layout
from nstcli.plan.names import safe
from nstcli.recipe import Choices, effective
from nstcli.report.recipes import Recipe, differing, value_of, words

# The value of a pair whose recipe nobody wrote down.
UNKNOWN = "not known"

# By what settings the folders of an experiment are named.
_KEYS = {setting.key for setting in settings_of(Choices)}

Order = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Axis:
    """A setting that varies.

    Attributes:
        key: as files call it.
        values: in order; numbers by size and texts by name where nobody gave another one.
    """

    key: str
    values: tuple[str, ...]

    @property
    def title(self) -> str:
        """Its name for people."""
        return words(self.key.replace("-", "_"))

    @property
    def prefix(self) -> str:
        """What stands before a value that is to be read alone: `vgg19`, `style weight 30`."""
        return "" if self.key == "model" else f"{self.title} "


@dataclass(frozen=True)
class Varying:
    """What varies among results.

    Attributes:
        axes: the settings.
        labels: of each result, its value of each axis.
        by_folder: the folders of the results are named by them.
    """

    axes: tuple[Axis, ...]
    labels: tuple[tuple[str, ...], ...]
    by_folder: bool

    @property
    def several(self) -> Varying:
        """The same without the settings that all results share."""
        kept = [at for at, axis in enumerate(self.axes) if len({*axis.values} - {UNKNOWN}) > 1]
        labels = tuple(tuple(known[at] for at in kept) for known in self.labels)
        return Varying(tuple(self.axes[at] for at in kept), labels, self.by_folder)


def varying(results: Sequence[tuple[str, Recipe | None]], order: Order) -> Varying:
    """Find out what varies among results.

    A folder that `nst run` named tells the settings of its results. Where not all lie in such
    folders, they are what the recipes differ in.

    Args:
        results: names in the output folder, each with its recipe, or None if there is none.
        order: of values, by key, as far as it is known; see `read_order`.
    """
    recipes = [recipe for _, recipe in results if recipe is not None]
    named = [_settings_in(output) for output, _ in results]
    told = [n for n, (_, known) in zip(named, results, strict=True) if known is not None] or named
    by_folder = bool(told) and bool(told[0]) and all([*each] == [*told[0]] for each in told)
    if by_folder:
        settings, keys = named, tuple(told[0])
    else:
        found = iter(_differences(recipes))
        settings = [next(found) if recipe is not None else {} for _, recipe in results]
        keys = tuple(next((each for each in settings if each), ()))
    plain = {key: {safe(label): label for label in order.get(key, ())} for key in keys}
    labels = tuple(
        tuple(plain[key].get(label := each.get(key, UNKNOWN), label) for key in keys)
        for each in settings
    )
    values = map(set, zip(*labels, strict=True)) if keys else ()
    axes = (
        Axis(key, ordered(known, order.get(key, ())))
        for key, known in zip(keys, values, strict=True)
    )
    return Varying(tuple(axes), labels, by_folder)


def ordered(labels: Collection[str], known: Sequence[str] = ()) -> tuple[str, ...]:
    """Sort values: as they are known to stand; else numbers by size, and texts by name."""
    real = set(labels) - {UNKNOWN}
    places: Mapping[str, float] = {label: at for at, label in enumerate(known)}
    if not real <= set(places):
        numbers = {label: value for label in real if (value := number(label)) is not None}
        places = numbers if len(numbers) == len(real) else dict.fromkeys(real, 0.0)
    return tuple(sorted(labels, key=lambda it: (it not in places, places.get(it, 0), it)))


def side_by_side(values: Sequence[Sequence[str]]) -> list[int]:
    """Return the places of axes, first those whose values are best seen side by side.

    Such are numbers, and what has many values.
    """

    def wish(at: int) -> tuple[bool, int, int]:
        return all(number(value) is not None for value in values[at]), len(values[at]), -at

    return sorted(range(len(values)), key=wish, reverse=True)


def number(label: str) -> float | None:
    """Return the number that a label is; None of a text."""
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def write_order(layout: Layout, order: Order) -> None:
    """Leave in an output folder how the values of its settings are to stand.

    Raises:
        OSError: it cannot be written.
    """
    write_atomic(layout.order, json.dumps(order, indent=1).encode())


def read_order(layout: Layout) -> Order:
    """Return how the values of settings are to stand: nothing where nobody left it."""
    try:
        known = json.loads(layout.order.read_bytes())
        return {str(key): [str(label) for label in labels] for key, labels in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _settings_in(output: str) -> dict[str, str]:
    """Return the settings that the folder of a result is named by; nothing if it is by none."""
    found: dict[str, str] = {}
    folder = PurePosixPath(output).parts[0] if "/" in output else ""
    for part in folder.split(","):
        key, equals, label = part.partition("=")
        if not equals or key not in _KEYS or key in found:
            return {}
        found[key] = label
    return found


def _differences(recipes: Sequence[Recipe]) -> list[dict[str, str]]:
    """Return the settings of each result by what recipes differ in.

    What follows from the rest, as a term's weight from another's, is no setting of its own.
    """
    had_effect = [effective(recipe) for recipe in recipes]
    kept: list[str] = []
    for field in differing(recipes):
        known: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for recipe in had_effect:
            known[tuple(_value(recipe, name) for name in kept)].add(_value(recipe, field))
        if any(len(values) > 1 for values in known.values()):
            kept.append(field)
    return [
        {name.replace("_", "-"): _value(recipe, name) for name in kept} for recipe in had_effect
    ]


def _value(recipe: Recipe, field: str) -> str:
    value = recipe.get(field)
    return "none" if value is None else value_of(value)
