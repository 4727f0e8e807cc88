"""A result gives the settings that it was made with, and says what cannot be known of them."""

import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backbones
from backbones import BackboneError, weights
from nstcli.config import results
from nstcli.config.options import SETTINGS
from nstcli.config.precedence import settle
from nstcli.config.toml import dump
from nstcli.errors import InputError
from nstcli.images import encode
from nstcli.recipe import DEFAULT, VERSION, resolve
from nstcli.results.records import Form
from nstcli.run.job import settings_for
from tests.conftest import Plugin

PIXEL = np.zeros((1, 1, 3), np.uint8)
RECIPE = resolve(backbones.get("vgg19"), "0" * 64, {})

choices = st.fixed_dictionaries(
    {"model": st.sampled_from(["vgg19", "vgg16", "squeezenet"])},
    optional={
        "size": st.integers(1, 4000),
        "steps": st.integers(1, 4000),
        "scales": st.just("auto") | st.integers(1, 16),
        "content_weight": st.floats(0.1, 1e9),
        "style_weight": st.floats(0, 1e9),
        "nearest_weight": st.just(0.0) | st.floats(0.1, 9),
        "tv_weight": st.floats(0, 1e9),
        "loss": st.sampled_from(["relative", "gatys", "sum", "mean"]),
        "dense": st.booleans(),
        "pooling": st.sampled_from(["max", "avg"]),
        "colors": st.sampled_from(["style", "luminance"]),
        "keep_faces": st.floats(0, 9),
        "padding": st.sampled_from(["own", "reflect"]),
        "optimizer": st.sampled_from(["lbfgs", "adam"]),
        "learning_rate": st.floats(0.001, 10),
        "tolerance": st.floats(0, 0.9),
        "init": st.sampled_from(["content", "noise", "style"]),
        "seed": st.integers(0, 2**63 - 1),
    },
)


def put(path: Path, recipe: object) -> Path:
    """Write a picture that carries a recipe."""
    made = {"key": "k", "recipe": recipe}
    metadata = {"nst": json.dumps(made, sort_keys=True)}
    path.write_bytes(encode(PIXEL, None, path.suffix[1:], metadata=metadata))
    return path


def settled(path: Path) -> dict[str, Any]:
    found = settle(SETTINGS, {"config": str(path)}, {}, None)
    return {name: found[name] for name in DEFAULT}


def test_what_nobody_sets_is_no_unknown_setting(tmp_path: Path) -> None:
    recipe = replace(RECIPE, keep_faces=1.0, detector="0" * 64, plugin="1" * 64)
    found, remarks = results.read(put(tmp_path / "a.png", recipe.effective()))
    assert not [remark for remark in remarks if "unknown" in remark]
    assert found["keep-faces"] == 1


@given(choices, st.sampled_from(["png", "jpg", "webp", "tiff"]))
def test_what_is_made_of_the_settings_of_a_result_is_that_result(
    chosen: dict[str, Any], form: str
) -> None:
    recipe = settings_for({**DEFAULT, **chosen}, Form()).recipe
    with TemporaryDirectory() as made:
        path = put(Path(made) / f"x.{form}", recipe.effective())
        table, remarks = results.read(path)
        (Path(made) / "x.toml").write_text(dump(table), "utf-8")
        for each in (path, path.with_suffix(".toml")):
            again = settings_for(settled(each), Form()).recipe
            assert again.effective() == recipe.effective()
    assert remarks == []
    assert table["weights"] == backbones.get(chosen["model"]).weight_set().name


def test_an_option_beside_it_wins(tmp_path: Path) -> None:
    path = put(tmp_path / "x.png", RECIPE.effective())
    found = settle(SETTINGS, {"config": str(path), "size": 7}, {"NST_STEPS": "9"}, None)
    assert (found["size"], found["steps"]) == (7, 9)
    assert found.values["style_weight"].source.endswith("x.png")


def test_what_another_version_knew_is_told(tmp_path: Path) -> None:
    recipe = {**RECIPE.effective(), "version": VERSION + 1, "glaze": 3}
    recipe["weights"] = weights.identity(
        backbones.get("vgg19"), backbones.get("vgg19").weight_set()
    )
    del recipe["pooling"], recipe["tolerance"], recipe["nearest_weight"]
    path = put(tmp_path / "x.png", recipe)
    found = settle(SETTINGS, {"config": str(path)}, {}, None)
    assert found.remarks == (
        f"{path}: it is of version {VERSION + 1} of recipes, this is {VERSION}: the same settings "
        "give other pixels",
        f"{path}: settings that are unknown here are left out: glaze",
        f"{path}: it says nothing of nearest-weight, pooling, tolerance, which may have been "
        "otherwise",
    )
    assert found["pooling"] == "max"


def test_weights_that_no_set_has_are_refused_unless_they_are_named(tmp_path: Path) -> None:
    path = put(tmp_path / "x.png", replace(RECIPE, weights="ab" * 32).effective())
    with pytest.raises(BackboneError, match=r"no weight set of vgg19 .* abab.*--weights FILE"):
        settings_for(settled(path), Form())
    found = settle(SETTINGS, {"config": str(path), "weights": "caffe.pth"}, {}, None)
    assert found["weights"] == "caffe.pth"


def test_two_sets_of_one_file_are_told_apart_and_a_changed_plugin_is_remarked(
    tiny_plugin: Plugin, tmp_path: Path
) -> None:
    recipe = settings_for({**DEFAULT, "model": "tiny", "weights": "other"}, Form()).recipe
    assert recipe.plugin
    table, remarks = results.read(put(tmp_path / "x.png", recipe.effective()))
    assert (table["weights"], remarks) == ("other", [])
    changed = replace(recipe, plugin="0" * 64)
    table, (remark,) = results.read(put(tmp_path / "x.png", changed.effective()))
    assert table["weights"] == "other"
    assert "the backbone tiny is not as it was" in remark


def test_a_backbone_that_is_not_installed_is_told_by_who_needs_it(tmp_path: Path) -> None:
    path = put(tmp_path / "x.png", replace(RECIPE, model="gone").effective())
    assert results.read(path)[0]["model"] == "gone"
    with pytest.raises(BackboneError, match="unknown backbone 'gone'"):
        settings_for(settled(path), Form())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "sgd"}, 'x.png: optimizer = "sgd": should be '),
        ({"size": -1}, "x.png: size = -1: should be "),
        ({"model": 3}, "x.png: model = 3: should be a valid string"),
        ({"style_layers": {"relu1_1": "much"}}, "should be layers like"),
        ({"weights": "../theirs.pth"}, "something else than a sha256"),
        ({"weights": 3}, "something else than a sha256"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = put(tmp_path / "x.png", {**RECIPE.effective(), **changes})
    with pytest.raises(InputError, match=re.escape(message)):
        settled(path)


@pytest.mark.parametrize("recipe", [None, [], "x"])
def test_pictures_without_a_recipe_are_none(tmp_path: Path, recipe: object) -> None:
    path = put(tmp_path / "x.png", recipe)
    (tmp_path / "bare.jpg").write_bytes(encode(PIXEL, None, "jpg"))
    (tmp_path / "text.webp").write_text("no picture")
    (tmp_path / "folder.tiff").mkdir()
    for name in (path.name, "bare.jpg", "text.webp"):
        with pytest.raises(InputError, match=r"does not say how it was made"):
            settled(tmp_path / name)
    with pytest.raises(InputError, match="cannot read"):
        settled(tmp_path / "folder.tiff")
    with pytest.raises(InputError, match=r"no such file: .* \(did you mean 'bare.jpg'"):
        settled(tmp_path / "baer.jpg")


def test_a_picture_of_ones_own_to_start_from_has_to_be_named_again(tmp_path: Path) -> None:
    table, remarks = results.read(put(tmp_path / "x.png", {**RECIPE.effective(), "init": "file"}))
    assert "init" not in table
    assert any("name that again with --init" in remark for remark in remarks)
