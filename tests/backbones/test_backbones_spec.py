"""The records refuse wrong values, and say which value of which record it was."""

import math
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from backbones import Backbone, BackboneError, Layer
from backbones.hints import closest
from backbones.spec import CAFFE, IMAGENET, Preprocessing
from tests.tiny import TINY

LAYER = Layer("relu1", "1", "relu", 8, 1, 3)
WEIGHTS = TINY.weight_sets[0]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("channels", "gbr", "'gbr'"),
        ("channels", "RGB", "'RGB'"),
        ("mean", (0.0, 0.0), "(0.0, 0.0)"),
        ("mean", (0.0, 0.0, 0.0, 0.5), "(0.0, 0.0, 0.0, 0.5)"),
        ("mean", (0.0, math.nan, 0.0), "(0.0, nan, 0.0)"),
        ("std", (1.0,), "(1.0,)"),
        ("std", (1.0, 1.0, 0.0), "(1.0, 1.0, 0.0)"),
        ("std", (1.0, -2.0, 1.0), "(1.0, -2.0, 1.0)"),
        ("std", (1.0, math.nan, 1.0), "(1.0, nan, 1.0)"),
        ("scale", 0.0, "0.0"),
        ("scale", -255.0, "-255.0"),
        ("scale", math.nan, "nan"),
        ("scale", math.inf, "inf"),
    ],
)
def test_preprocessing_refuses(field: str, value: Any, named: str) -> None:
    with pytest.raises(BackboneError) as error:
        replace(IMAGENET, **{field: value})
    assert named in str(error.value)


def test_preprocessing_constants_are_the_published_ones() -> None:
    assert Preprocessing("rgb", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) == IMAGENET
    assert Preprocessing("bgr", 255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)) == CAFFE


@pytest.mark.parametrize("field", ["name", "module", "kind"])
def test_layer_refuses_empty(field: str) -> None:
    with pytest.raises(BackboneError, match=f"needs a {field}: Layer"):
        replace(LAYER, **{field: ""})


@pytest.mark.parametrize("field", ["channels", "stride", "receptive_field"])
@pytest.mark.parametrize("value", [0, -3])
def test_layer_refuses_below_one(field: str, value: int) -> None:
    with pytest.raises(BackboneError, match=f"layer 'relu1': {field} .*at least 1, not {value}$"):
        replace(LAYER, **{field: value})


def test_weight_set_refuses_an_empty_name() -> None:
    with pytest.raises(BackboneError, match="weight set needs a name"):
        replace(WEIGHTS, name="")


def tampered(**changed: Any) -> Backbone:
    return replace(TINY, **changed)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"name": "Tiny"}, "'Tiny'"),
        ({"name": ""}, "''"),
        ({"name": "ti ny"}, "'ti ny'"),
        ({"name": "1tiny"}, "'1tiny'"),
        ({"name": "tiny:a"}, "'tiny:a'"),
        ({"minimum_size": 0}, "minimum_size must be at least 1, not 0"),
        ({"layers": ()}, "no layer name"),
        ({"layers": (*TINY.layers, replace(LAYER, module="8"))}, "layer name 'relu1'"),
        ({"layers": (*TINY.layers, replace(LAYER, name="other"))}, "module path '1'"),
        ({"weight_sets": ()}, "no weight set"),
        ({"weight_sets": (WEIGHTS, WEIGHTS)}, "weight set 'random'"),
        ({"content_layers": {}}, "no default content layer"),
        ({"style_layers": {}}, "no default style layer"),
        ({"content_layers": {"relu9": 1.0}}, "'relu9'"),
        ({"style_layers": {"relu9": 1.0}}, "'relu9'"),
        ({"content_layers": {"relu2": 0.0}}, "content layer 'relu2'.*not 0.0"),
        ({"style_layers": {"relu2": -1.0}}, "style layer 'relu2'.*not -1.0"),
        ({"style_layers": {"relu2": math.nan}}, "style layer 'relu2'.*not nan"),
        ({"style_layers": {"relu2": math.inf}}, "style layer 'relu2'.*not inf"),
    ],
)
def test_backbone_refuses(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(BackboneError, match=named):
        tampered(**changed)


def test_records_cannot_be_changed() -> None:
    for record, field in ((TINY, "name"), (LAYER, "stride"), (WEIGHTS, "name"), (IMAGENET, "mean")):
        with pytest.raises(FrozenInstanceError):
            setattr(record, field, "other")


def test_layer_by_name() -> None:
    assert TINY.layer("relu1") is TINY.layers[1]
    with pytest.raises(BackboneError) as error:
        TINY.layer("relu1_2")
    assert "unknown layer 'relu1_2' for tiny (did you mean 'relu" in str(error.value)
    assert "nst layers --model tiny" in str(error.value)


def test_weight_set_by_name() -> None:
    assert TINY.weight_set().name == "random"
    assert TINY.weight_set("other") is TINY.weight_sets[1]
    with pytest.raises(BackboneError) as error:
        TINY.weight_set("randon")
    assert "'randon' for tiny (did you mean 'random'?)" in str(error.value)
    assert "random, other" in str(error.value)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("relu1_l", " (did you mean 'relu1_1'?)"), ("RELU1_1", " (did you mean 'relu1_1'?)")],
)
def test_closest_suggests(name: str, suggestion: str) -> None:
    assert closest(name, ["conv5", "relu1_1"]) == suggestion


def test_closest_keeps_silent_when_nothing_is_close() -> None:
    assert closest("xyz", ["conv5", "relu1_1"]) == ""
