"""Recipes that look at one input alone."""

from typing import Any

import pytest

import backbones
import nstcli
from nstcli.recipe import DEFAULT, resolve
from nstcli.run.alone import alone, layers_to_invert, of_inversion, of_texture
from nstcli.samples import CONTENT


def choices(**own: Any) -> dict[str, Any]:
    return {**DEFAULT, **own}


@pytest.mark.parametrize("name", backbones.names())
@pytest.mark.parametrize("loss", ["relative", "gatys", "sum", "mean"])
def test_what_is_made_of_any_choices_looks_at_one_input(name: str, loss: str) -> None:
    backbone = backbones.get(name)
    given = choices(loss=loss, colors="recolor", keep_faces=2.0, content_weight=3.0, init="style")
    for role, made in (
        ("style", of_texture(given)),
        ("content", of_inversion(given, layers_to_invert(backbone)[0])),
    ):
        recipe = resolve(backbone, "0" * 64, made)
        assert recipe.roles == {role}
        assert recipe.init == "noise"


@pytest.mark.parametrize(
    ("size", "scales", "expected"),
    [(32, "auto", 1), (95, "auto", 1), (96, "auto", 2), (192, "auto", 3), (512, 2, 2)],
)
def test_textures_begin_coarser(size: int, scales: Any, expected: int) -> None:
    assert of_texture(choices(size=size, scales=scales))["scales"] == expected


def test_inversions_are_smoothed_unless_somebody_says_how() -> None:
    assert of_inversion(choices(), "relu1_1")["tv_weight"] == 10
    assert of_inversion(choices(tv_weight=0.0), "relu1_1")["tv_weight"] == 0
    assert of_inversion(choices(loss="sum"), "relu1_1")["tv_weight"] is None


def test_with_both_nothing_changes() -> None:
    given = choices(content_layers="relu3_1")
    assert alone(given, content=True, style=True) == given
    assert alone(given, content=True, style=False)["content_layers"] == "relu3_1"


@pytest.mark.network
@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ("vgg19", ("relu1_1", "relu3_1", "relu5_1")),
        ("vgg16", ("relu1_1", "relu3_1", "relu5_1")),
        ("squeezenet", ("conv1", "fire3", "fire5")),
        ("mobilenet", ("stem", "stage2_1", "stage4_1")),
    ],
)
def test_the_first_layer_of_a_real_network_knows_the_photo_and_deeper_ones_less(
    model: str, layers: tuple[str, ...]
) -> None:
    photo, heard = CONTENT["chelsea"](), []
    for layer in layers:
        made = nstcli.invert(photo, layer, model=model, size=96, steps=60)
        assert made.record is not None
        heard.append(made.record.figures["psnr"])
    assert heard[0] > 25
    # MobileNet's narrow layers have no activation, and know more than its stem.
    known = heard[1:] if model == "mobilenet" else heard
    assert known == sorted(known, reverse=True)
