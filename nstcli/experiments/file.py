"""An experiment as a file describes it: pictures, fixed settings, a sweep, backbones' own settings.

The fixed settings are those of any config file, and are checked where those are. Everything else
is checked here, before anything is looked for or computed.
"""

from __future__ import annotations

import copy
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import backbones
from backbones.hints import closest
from nstcli.config import files
from nstcli.config.option import Setting, settings_of
from nstcli.config.options import SETTINGS
from nstcli.config.precedence import FLAGS_ONLY, Document
from nstcli.config.validation import check, written
from nstcli.errors import InputError
from nstcli.experiments.sweep import MOST, Axis, How, Range, Sweep, Value, spaced
from nstcli.experiments.variant import backbone_value
from nstcli.recipe import Choices
from nstcli.text import shown

# What may vary, by key.
SWEPT: Mapping[str, Setting] = {setting.key: setting for setting in settings_of(Choices)}
# What a backbone may have for itself.
_OF_BACKBONE = {key: setting for key, setting in SWEPT.items() if key != "model"}

_RANGE = ("from", "to", "count", "spacing")
_SPACINGS = ("linear", "log")
# What `[sweep]` says besides its keys; a list of seeds is one of those.
_HOW = ("how", "samples", "seed")


@dataclass(frozen=True)
class ExperimentFile:
    """An experiment as it was described.

    Attributes:
        path: of the file.
        table: all that it says, changed as the command line wants it; keys have hyphens.
        contents, styles: folders, files and patterns; None where there are to be none, so that
            results are textures or inversions.
        sweep: what varies.
        own: the settings that backbones have for themselves, by their names, by field.
    """

    path: Path
    table: Mapping[str, Any]
    contents: tuple[str, ...] | None
    styles: tuple[str, ...] | None
    sweep: Sweep
    own: Mapping[str, Mapping[str, Any]]

    @property
    def document(self) -> Document:
        """The fixed settings, as of a config file."""
        fixed = {key: value for key, value in self.table.items() if key not in files.EXPERIMENT}
        return Document(self.path, fixed)

    def resolved(self, settings: Mapping[str, object]) -> dict[str, Any]:
        """Return the table with these settings, by key, in place of its own.

        Those that vary are left out.
        """
        varies = {axis.key for axis in self.sweep.axes}
        fixed = {key: value for key, value in settings.items() if key not in varies}
        told = {key: self.table[key] for key in files.EXPERIMENT if key in self.table}
        pictures = {key: told.pop(key) for key in ("content", "style")}
        return {**pictures, **fixed, **told}


def read(path: Path, changes: Sequence[str] = ()) -> ExperimentFile:
    """Read an experiment file.

    Args:
        path: of a TOML or YAML file.
        changes: what is set on the command line, `style-weight=30`; see `changed`.

    Raises:
        InputError: it cannot be read, or says what cannot be; a change that cannot be.
        BackboneError: an unknown backbone or weight set.
    """
    return described(path, files.read(path), changes)


def described(path: Path, table: Mapping[str, Any], changes: Sequence[str] = ()) -> ExperimentFile:
    """Take an experiment as a file describes it; see `read`. `path` is its name, for messages.

    Raises:
        InputError: it says what cannot be; a change that cannot be.
        BackboneError: an unknown backbone or weight set.
    """
    name = shown(path)
    table = _keyed(table, name)
    for place in ("sweep", "backbone"):
        if not isinstance(table.get(place, {}), dict):
            raise InputError(f"{name}: {place} should be a table: [{place}]")
    if "sweep" in table:
        table["sweep"] = _keyed(table["sweep"], f"{name}: [sweep]")
    for backbone, settings in table.get("backbone", {}).items():
        if not isinstance(settings, dict):
            raise InputError(f"{name}: backbone should hold a table a backbone: [backbone.NAME]")
        own = {backbone: _keyed(settings, f"{name}: [backbone.{backbone}]")}
        table["backbone"] = {**table["backbone"], **own}
    for change in changes:
        table = changed(table, change)
    return checked(path, table)


def changed(table: Mapping[str, Any], change: str) -> dict[str, Any]:
    """Return the table of an experiment with one thing set as on the command line.

    `key=value` sets a setting for all: it leaves a key that varies with this value alone, and wins
    over what backbones have of their own. `sweep.key=[1, 2]`, `sweep.how=random` and
    `backbone.vgg19.key=value` reach into the tables. Values are written as in TOML; what is
    nothing there is a text.

    Raises:
        InputError: it is no `key=value`.
    """
    place, equals, text = change.partition("=")
    *tables, key = (part.strip() for part in place.split("."))
    key, value = key.replace("_", "-"), _value(text.strip())
    depth = _DEPTHS.get((*tables, key)[0], 0)
    if not equals or not key or not all(tables) or len(tables) != depth:
        raise InputError(
            f"--set '{shown(change)}': should be KEY=VALUE, sweep.KEY=[VALUES] or "
            "backbone.NAME.KEY=VALUE"
        )
    result = copy.deepcopy(dict(table))
    if not tables:
        for own in result.get("backbone", {}).values():
            own.pop(key, None)
        if key in result.get("sweep", {}):
            result["sweep"][key] = [value]
            return result
    elif tables == ["sweep"]:
        result.pop(key, None)
    inner = result
    for each in tables:
        inner = inner.setdefault(each, {})
    inner[key] = value
    return result


# How many names stand before a key in a table, by the first of them.
_DEPTHS = {"sweep": 1, "backbone": 2}


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def checked(path: Path, table: Mapping[str, Any]) -> ExperimentFile:
    """Check an experiment, all but its fixed settings.

    Raises:
        InputError: something that cannot be.
        BackboneError: an unknown backbone or weight set.
    """
    name = shown(path)
    known = {setting.key for setting in SETTINGS if setting.option.in_files}
    for key in table:
        if key not in known and key not in files.EXPERIMENT and key not in FLAGS_ONLY:
            hint = closest(key, [*known, *files.EXPERIMENT])
            raise InputError(f"{name}: unknown key '{key}'{hint}")
    contents, styles = (_pictures(table, role, name) for role in ("content", "style"))
    sweep = _sweep(table.get("sweep"), f"{name}: [sweep]")
    own = {
        backbone: _own(settings, f"{name}: [backbone.{backbone}]", backbone)
        for backbone, settings in table.get("backbone", {}).items()
    }
    _refuse_contradictions(table, sweep, name)
    return ExperimentFile(path, table, contents, styles, sweep, own)


def _keyed(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Write all keys with hyphens."""
    found: dict[str, Any] = {}
    for written_key, value in table.items():
        key = written_key.replace("_", "-")
        if key in found:
            raise InputError(f"{name}: the key '{key}' is given twice, once as '{written_key}'")
        found[key] = value
    return found


def _pictures(table: Mapping[str, Any], role: str, name: str) -> tuple[str, ...] | None:
    value = table.get(role)
    if value is False:
        return None
    if value is None:
        raise InputError(f'{name}: no {role} is named; write {role} = "FOLDER"')
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(each, str) and each for each in several):
        raise InputError(f"{name}: {role} = {written(value)}: should be a path, or a list of them")
    return tuple(several)


def _own(settings: Mapping[str, Any], name: str, backbone: str) -> dict[str, Any]:
    """Check what a backbone has for itself."""
    backbones.get(backbone)
    for key in settings:
        if key not in _OF_BACKBONE:
            raise InputError(f"{name}: {_unknown(key, _OF_BACKBONE)}")
    return check(
        list(_OF_BACKBONE.values()),
        settings,
        lambda key, value: f"{name}: {key} = {written(value)}",
    )


def _unknown(key: str, known: Iterable[str]) -> str:
    """Say why a key cannot be one of the recipe's."""
    if key in {setting.key for setting in SETTINGS} and key not in SWEPT:
        return f"'{key}' is no option of the recipe, and the same for all"
    return f"unknown key '{key}'{closest(key, known)}"


def _sweep(table: Mapping[str, Any] | None, name: str) -> Sweep:
    if table is None:
        return Sweep()
    how = table.get("how", "grid")
    if how not in get_args(How):
        known = get_args(How)
        hint = closest(how, known) if isinstance(how, str) else ""
        raise InputError(f"{name}: how = {written(how)}: should be one of {', '.join(known)}{hint}")
    # A list of seeds varies the noise.
    drawn_by = table.get("seed") if isinstance(table.get("seed"), int | float | str) else None
    keys = [k for k in table if k not in _HOW or (k == "seed" and drawn_by is None)]
    samples = table.get("samples")
    if how == "random":
        samples = _whole(samples, f"{name}: samples", least=1)
    elif samples is not None or drawn_by is not None:
        key = "samples" if samples is not None else "seed"
        raise InputError(
            f"{name}: {key} = {written(table[key])} and how = '{how}' exclude each other: "
            "only how = 'random' draws" + ("" if key == "samples" else "; seeds to try are a list")
        )
    if not keys:
        raise InputError(f"{name}: no key has several values; without the table nothing varies")
    for key in keys:
        if key not in SWEPT:
            raise InputError(f"{name}: {_unknown(key, [*SWEPT, *_HOW])}")
    axes = tuple(_axis(SWEPT[key], table[key], name, how) for key in keys)
    seed = 0 if drawn_by is None else _whole(drawn_by, f"{name}: seed", least=0)
    return Sweep(axes, how, samples or 0, seed)


def _whole(value: object, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        said = "is missing" if value is None else f"= {written(value)}"
        raise InputError(f"{name} {said}: should be a whole number from {least} on")
    return value


def _axis(setting: Setting, value: object, name: str, how: str) -> Axis | Range:
    """Read what a setting takes: a list, a range, or a table of values with names."""
    name = f"{name} {setting.key}"
    if isinstance(value, Mapping) and set(value) & set(_RANGE):
        return _range(setting, value, name, how == "random")
    if isinstance(value, Mapping):
        values = [_value_of(setting, each, name, str(label)) for label, each in value.items()]
    elif isinstance(value, list):
        values = [_value_of(setting, each, name) for each in value]
    else:
        raise InputError(
            f"{name} = {written(value)}: should be a list of values, a range like "
            "{from = 1, to = 100, count = 3}, or a table of values with names"
        )
    return _of_values(setting, values, name, repeated=how == "zip")


def _of_values(
    setting: Setting, values: Sequence[Value], name: str, repeated: bool = False
) -> Axis:
    """Return the axis of these values, of which one may come twice where they are `repeated`.

    Raises:
        InputError: there are none, or two are alike.
    """
    if not values:
        raise InputError(f"{name} has no values; give at least one")
    labels: dict[str, Value] = {}
    for value in values:
        other = labels.setdefault(value.label, value)
        if other is not value:
            if other.changes == value.changes:
                if repeated:
                    continue
                raise InputError(f"{name} has {value.label} twice")
            both = " and ".join(written(next(iter(v.changes.values()))) for v in (other, value))
            raise InputError(
                f"{name}: {both} would both be called '{value.label}'; "
                "give them names: {a = …, b = …}"
            )
    return Axis(setting.key, tuple(values))


def _range(setting: Setting, table: Mapping[str, object], name: str, drawn: bool) -> Axis | Range:
    """Read `{from = 1, to = 1000, count = 4, spacing = "log"}`."""
    for key in table:
        if key not in _RANGE:
            raise InputError(f"{name}: unknown key '{key}' of a range{closest(key, _RANGE)}")
    kinds = set(get_args(setting.type)) | {setting.type}
    if not kinds & {int, float}:
        raise InputError(f"{name}: has no numbers for values, and so no range")
    start, end = (_number(table.get(key), f"{name}: {key}") for key in ("from", "to"))
    spacing = table.get("spacing", "linear")
    if spacing not in _SPACINGS:
        raise InputError(f"{name}: spacing = {written(spacing)}: should be linear or log")
    log, whole = spacing == "log", float not in kinds
    if start == end or (log and min(start, end) <= 0):
        why = "be above 0 for spacing = 'log'" if start != end else "differ"
        raise InputError(f"{name}: from = {start:g}, to = {end:g}: should {why}")
    value_of = partial(_value_of, setting, name=name)
    if drawn and "count" not in table:
        for number in (start, end):
            value_of(number)
        return Range(setting.key, start, end, log, whole, value_of)
    many = _whole(table.get("count"), f"{name}: count", least=2)
    if many > MOST:
        raise InputError(f"{name}: count = {many}: should be {MOST} at most")
    if whole and many > abs(end - start) + 1:
        raise InputError(
            f"{name}: count = {many}: there are not so many whole numbers from {start:g} to {end:g}"
        )
    return _of_values(setting, [*map(value_of, spaced(start, end, many, log, whole))], name)


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        said = "is missing" if value is None else f"= {written(value)}"
        raise InputError(f"{name} {said}: should be a number")
    return value


def _value_of(setting: Setting, value: object, name: str, label: str = "") -> Value:
    """Check a value, and give it a name.

    Raises:
        InputError: it cannot be.
        BackboneError: an unknown backbone or weight set.
    """
    if value is None:
        raise InputError(f"{name}: null is no value")
    key, field = setting.key, setting.field
    found = check([setting], {key: value}, lambda _, value: f"{name} = {written(value)}")[field]
    if key == "model":
        chosen = backbone_value(found)
        return Value(label or chosen.label, chosen.changes)
    return Value(label or label_of(found), {field: found})


def label_of(value: object) -> str:
    """Write a value as it is called in names, where a comma divides keys."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value).replace(" ", "").replace(",", "+")


def _refuse_contradictions(table: Mapping[str, Any], sweep: Sweep, name: str) -> None:
    """Refuse keys of which only one can hold.

    Raises:
        InputError: says which.
    """
    places = {axis.key: f"[sweep] {axis.key}" for axis in sweep.axes}
    for axis in sweep.axes:
        for value in axis.values if axis.key == "model" and isinstance(axis, Axis) else ():
            if "weights" in value.changes:
                there = f"[sweep] model with the weights of {value.label}"
                if "weights" in places:
                    raise InputError(_contradiction(name, places["weights"], there))
                places["weights"] = there
                break
    fixed = [(key, f"{key} = {written(value)}") for key, value in table.items()]
    for backbone, own in table.get("backbone", {}).items():
        fixed += [(key, f"[backbone.{backbone}] {key}") for key in own]
    for key, here in fixed:
        if key in places:
            raise InputError(_contradiction(name, here, places[key]))


def _contradiction(name: str, one: str, other: str) -> str:
    return f"{name}: {one} and {other} exclude each other; take one of them out"
