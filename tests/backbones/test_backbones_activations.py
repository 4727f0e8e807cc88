"""Weights that see other input than they were trained on are noticed by their activations."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file

import backbones
from backbones import weights
from backbones.activations import doubt, drawn, typical
from backbones.hooks import FeatureExtractor
from backbones.spec import CAFFE, IMAGENET, Preprocessing
from tests import tiny


def read(usual: float | None, preprocessing: Preprocessing) -> FeatureExtractor:
    network = tiny.build()
    network.load_state_dict(tiny.random_state())
    return FeatureExtractor(replace(tiny.TINY, usual_activation=usual), network, preprocessing)


USUAL = typical(read(None, IMAGENET))


def test_the_picture_is_like_a_photo() -> None:
    image = drawn(64)
    assert image.shape == (1, 3, 64, 64)
    assert (image.min(), image.max()) == (0, 1)
    assert image.mean().item() == pytest.approx(0.45, abs=0.05)
    assert image.std().item() == pytest.approx(0.25, abs=0.05)
    across = (image[..., 1:] - image[..., :-1]).std().item()
    assert across < image.std().item() / 2  # neighbours are alike
    assert image.equal(drawn(64))


@pytest.mark.parametrize("factor", [1, 3, 1 / 3])
def test_what_is_usual_is_not_doubted(factor: float) -> None:
    usual = factor * USUAL
    assert doubt(read(usual, IMAGENET)) == ""
    # Networks of pixels from 0 to 255 have activations of that size, or normalised ones.
    assert doubt(read(usual, CAFFE)) == ""
    assert doubt(read(typical(read(None, CAFFE)), CAFFE)) == ""


def test_what_is_not_is() -> None:
    expected = "those of tiny are about {:.2g}: it may expect other input; try --preprocessing {}"
    for usual, preprocessing, other in (
        (20 * USUAL, IMAGENET, "caffe"),
        (USUAL / 20, IMAGENET, "caffe"),
        (20 * typical(read(None, CAFFE)), CAFFE, "imagenet"),
    ):
        told = doubt(read(usual, preprocessing))
        assert expected.format(usual, other) in told


def test_nothing_is_said_of_a_backbone_that_nobody_measured() -> None:
    assert doubt(read(None, IMAGENET)) == ""


@pytest.fixture(scope="module")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("NST_CACHE"):
            patch.setenv("NST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.network
@pytest.mark.usefixtures("real_cache")
@pytest.mark.parametrize("name", ["vgg19", "vgg16", "mobilenet"])
def test_the_usual_is_measured(name: str) -> None:
    backbone = backbones.get(name)
    extractor = FeatureExtractor.load(backbone, backbone.weight_set())
    assert typical(extractor) == pytest.approx(backbone.usual_activation, rel=0.1)


@pytest.mark.network
@pytest.mark.usefixtures("real_cache")
def test_a_file_of_the_papers_network_is_noticed_and_can_be_told_of(tmp_path: Path) -> None:
    backbone = backbones.get("vgg19")
    path = tmp_path / "normalised.safetensors"
    save_file(weights.load(backbone, backbone.weight_set("gatys")).tensors, path)
    taken = FeatureExtractor.load(backbone, weights.select(backbone, str(path)))
    told = doubt(taken)
    assert told.startswith("its activations are 0.03")
    assert told.endswith("try --preprocessing caffe")
    right = weights.select(backbone, str(path), "caffe")
    assert doubt(FeatureExtractor.load(backbone, right)) == ""
