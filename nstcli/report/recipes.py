"""Recipes in words: the fields that tell results apart, and all the others."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from nstcli.measures import MEASURES
from nstcli.recipe import effective

Recipe = Mapping[str, Any]

# Says nothing about the picture.
_UNSAID = {"version"}


def differing(recipes: Sequence[Recipe]) -> list[str]:
    """Name the fields that tell these recipes apart, `model` first.

    What goes with the backbone (its weights, its layers) counts only where results of one
    backbone differ in it.
    """
    recipes = [effective(recipe) for recipe in recipes]
    names = {name: None for recipe in recipes for name in recipe if name not in _UNSAID}
    values: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for recipe in recipes:
        for name in names:
            of = "" if name == "model" else str(recipe.get("model"))
            values[name][of].add(json.dumps(recipe.get(name), sort_keys=True))
    return [name for name in names if any(len(found) > 1 for found in values[name].values())]


def described(recipe: Recipe) -> list[tuple[str, str]]:
    """List a recipe as (name, value), in words, without what had no effect."""
    said = {name: value for name, value in effective(recipe).items() if name not in _UNSAID}
    return [(words(name), value_of(value)) for name, value in said.items()]


def words(name: str) -> str:
    """Write the name of a field or of a measure for people."""
    if name in MEASURES:
        return MEASURES[name].heading
    return {
        "model": "backbone",
        "tv": "TV norm",
        "tv_weight": "TV weight",
        "dense": "dense stem",
    }.get(name, name.replace("_", " "))


def value_of(value: object) -> str:
    """Write the value of a field for people; layers as the command line takes them."""
    if isinstance(value, Mapping):
        return ", ".join(k if v == 1 else f"{k}={value_of(v)}" for k, v in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and len(value) == 64:  # a sha256
        return value[:8]
    return str(value)
