"""Which of several values wins: flag > environment > named file > nearest > preset > default."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from backbones.hints import closest
from backbones.paths import expanded, is_file, resolved
from nstcli.config import files, presets
from nstcli.config.option import PREFIX, Setting
from nstcli.config.validation import Says, check, written
from nstcli.errors import InputError
from nstcli.recipe import INITS
from nstcli.text import printable

# Variables that are no settings.
_OTHER_VARIABLES = ("NST_CACHE",)
# Options that are no settings, since they belong to one command at a time.
FLAGS_ONLY = {"output": "-o", "dry-run": "-n"}

COMMAND_LINE = "command line"
DEFAULT = "default"


@dataclass(frozen=True)
class Given:
    """A value and where it comes from, in words."""

    value: Any
    source: str


# What one place gives, by field.
Layer = Mapping[str, Given]


@dataclass(frozen=True)
class Document:
    """A config file that was read.

    Attributes:
        path: for messages.
        table: the settings that it gives, by key.
        remarks: what is odd about it, a line each.
    """

    path: Path
    table: Mapping[str, object]
    remarks: Sequence[str] = ()


def read(path: Path) -> Document:
    """Read a config file, or the settings of a result.

    Raises:
        InputError: it cannot be read, or is neither.
    """
    if path.suffix.lower() not in files.SUFFIXES:
        from nstcli.images import EXTENSIONS

        if path.suffix.lower() in EXTENSIONS:
            from nstcli.config import results

            return Document(path, *results.read(path))
    return Document(path, files.read(path))


@dataclass(frozen=True)
class Settled:
    """The value of every setting, with its source.

    Attributes:
        values: by field.
        files: the config files that were read, the winning one first.
        remarks: what is odd about the environment and the files, a line each.
    """

    values: Layer
    files: tuple[Path, ...]
    remarks: tuple[str, ...]

    def __getitem__(self, field: str) -> Any:
        """Return the value of one setting."""
        return self.values[field].value

    def lines(self, settings: Sequence[Setting]) -> list[str]:
        """Say where each value comes from that is not the default."""
        return [
            f"{setting.key} {_shown(given.value)} ({given.source})"
            for setting in settings
            if (given := self.values[setting.field]).source != DEFAULT
        ]


def _as_flag(key: str, value: object) -> str:
    return f"--{key} {_shown(value)}"


def settle(
    settings: Sequence[Setting],
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    folder: Path | None,
    says: Says = _as_flag,
    document: Document | None = None,
) -> Settled:
    """Decide the value of every setting.

    Args:
        settings: all there are, whatever the command takes: a file may serve several commands.
        flags: values of the command line by field, of the options that were given.
        environment: of the process.
        folder: the working directory, where the search for a config file starts; None for none.
        says: how a flag is written, for messages.
        document: a config file that was read already, in place of one that is named.

    Raises:
        InputError: a key or value in one of the places that cannot be.
    """
    by_field = {setting.field: setting for setting in settings}
    line = _layer(
        settings,
        {by_field[field].key: value for field, value in flags.items()},
        says,
        lambda key: COMMAND_LINE,
    )
    variables = _variables(settings, environment)
    above = {**variables, **line}
    named = expanded(above["config"].value) if "config" in above else None
    foreign: list[Path] = []
    found = files.nearest(folder, foreign.append) if folder else None
    here = folder or Path()
    itself = {resolved(here / path) for path in (named, document and document.path) if path}
    if found and resolved(found) in itself:
        found = None
    remarks = _remarks(settings, environment)
    remarks += [_not_taken(path, here) for path in foreign if resolved(path) not in itself]
    documents = [document] if document else []
    documents += [read(path) for path in (named, found) if path is not None]
    remarks += [remark for each in documents for remark in each.remarks]
    given: dict[str, Given] = {}
    for each in reversed(documents):
        given.update(_table(settings, each.table, _relative(each.path, here)))
    given.update(above)
    default = {setting.field: Given(setting.default, DEFAULT) for setting in settings}
    preset = {**default, **given}["preset"].value
    values = {**default, **_preset(settings, preset), **given}
    return Settled(values, tuple(each.path for each in documents), tuple(remarks))


def recipe_of(
    document: Document, settings: Sequence[Setting], recipe: Sequence[Setting]
) -> tuple[dict[str, object], list[str]]:
    """Return what a config file and its preset say of a recipe, by key.

    Files are named by whole paths, so that it holds in every folder.

    Args:
        document: the file.
        settings: all there are.
        recipe: those of the recipe.

    Returns:
        The values, and the keys of other settings.

    Raises:
        InputError: a key or a value that cannot be.
    """
    settled = settle(settings, {}, {}, None, document=document)
    wanted = {setting.field: setting.key for setting in recipe}
    values = {
        key: given.value
        for field, key in wanted.items()
        if (given := settled.values[field]).source != DEFAULT and given.value is not None
    }
    for key, value in values.items():
        own = is_file(expanded(value)) if key == "weights" else key == "init" and value not in INITS
        if own:
            values[key] = str(expanded(value).absolute())
    told = [key.replace("_", "-") for key in document.table]
    return values, [key for key in told if key not in {*wanted.values(), "preset"}]


def _layer(
    settings: Sequence[Setting],
    values: Mapping[str, object],
    says: Says,
    source: Callable[[str], str],
) -> dict[str, Given]:
    """Check what one place gives, and note of every value where it comes from."""
    key_of = {setting.field: setting.key for setting in settings}
    checked = check(settings, values, says)
    return {field: Given(value, source(key_of[field])) for field, value in checked.items()}


def _variables(settings: Sequence[Setting], environment: Mapping[str, str]) -> dict[str, Given]:
    name_of = {setting.key: setting.variable for setting in settings}
    # An empty variable is how many tools unset one.
    values = {key: environment[name] for key, name in name_of.items() if environment.get(name)}
    return _layer(
        settings, values, lambda key, value: f"{name_of[key]}={value}", lambda key: name_of[key]
    )


def _remarks(settings: Sequence[Setting], environment: Mapping[str, str]) -> list[str]:
    """Tell of variables that look like ours and are none: a typo should not go unseen."""
    known = {setting.variable for setting in settings} | set(_OTHER_VARIABLES)
    remarks = []
    for name in sorted(environment):
        key = name.removeprefix(PREFIX).replace("_", "-").lower()
        if name.startswith(PREFIX) and key in FLAGS_ONLY:
            remarks.append(f"the variable {name} is ignored: {_flag_only(key)}")
        elif name.startswith(PREFIX) and name not in known:
            (match, *_) = [*get_close_matches(name, known, n=1), ""]
            hint = f" (did you mean {match}?)" if match else ""
            remarks.append(f"the variable {name} is unknown and ignored{hint}")
    return remarks


def _not_taken(path: Path, folder: Path) -> str:
    """Tell of a file that would be the nearest, but is not the user's."""
    shown = printable(_relative(path, folder))
    return f"'{shown}' belongs to another user and is not taken; -c '{shown}' takes it"


def _table(
    settings: Sequence[Setting], table: Mapping[str, object], shown: str
) -> dict[str, Given]:
    """Take what a config file says, in which `style_weight` is `style-weight`, too."""
    known = {setting.key: setting for setting in settings if setting.option.in_files}
    values: dict[str, object] = {}
    for name, value in table.items():
        key = name.replace("_", "-")
        if key in FLAGS_ONLY:
            raise InputError(f"{shown}: {_flag_only(key)}")
        if key in files.EXPERIMENT:
            raise InputError(f"{shown}: '{key}' belongs to an experiment; see: nst run --help")
        if key not in known:
            raise InputError(f"{shown}: unknown key '{name}'{closest(key, known)}")
        if key in values:
            raise InputError(f"{shown}: the key '{key}' is given twice, once as '{name}'")
        values[key] = value
    return _layer(
        settings,
        values,
        lambda key, value: f"{shown}: {key} = {written(value)}",
        lambda key: shown,
    )


def _flag_only(key: str) -> str:
    return f"'{key}' is given on the command line only ({FLAGS_ONLY[key]})"


def _preset(settings: Sequence[Setting], name: str) -> dict[str, Given]:
    # It cannot choose another one.
    others = [setting for setting in settings if setting.field != "preset"]
    return _table(others, presets.table(name), f"preset {name}")


def _relative(path: Path, folder: Path) -> str:
    """Write a path the way that is shortest from the working directory."""
    return min(str(path), os.path.relpath(path, folder), key=len)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
