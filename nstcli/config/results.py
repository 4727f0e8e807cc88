"""Settings of a result: what it was made with, as its own metadata says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import backbones
from backbones import BackboneError, weights
from backbones.hints import closest_file
from nstcli.config.option import settings_of
from nstcli.config.validation import written
from nstcli.errors import InputError
from nstcli.recipe import DEFAULT, OFF, OWN_INIT, VERSION, Choices, Recipe, effective
from nstcli.terms import TERMS
from nstcli.text import shown

_KEYS = {setting.field: setting.key for setting in settings_of(Choices)}
# What a recipe holds that nobody sets.
_RESOLVED = {field.name for field in fields(Recipe)} - set(_KEYS)


def read(path: Path) -> tuple[dict[str, object], list[str]]:
    """Return the settings of a result by key, and what of them cannot be known, a line each.

    Options that had no effect on it are left out. Weights have the name of their set; those that
    no set has, as they were a file, have their sha256 for a name, which is refused where nothing
    else is said.

    Raises:
        InputError: it cannot be read, or does not say how it was made.
    """
    recipe = _recipe_of(path)
    known = {_KEYS[name]: value for name, value in recipe.items() if name in _KEYS}
    remarks = _differences(recipe)
    if known.get("init") == OWN_INIT:
        del known["init"]
        remarks.append("it began with a picture of its user's own; name that again with --init")
    if {"model", "weights"} <= known.keys():
        known["weights"], changed = _weights_of(recipe, path)
        remarks += [changed] if changed else []
    return known, [f"{shown(path)}: {remark}" for remark in remarks]


def _recipe_of(path: Path) -> dict[str, Any]:
    from nstcli.images import read_made

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such file: '{shown(path)}'{closest_file(path)}") from None
    except OSError as error:
        raise InputError(f"cannot read '{shown(path)}': {error.strerror or error}") from error
    recipe = read_made(data).get("recipe")
    if not isinstance(recipe, dict):
        raise InputError(
            f"'{shown(path)}' does not say how it was made: nst did not make it, or was told "
            "--no-metadata"
        )
    return recipe


def _differences(recipe: Mapping[str, Any]) -> list[str]:
    """Say what this version of the program and that of a result do not know of each other."""
    remarks = []
    if recipe.get("version") != VERSION:
        remarks.append(
            f"it is of version {written(recipe.get('version'))} of recipes, this is {VERSION}: the "
            "same settings give other pixels"
        )
    unknown = [shown(name) for name in recipe if name not in _KEYS and name not in _RESOLVED]
    if unknown:
        remarks.append(f"settings that are unknown here are left out: {', '.join(unknown)}")
    unsaid = [
        _KEYS[name] for name in effective({**DEFAULT, **OFF, **recipe}) if _is_unsaid(name, recipe)
    ]
    if unsaid:
        remarks.append(f"it says nothing of {', '.join(unsaid)}, which may have been otherwise")
    return remarks


def _is_unsaid(name: str, recipe: Mapping[str, Any]) -> bool:
    return name in _KEYS and name not in recipe


def _weights_of(recipe: Mapping[str, Any], path: Path) -> tuple[str, str]:
    """Name the weights of a recipe; return also what is to be said of its backbone.

    Raises:
        InputError: it says something else than their digest.
    """
    sha256 = recipe["weights"]
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise InputError(f"'{shown(path)}' has something else than a sha256 for its weights")
    try:
        backbone = backbones.get(str(recipe["model"]))
    except BackboneError:  # which the command will tell
        return sha256, ""
    found = []
    for weight_set in backbone.weight_sets:
        with suppress(BackboneError):
            if weights.identity(backbone, weight_set) == sha256:
                found.append(weight_set)
    if not found:
        return sha256, ""
    layers = {
        layer
        for term in TERMS.values()
        if term.layers_option and isinstance(recipe.get(term.layers_option), dict)
        for layer in recipe[term.layers_option]
    }
    for weight_set in found:  # two sets of a plugin may be the same file, seen otherwise
        with suppress(BackboneError):
            told = backbones.registry.plugin_sha256(backbone, weight_set, layers)
            if told == recipe.get("plugin", ""):
                return weight_set.name, ""
    return found[0].name, (
        f"the backbone {backbone.name} is not as it was: the same settings may give other pixels"
    )
