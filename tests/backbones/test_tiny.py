"""The tiny backbone of these tests, as a plugin: installed, listed, loaded, cached."""

import os
import subprocess
import sys

import pytest
import torch

import backbones
from backbones import weights
from backbones.hooks import FeatureExtractor
from tests import tiny
from tests.conftest import Plugin


def test_plugin_is_registered_and_loads(tiny_plugin: Plugin) -> None:
    assert backbones.names()[-1] == "tiny"
    found = backbones.get("tiny")
    assert found.layers == tiny.TINY.layers
    assert sys.modules[found.build.__module__].__file__ == str(
        tiny_plugin.folder / "tiny_backbone.py"
    )


def test_plugin_is_gone_without_the_fixture() -> None:
    assert "tiny" not in backbones.names()


def test_plugin_is_seen_by_subprocesses(tiny_plugin: Plugin) -> None:
    code = "import backbones; print(backbones.get('tiny').description)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ.copy()
    )
    assert (done.stdout.strip(), done.stderr) == (tiny.TINY.description, "")


@pytest.mark.parametrize("weight_set", tiny.TINY.weight_sets, ids=lambda each: each.name)
def test_weights_load_through_the_cache(
    tiny_plugin: Plugin, weight_set: backbones.WeightSet
) -> None:
    first = weights.load(tiny.TINY, weight_set)
    path = weights.cached_path(tiny.TINY, weight_set)
    assert path.is_relative_to(tiny_plugin.cache)
    assert weights.verify(tiny.TINY, weight_set) is weights.State.GOOD
    again = weights.load(tiny.TINY, weight_set, offline=True)
    assert again.sha256 == weight_set.source.sha256 == weights.identity(tiny.TINY, weight_set)
    assert again.preprocessing == weight_set.preprocessing
    assert first.tensors.keys() == again.tensors.keys()
    assert all(torch.equal(again.tensors[name], first.tensors[name]) for name in first.tensors)


def test_extractor_loads_with_those_weights(
    tiny_plugin: Plugin, extractor: FeatureExtractor
) -> None:
    image = torch.rand(1, 3, 12, 12)
    loaded = FeatureExtractor.load(tiny.TINY, tiny.TINY.weight_set("random"))
    other = FeatureExtractor.load(tiny.TINY, tiny.TINY.weight_set("other"))
    wanted = extractor(image, ["relu3"])["relu3"]
    assert torch.equal(loaded(image, ["relu3"])["relu3"], wanted)
    assert not torch.allclose(other(image, ["relu3"])["relu3"], wanted)
