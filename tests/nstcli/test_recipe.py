"""Recipes: resolved once, frozen, and the same after a round trip through JSON."""

import json
import math
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backbones
from backbones import Backbone, BackboneError
from nstcli import recipe as module
from nstcli.config.option import settings_of
from nstcli.config.presets import PRESETS
from nstcli.errors import InputError
from nstcli.methods import METHODS, OPTIMIZE
from nstcli.recipe import DEFAULT, VERSION, Choices, Recipe, parse_layers
from nstcli.terms import TERMS
from tests.tiny import TINY

SHA = "0123456789abcdef" * 4
SETTING = {setting.field: setting for setting in settings_of(Choices)}
CONVENTIONS = get_args(SETTING["loss"].type)
LAYERS = ("content_layers", "style_layers")
FIELDS = {field.name for field in fields(Recipe)}
# Options of other methods are in no recipe of this one.
HEEDED = METHODS[OPTIMIZE].heeds


def resolve(backbone: Backbone, weights: str, **choices: Any) -> Recipe:
    return module.resolve(backbone, weights, {**DEFAULT, **choices})


def test_defaults_come_from_the_backbone() -> None:
    recipe = resolve(TINY, SHA)
    assert recipe == Recipe(
        version=VERSION,
        model="tiny",
        weights=SHA,
        size=512,
        steps=200,
        loss="relative",
        content_weight=1,
        style_weight=30,
        nearest_weight=15,
        sliced_weight=0,
        tv_weight=0,
        tv="l2",
        content_layers={"relu2": 1},
        style_layers={"relu1": 1, "relu2": 1, "relu3": 1},
        nearest_layers={"relu1": 1, "relu2": 1, "relu3": 1},
        sliced_layers={"relu1": 1, "relu2": 1, "relu3": 1},
        dense=False,
        pooling="max",
        optimizer="lbfgs",
        init="content",
        scales="auto",
        learning_rate=0.05,
        schedule="cosine",
        tolerance=0,
        seed=0,
        colors="style",
        keep_faces=0,
    )


@pytest.mark.parametrize("name", backbones.names())
def test_every_backbone_has_a_recipe(name: str) -> None:
    backbone = backbones.get(name)
    recipe = resolve(backbone, SHA)
    assert recipe.model == name
    assert recipe.content_layers == backbone.content_layers
    assert recipe.style_layers == backbone.style_layers


@pytest.mark.parametrize("loss", CONVENTIONS)
def test_weights_follow_the_convention_unless_chosen(loss: Any) -> None:
    weights = {name: term.weights[loss] for name, term in TERMS.items()}
    weights["nearest"] *= weights["style"]
    usual = resolve(TINY, SHA, loss=loss)
    assert usual.weights_of_terms == weights
    chosen = resolve(TINY, SHA, loss=loss, content_weight=0, tv_weight=0.5)
    assert chosen.weights_of_terms == {**weights, "content": 0, "tv": 0.5}


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"style_weight": 8}, 4.0),
        ({"style_weight": 0}, 0.0),
        ({"style_weight": 8, "nearest_weight": 3}, 3.0),
        ({"loss": "gatys", "style_weight": 8}, 0.0),
    ],
)
def test_a_term_follows_another_unless_its_weight_is_chosen(
    choices: dict[str, Any], expected: float
) -> None:
    """So one weight is the strength of the style, whatever the style consists of."""
    assert resolve(TINY, SHA, **choices).nearest_weight == expected


def test_every_term_has_a_weight_for_every_convention() -> None:
    for term in TERMS.values():
        assert set(term.weights) == set(CONVENTIONS)


def test_the_preset_of_sums_has_the_size_that_its_weights_were_found_at() -> None:
    """At 512 px the content term is four times as large, and the style term the same."""
    chosen = {**DEFAULT, **PRESETS["gatys"]}
    recipe = module.resolve(backbones.get("vgg19"), SHA, chosen)
    assert (recipe.size, recipe.content_weight, recipe.style_weight) == (256, 1, 4e6)


def test_choices_are_kept() -> None:
    choices: dict[str, Any] = {
        "size": 64,
        "steps": 3,
        "loss": "gatys",
        "content_weight": 2.0,
        "style_weight": 3.0,
        "tv_weight": 4.0,
        "tv": "l1",
        "optimizer": "adam",
        "init": "noise",
        "seed": 2**63 - 1,
    }
    recipe = resolve(TINY, SHA, **choices)
    assert {name: getattr(recipe, name) for name in choices} == choices


def test_pooling_is_that_of_a_network_that_pools() -> None:
    assert resolve(TINY, SHA, pooling="avg").pooling == "avg"
    assert resolve(backbones.get("vgg19"), SHA, pooling="avg").pooling == "avg"
    assert resolve(backbones.get("mobilenet"), SHA, pooling="avg").pooling == "max"
    silent = replace(TINY, layers=tuple(each for each in TINY.layers if each.kind != "pool"))
    assert resolve(TINY, SHA, pooling="l2").pooling == "l2"
    assert resolve(silent, SHA, pooling="avg").pooling == "avg"  # it pools, and does not say so


def test_default_layers_are_a_copy() -> None:
    recipe = resolve(TINY, SHA)
    assert recipe.content_layers is not TINY.content_layers
    assert parse_layers(None, TINY.style_layers, TINY) is not TINY.style_layers


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("relu1", {"relu1": 1.0}),
        ("relu3,conv1", {"relu3": 1.0, "conv1": 1.0}),
        ("relu1=0.5,relu2=2e3", {"relu1": 0.5, "relu2": 2000.0}),
        (" relu1 = 3 , pool2 ", {"relu1": 3.0, "pool2": 1.0}),
    ],
)
def test_layers_as_users_write_them(text: str, layers: dict[str, float]) -> None:
    assert parse_layers(text, {}, TINY) == layers
    recipe = resolve(TINY, SHA, content_layers=text, style_layers=text)
    assert recipe.content_layers == recipe.style_layers == layers
    # In the network's order: "a,b" and "b,a" are one recipe, down to the last digit.
    order = [layer.name for layer in TINY.layers]
    assert list(recipe.style_layers) == sorted(layers, key=order.index)


@pytest.mark.parametrize("text", ["relu9", "relu1,relu9=2", "", "relu1,", "=1", "relu1;relu2"])
@pytest.mark.parametrize("which", ["content_layers", "style_layers"])
def test_unknown_layer(text: str, which: str) -> None:
    with pytest.raises(BackboneError, match=r"unknown layer '.*' for tiny.*nst layers"):
        resolve(TINY, SHA, **{which: text})  # type: ignore[arg-type]


def test_unknown_layer_suggests() -> None:
    with pytest.raises(BackboneError, match=r"'relu22' for tiny \(did you mean 'relu2'\?\)"):
        resolve(TINY, SHA, content_layers="relu22")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu1,relu2,relu1", "'relu1' is given twice in 'relu1,relu2,relu1'"),
        ("relu1=1,relu1=2", "'relu1' is given twice"),
        ("relu1=x", "weight 'x' in 'relu1=x' is not a number"),
        ("relu1=1=2", "weight '1=2' in"),
        ("relu1=1 2", "weight '1 2' in"),
        ("relu1=", "weight '' in 'relu1=' is not a number"),
        ("relu1=0", "weight '0' in 'relu1=0' is not positive"),
        ("relu2,relu1=-1", "weight '-1' in .* is not positive"),
        ("relu1=nan", "is not positive and finite"),
        ("relu1=inf", "is not positive and finite"),
        ("relu1=-inf", "is not positive and finite"),
        ("relu1=1e999", "is not positive and finite"),
    ],
)
@pytest.mark.parametrize("which", ["content_layers", "style_layers"])
def test_layer_weights_that_are_refused(text: str, message: str, which: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        resolve(TINY, SHA, **{which: text})  # type: ignore[arg-type]
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("size", "steps") for value in (0, -1)),
        *(
            (f"{term}_weight", value)
            for term in ("content", "style", "tv")
            for value in (-1.0, -1e-9, math.nan, math.inf)
        ),
        ("seed", -1),
        ("seed", 2**63),
        ("tv", "l3"),
        ("optimizer", "sgd"),
        ("init", ""),
        ("center_crop", "wide"),
        ("center_crop", "0x3"),
        ("fit", "squash"),
    ],
)
def test_values_out_of_range_are_named(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{name.replace('_', '.')}: ") as error:
        resolve(TINY, SHA, **{name: value})
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("largest", [1e-300, 1e-21, 1e21, 1e300])
def test_weights_that_float32_cannot_compute_with_are_refused(largest: float) -> None:
    """They would leave the photo as it is, without a word, or an infinite loss."""
    with pytest.raises(
        InputError, match=r"largest weight, .* of the style term.* 1e-20 and 1e"
    ) as e:
        resolve(TINY, SHA, content_weight=largest / 10, style_weight=largest)
    assert len(str(e.value).splitlines()) == 1


def test_of_the_weights_only_the_largest_has_a_least_value() -> None:
    assert resolve(TINY, SHA, content_weight=1e-300, style_weight=1e-20).content_weight == 1e-300


def test_nothing_to_optimize_for_is_refused() -> None:
    with pytest.raises(InputError, match="all weights are 0, which leaves nothing") as error:
        resolve(TINY, SHA, content_weight=0, style_weight=0, tv_weight=0)
    assert not str(error.value).startswith(":")
    for term in ("content", "style", "tv"):
        weights = {"content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}
        assert resolve(TINY, SHA, **{**weights, f"{term}_weight": 1e-9})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(set(module.OFF) & set(DEFAULT)))
def test_no_key_knows_of_what_is_off(name: str) -> None:
    """So that results of a program without it stay up to date; they have no such option at all."""
    told = resolve(TINY, SHA).dump()
    assert told[name] == module.OFF[name]
    without = {key: value for key, value in told.items() if key != name}
    assert module.effective(told) == module.effective(without)
    assert name not in module.effective(told)


def test_frozen() -> None:
    recipe = resolve(TINY, SHA)
    with pytest.raises(FrozenInstanceError, match="steps"):
        recipe.steps = 5  # type: ignore[misc]
    assert recipe.steps == 200


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(InputError, match="colour"):
        resolve(TINY, SHA, colour="keep")
    known = resolve(TINY, SHA).dump()
    assert Recipe(**known) == resolve(TINY, SHA)
    with pytest.raises(TypeError, match="colour"):
        Recipe(**known, colour="keep")


@pytest.mark.parametrize("name", sorted(filter(HEEDED, FIELDS)))
def test_nothing_is_left_to_a_default(name: str) -> None:
    """What is kept of a recipe says every option, also where the default or a table decided."""
    assert resolve(TINY, SHA).dump()[name] is not None


@pytest.mark.parametrize("empty", [{}, []])
@pytest.mark.parametrize("which", ["content_layers", "style_layers"])
def test_layers_must_not_be_empty(which: str, empty: Any) -> None:
    with pytest.raises(InputError, match=f"^{which.replace('_', '-')}: should be layers"):
        resolve(TINY, SHA, **{which: empty})


# As the recipe was dumped when it was another model (commit e154dc7). The sha256 key of a result
# is made of these texts, so that a change here makes results stale.
TOLD = (
    (
        {},
        '{"content_layers": {"relu2": 1.0}, "content_weight": 1.0, "dense": false, '
        '"init": "content", "loss": "relative", "model": "tiny", '
        '"nearest_layers": {"relu1": 1.0, "relu2": 1.0, "relu3": 1.0}, "nearest_weight": 15.0, '
        '"optimizer": "lbfgs", "pooling": "max", "scales": "auto", "size": 512, "steps": 200, '
        '"style_layers": {"relu1": 1.0, "relu2": 1.0, "relu3": 1.0}, "style_weight": 30.0, '
        f'"tolerance": 0.0, "version": 5, "weights": "{SHA}"}}',
    ),
    (
        {
            "loss": "sum",
            "size": 64,
            "steps": 7.0,
            "content_weight": 2,
            "tv_weight": 1,
            "style_weight": 0,
            "tv": "l1",
            "content_layers": "relu2=3,relu1",
            "style_layers": "relu3=0.5",
            "pooling": "avg",
            "optimizer": "adam",
            "learning_rate": 1,
            "schedule": "drop",
            "tolerance": 0,
            "init": "noise",
            "scales": "3",
            "seed": 5,
        },
        '{"content_layers": {"relu1": 1.0, "relu2": 3.0}, "content_weight": 2.0, "dense": false, '
        '"init": "noise", "learning_rate": 1.0, "loss": "sum", "model": "tiny", '
        '"nearest_weight": 0.0, "optimizer": "adam", "pooling": "avg", "scales": 3, '
        '"schedule": "drop", "seed": 5, '
        '"size": 64, "steps": 7, "style_weight": 0.0, "tolerance": 0.0, "tv": "l1", '
        f'"tv_weight": 1.0, "version": 5, "weights": "{SHA}"}}',
    ),
)


@pytest.mark.parametrize(("choices", "told"), TOLD)
def test_what_keys_are_made_of_stays_the_same(choices: dict[str, Any], told: str) -> None:
    recipe = resolve(TINY, SHA, **choices)
    assert json.dumps(recipe.effective(), sort_keys=True) == told
    # Plugins may write whole numbers for their layers.
    whole = {role: {n: int(w) for n, w in getattr(TINY, role).items()} for role in LAYERS}
    again = resolve(replace(TINY, **whole), SHA, **choices)
    assert json.dumps(again.effective(), sort_keys=True) == told


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"learning_rate": 0}, "learning-rate: should be greater than 0"),
        ({"learning_rate": 10.5}, "learning-rate: should be less than or equal to 10"),
        ({"tolerance": 1}, "tolerance: should be less than 1"),
        ({"tolerance": -0.1}, "tolerance: should be greater than or equal to 0"),
        ({"seed": 2**63}, "seed: should be less than 9223372036854775808"),
        ({"scales": 17}, "scales: should be 'auto' or a whole number from 1 to 16"),
        ({"scales": 0}, "scales: should be 'auto' or a whole number from 1 to 16"),
        ({"loss": "gaty"}, "loss: should be 'relative', 'gatys', 'sum' or 'mean'"),
        ({"keep_faces": -1}, "keep-faces: should be a number from 0 on"),
        ({"size": None}, "size: should be a valid integer"),
    ],
)
def test_a_bad_value_is_told_as_everywhere(choices: dict[str, Any], message: str) -> None:
    """The words are those for a flag, a variable or a file; see test_config_precedence."""
    with pytest.raises(InputError) as error:
        resolve(TINY, SHA, **choices)
    assert str(error.value) == message


def test_bounds_hold_to_the_end_of_the_range() -> None:
    choices = {"learning_rate": 10, "tolerance": 1 - 2**-53, "seed": 2**63 - 1, "scales": 16}
    assert resolve(TINY, SHA, **choices).dump().items() >= choices.items()


def test_numbers_are_of_the_type_of_their_field() -> None:
    found = resolve(TINY, SHA, size=64.0, steps="3", style_weight=5, scales="2", tolerance=0)
    kinds = [type(getattr(found, name)) for name in ("size", "steps", "style_weight", "scales")]
    assert kinds == [int, int, float, int]
    assert type(found.tolerance) is float


def test_recipes_are_known_without_pydantic_and_torch() -> None:
    code = (
        "import sys, nstcli.recipe, nstcli.config.options, nstcli.cli\n"
        "heavy = {'torch', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


weight = st.floats(0, 1e12)
layers = st.dictionaries(
    st.sampled_from([layer.name for layer in TINY.layers]),
    st.floats(min_value=0, max_value=1e12, exclude_min=True),
    min_size=1,
)
recipes = st.builds(
    Recipe,
    model=st.text(min_size=1),
    weights=st.text(alphabet="0123456789abcdef", min_size=64, max_size=64),
    size=st.integers(1, 10**6),
    steps=st.integers(1, 10**6),
    content_weight=weight,
    style_weight=st.floats(0, 1e12, exclude_min=True),
    tv_weight=weight,
    content_layers=layers,
    style_layers=layers,
    scales=st.just("auto") | st.integers(1, 16),
    dense=st.booleans(),
    learning_rate=st.floats(0, 10, exclude_min=True),
    schedule=st.sampled_from(["cosine", "drop"]),
    tolerance=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**63 - 1),
)


@given(recipe=recipes)
def test_json_round_trip(recipe: Recipe) -> None:
    text = json.dumps(recipe.dump())
    again = Recipe(**json.loads(text))
    assert again == recipe
    assert json.dumps(again.dump()) == text
    assert list(again.style_layers) == list(recipe.style_layers)


def test_a_dump_is_a_copy() -> None:
    recipe = resolve(TINY, SHA)
    recipe.dump()["style_layers"]["relu1"] = 7.0
    assert recipe == resolve(TINY, SHA)


def test_terms_say_their_options() -> None:
    recipe = resolve(TINY, SHA, style_weight=3, content_layers="relu1")
    assert recipe.weights_of_terms == {
        "content": 1,
        "style": 3,
        "nearest": 1.5,
        "sliced": 0,
        "tv": 0,
    }
    assert recipe.layers_of_terms == {
        "content": {"relu1": 1},
        "style": {"relu1": 1, "relu2": 1, "relu3": 1},
        "nearest": {"relu1": 1, "relu2": 1, "relu3": 1},
        "sliced": {"relu1": 1, "relu2": 1, "relu3": 1},
    }


def test_the_defaults_are_those_of_the_fields() -> None:
    assert asdict(Choices()) == DEFAULT
    assert {setting.field: setting.default for setting in SETTING.values()} == DEFAULT


def test_what_a_step_costs_is_all_but_what_is_known_not_to_matter() -> None:
    """An option that comes later makes another kind of work, until somebody says otherwise."""
    chosen = {"init": "noise", "tv_weight": 1, "colors": "recolor", "style_scale": 2}
    chosen |= {"center_crop": "1x1", "fit": "crop", "keep_size": True, "init_noise": 0.1}
    recipe = resolve(TINY, SHA, optimizer="adam", **chosen)
    told = recipe.per_pixel()
    known = set(filter(HEEDED, module._OF_NO_COST))
    assert set(recipe.effective()) - set(told) == known
    assert set(DEFAULT) >= module._OF_NO_COST
    assert told == resolve(TINY, SHA, optimizer="adam", tv_weight=9, size=7, seed=2).per_pixel()
    assert told != resolve(TINY, SHA, optimizer="adam").per_pixel()
    assert "tv" not in resolve(TINY, SHA).per_pixel()
