from dataclasses import asdict, fields

import pytest

import backbones
from nstcli.config.options import SETTINGS, RecipeOptions
from nstcli.config.precedence import settle
from nstcli.config.presets import PRESETS
from nstcli.recipe import DEFAULT, Recipe, resolve
from tests.conftest import Plugin


def test_the_defaults_are_those_of_every_option_and_field() -> None:
    options = {field.name: field.default for field in fields(RecipeOptions)}
    assert set(options) - {"preset", "config"} == set(DEFAULT)
    assert set(DEFAULT) == {field.name for field in fields(Recipe)} - {
        "version",
        "plugin",
        "detector",
        "companions",
    }
    assert RecipeOptions().choices() == DEFAULT


def test_the_option_offers_every_preset() -> None:
    (preset,) = (setting for setting in SETTINGS if setting.field == "preset")
    assert ", ".join(PRESETS) in preset.option.help


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_recipe(preset: str, tiny_plugin: Plugin) -> None:
    found = settle(SETTINGS, {"preset": preset}, {}, tiny_plugin.cache)
    choices = {name: found[name] for name in DEFAULT}
    assert choices == {**DEFAULT, **PRESETS[preset]}
    backbone = backbones.get(choices["model"])
    backbone.weight_set(choices["weights"])
    recipe = resolve(backbone, "0" * 64, choices)
    assert recipe.steps == choices["steps"]


def test_options_of_a_preset_are_those_that_settle_gives(tiny_plugin: Plugin) -> None:
    """What the demo does by hand."""
    found = settle(SETTINGS, {"preset": "draft"}, {}, tiny_plugin.cache)
    options = RecipeOptions(preset="draft", **PRESETS["draft"])
    assert asdict(options) == {name: found[name] for name in asdict(options)}


def test_cs231n_weighs_as_the_assignment_does() -> None:
    """Style layers are shares of the style weight; squares of pixels are in deviations there."""
    choices = {**DEFAULT, **PRESETS["cs231n"]}
    squeezenet = backbones.get("squeezenet")
    recipe = resolve(squeezenet, "0" * 64, choices)
    total = sum(recipe.style_layers.values())
    weights = {
        squeezenet.layer(name).module: recipe.style_weight * share / total
        for name, share in recipe.style_layers.items()
    }
    assert weights == pytest.approx(
        {"features.1": 20000, "features.4": 500, "features.6": 12, "features.7": 1}
    )
    assert [squeezenet.layer(name).module for name in recipe.content_layers] == ["features.3"]
    deviations = squeezenet.weight_set(choices["weights"]).preprocessing.std
    squares = sum(1 / std**2 for std in deviations) / 3
    assert recipe.tv_weight == pytest.approx(0.05 * squares, rel=0.01)
    assert recipe.scales == 1
