import importlib
from pathlib import Path

import pytest

import backbones
from backbones import BackboneError
from nstcli.errors import InputError
from nstcli.experiments.variant import of_backbones
from tests.conftest import Plugin, install


def titles(models: str) -> list[str]:
    return [variant_of.title for variant_of in of_backbones(models)[0]]


def test_backbones_come_in_the_order_asked_for_with_their_default_sets() -> None:
    assert titles("squeezenet, vgg19") == ["squeezenet:deepscale", "vgg19:gatys"]


def test_a_set_is_named_behind_a_colon_and_in_the_names_of_results() -> None:
    (first, second), broken = of_backbones("vgg19:torchvision,vgg19:gatys")
    assert (first.title, first.name) == ("vgg19:torchvision", "vgg19-torchvision")
    assert (second.title, second.name) == ("vgg19:gatys", "vgg19")
    assert broken == []


def test_the_painter_is_not_the_judge() -> None:
    assert {c.backbone.name: c.judge for c in of_backbones("all")[0]}.items() >= {
        "vgg19": "vgg16", "vgg16": "vgg19", "mobilenet": "vgg16",
    }.items()  # fmt: skip


def test_all_are_all_that_work(
    tiny_plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "wreck", "raise OSError('sunk')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    chosen, broken = of_backbones("all")
    names = [variant_of.backbone.name for variant_of in chosen]
    assert names == [name for name in backbones.names() if name != "wreck"]
    assert "tiny" in names
    assert "sunk" in str(broken[0])
    with pytest.raises(BackboneError, match="sunk"):
        of_backbones("wreck")


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        ("", InputError, "no backbone"),
        (" , ", InputError, "no backbone"),
        ("vgg19,vgg19", InputError, "vgg19:gatys twice"),
        ("all,vgg16", InputError, "vgg16:imagenet twice"),
        ("vgg91", BackboneError, "did you mean 'vgg19'"),
        ("vgg19:gatis", BackboneError, "did you mean 'gatys'"),
    ],
)
def test_what_cannot_be_is_refused(models: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        of_backbones(models)
