"""Our own backbones and those of other distributions, found and loaded alike."""

import importlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import backbones
from backbones import Backbone, BackboneError, BackboneWarning
from tests import tiny
from tests.conftest import Plugin, install

OURS = ("vgg19", "vgg16", "squeezenet", "mobilenet")
SOURCE = Path(tiny.__file__).read_text("utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path for `install`; call `importlib.invalidate_caches()` after it."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def offer(site: Path, name: str, source: str, package: str = "", offers: str = "") -> None:
    install(site, name, source, package=package, offers=offers)
    importlib.invalidate_caches()
    sys.modules.pop((package or f"{name}-backbone").replace("-", "_"), None)


def test_our_own_come_first_and_have_their_names() -> None:
    assert backbones.names()[:4] == OURS
    assert [backbones.get(name).name for name in OURS] == list(OURS)
    assert backbones.get("vgg19") is backbones.get("vgg19")


def test_description_is_one_line() -> None:
    for name in backbones.names():
        assert backbones.get(name).description.splitlines() == [backbones.get(name).description]


@pytest.mark.parametrize("name", OURS)
def test_records_need_no_heavy_import(name: str) -> None:
    code = (
        "import json, sys, backbones\n"
        f"backbones.get({name!r}).weight_set().source.sha256\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "backbones.vgg" in loaded or "vgg" not in name
    assert not loaded & {"torch", "torchvision", "timm", "numpy", "PIL", "requests", "nstcli"}


def test_unknown_name_suggests_and_lists() -> None:
    with pytest.raises(BackboneError) as error:
        backbones.get("vgg91")
    assert str(error.value).startswith("unknown backbone 'vgg91' (did you mean 'vgg19'?); ")
    assert str(error.value).endswith(", ".join(backbones.names()))


def test_plugin_comes_the_same_way(tiny_plugin: Plugin) -> None:
    assert backbones.names() == (*OURS, "tiny")
    assert isinstance(backbones.get("tiny"), Backbone)
    with pytest.raises(BackboneError, match=r"did you mean 'tiny'\?"):
        backbones.get("tinny")


BROKEN = {
    "import": ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    "crash": ("1 / 0\n", "ZeroDivisionError: division by zero"),
    "syntax": ("def\n", "SyntaxError: invalid syntax"),
    "attribute": ("OTHER = 1\n", "AttributeError: module 'broken_backbone' has no attribute"),
    "type": ("TINY = 'a network'\n", "is a str, not a backbones.Backbone"),
    "name": (SOURCE, "calls itself 'tiny'; its entry point must have the same name"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_plugin_fails_only_when_asked_for(site: Path, kind: str) -> None:
    source, problem = BROKEN[kind]
    offer(site, "broken", source)
    assert backbones.names() == (*OURS, "broken")
    assert backbones.get("vgg19").name == "vgg19"
    with pytest.raises(BackboneError) as error:
        backbones.get("broken")
    message = str(error.value)
    assert message.startswith("backbone 'broken' from the package 'broken-backbone' ")
    assert problem in message
    assert len(message.splitlines()) == 1


def test_record_that_refuses_itself_is_a_broken_plugin(site: Path) -> None:
    offer(site, "broken", SOURCE.replace("minimum_size=8", "minimum_size=0"))
    with pytest.raises(BackboneError, match=r"'broken-backbone' cannot be loaded.*at least 1"):
        backbones.get("broken")


def test_built_in_keeps_its_name(site: Path) -> None:
    offer(site, "vgg19", SOURCE, "thief")
    with pytest.warns(BackboneWarning, match="'thief' offers.*'vgg19', but nst itself already"):
        assert backbones.names() == OURS
    with pytest.warns(BackboneWarning):
        assert backbones.get("vgg19").layer("relu5_1").channels == 512


@pytest.mark.parametrize("order", [("alpha", "beta"), ("beta", "alpha")])
def test_first_plugin_in_the_alphabet_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    for package in order:  # each comes before the last on the path
        monkeypatch.syspath_prepend(str(tmp_path / package))
        source = SOURCE.replace('name="tiny"', 'name="twin"')
        offer(tmp_path / package, "twin", source.replace("three random", f"{package}'s"), package)
    with pytest.warns(BackboneWarning, match="'beta' offers.*'alpha' already") as caught:
        assert backbones.names() == (*OURS, "twin")
    assert len(caught) == 1
    with pytest.warns(BackboneWarning):
        assert backbones.get("twin").description.startswith("alpha's")


def test_no_clash_no_warning(site: Path) -> None:
    offer(site, "tiny", SOURCE)
    offer(site, "tiny2", SOURCE.replace('name="tiny"', 'name="tiny2"'))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backbones.names() == (*OURS, "tiny", "tiny2")
        assert backbones.get("tiny2").name == "tiny2"
