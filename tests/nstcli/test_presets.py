from typing import get_args, get_type_hints

import pytest

import backbones
from nstcli.cli.options import RecipeOptions
from nstcli.presets import DEFAULT, PRESETS, chosen
from nstcli.recipe import Recipe, resolve


def test_the_defaults_are_those_of_every_option_and_field() -> None:
    assert set(DEFAULT) == set(RecipeOptions.__dataclass_fields__) - {"preset"}
    assert set(DEFAULT) == set(Recipe.model_fields) - {"version"}


def test_the_option_offers_every_preset() -> None:
    assert set(get_args(get_type_hints(RecipeOptions)["preset"])) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_recipe(preset: str) -> None:
    choices = chosen(preset, {})
    backbone = backbones.get(choices["model"])
    backbone.weight_set(choices["weights"])
    recipe = resolve(backbone, "0" * 64, choices)
    assert recipe.steps == choices["steps"]


def test_what_is_given_wins_over_the_preset_and_the_preset_over_the_default() -> None:
    choices = chosen("draft", {"steps": 7, "seed": None})
    assert choices["steps"] == 7
    assert choices["model"] == "squeezenet"
    assert choices["seed"] == 0
