from pathlib import Path

import pytest

from backbones import BackboneError
from nstcli.errors import InputError
from nstcli.experiments.experiment import with_pairs, with_settings
from nstcli.experiments.variant import Variant, of_backbones
from nstcli.recipe import DEFAULT
from nstcli.results.records import Form
from tests.conftest import Plugin
from tests.nstcli.experiments.comparisons import variant_of

PHOTOS, STYLES = [Path("a.png"), Path("b.png")], [Path("s.png")]


def settled(models: str, **choices: object) -> list[Variant]:
    chosen, _ = of_backbones(models)
    return with_settings(
        with_pairs(chosen, PHOTOS, STYLES, ".png")[0],  # type: ignore[arg-type]
        {**DEFAULT, **choices},
        Form(),
        offline=True,
        progress=lambda name: pytest.fail(f"{name} was downloaded"),
    )


def test_everybody_has_the_same_pairs_under_names_of_their_own() -> None:
    chosen, _ = of_backbones("vgg19,vgg19:torchvision")
    (first, second), renamed = with_pairs(chosen, PHOTOS, STYLES, ".png")  # type: ignore[arg-type]
    assert renamed == []
    assert [pair.output for pair in first.pairs] == ["a__s__vgg19.png", "b__s__vgg19.png"]
    assert second.pairs[0].output == "a__s__vgg19-torchvision.png"
    assert (
        [p.path("content") for p in first.pairs]
        == [p.path("content") for p in second.pairs]
        == PHOTOS
    )


def test_names_that_would_be_the_same_are_refused() -> None:
    rivals = [variant_of("x"), variant_of("s__x")]
    with pytest.raises(InputError, match="two results would be called"):
        with_pairs(rivals, [Path("a.png")], [Path("s__s.png"), Path("s.png")], ".png")  # type: ignore[arg-type]


def test_a_layer_that_one_does_not_have_is_that_ones_problem(tiny_plugin: Plugin) -> None:
    first, second = settled("tiny,squeezenet", content_layers="relu2")
    assert (first.error, second.settings) == ("", None)
    assert "unknown layer 'relu2' for squeezenet" in second.error


def test_a_layer_that_none_has_is_everybodys() -> None:
    with pytest.raises(BackboneError, match="unknown layer 'no'"):
        settled("vgg19,squeezenet", content_layers="no")


def test_a_value_out_of_range_is_nobodys_alone() -> None:
    with pytest.raises(InputError, match="scales"):
        settled("vgg19,squeezenet", scales=99)
