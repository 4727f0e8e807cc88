"""The network as a recipe wants it: how it pools, and what its stem sees."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

import backbones
from backbones import BackboneError
from backbones.hooks import FeatureExtractor
from backbones.spec import IMAGENET, Layer, Stem
from backbones.testing import check_backbone
from nstcli.engine.precision import adapted
from nstcli.recipe import DEFAULT, Recipe, resolve
from tests.tiny import TINY

SHA = "0" * 64


def build() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)
    )


STRIDED = replace(
    TINY,
    name="strided",
    build=build,
    layers=(Layer("conv1", "0", "conv", 8, 2, 3), Layer("conv2", "2", "conv", 4, 2, 7)),
    content_layers={"conv2": 1.0},
    style_layers={"conv1": 1.0},
    stem=Stem("0", kernel=3, stride=2),
)


def wanted(**choices: object) -> Recipe:
    return resolve(STRIDED, SHA, {**DEFAULT, **choices})


def shapes(recipe: Recipe) -> list[tuple[int, ...]]:
    torch.manual_seed(0)
    extractor = adapted(FeatureExtractor(STRIDED, build(), IMAGENET), recipe)
    found = extractor(torch.rand(1, 3, 16, 24), ["conv1", "conv2"])
    return [tuple(feature.shape[-2:]) for feature in found.values()]


def test_a_dense_stem_sees_every_pixel() -> None:
    assert shapes(wanted()) == [(16, 24), (16, 24)]
    assert shapes(wanted(dense=False)) == [(8, 12), (8, 12)]


def test_what_it_finds_where_it_looked_before_is_the_same() -> None:
    network = build()
    extractor = FeatureExtractor(STRIDED, network, IMAGENET)
    image = torch.rand(1, 3, 16, 24)
    before = extractor(image, ["conv1"])["conv1"]
    after = adapted(extractor, wanted())(image, ["conv1"])["conv1"]
    torch.testing.assert_close(after[..., ::2, ::2], before)


def test_a_backbone_without_stem_is_never_dense(extractor: FeatureExtractor) -> None:
    recipe = resolve(TINY, SHA, {**DEFAULT, "dense": True})
    assert recipe.dense is False
    image = torch.rand(1, 3, 16, 24)
    before = extractor(image, ["conv1"])["conv1"]
    assert torch.equal(extractor.use_dense_stem()(image, ["conv1"])["conv1"], before)


def test_pooling_is_the_recipes(extractor: FeatureExtractor) -> None:
    image = torch.rand(1, 3, 16, 24)
    maxima = adapted(extractor, resolve(TINY, SHA, dict(DEFAULT)))(image, ["pool1"])["pool1"]
    averages = adapted(extractor, resolve(TINY, SHA, {**DEFAULT, "pooling": "avg"}))
    assert not torch.allclose(averages(image, ["pool1"])["pool1"], maxima)


@pytest.mark.parametrize(
    "stem", [Stem("1", 3, 2), Stem("2", 3, 2), Stem("9", 3, 2), Stem("0", 5, 2), Stem("0", 3, 4)]
)
def test_the_contract_sees_a_wrong_stem(stem: Stem) -> None:
    check_backbone(STRIDED)
    with pytest.raises(BackboneError, match=rf"stem '{stem.module}': \(kernel, stride\) is "):
        check_backbone(replace(STRIDED, stem=stem))


def test_the_contract_measures_what_a_dense_stem_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(layer.stride, layer.receptive_field) for layer in STRIDED.layers_with(dense=True)] == [
        (1, 3), (1, 5),
    ]  # fmt: skip
    assert STRIDED.layers_with(dense=False) == STRIDED.layers
    monkeypatch.setattr(Stem, "dense", lambda stem, layer: layer)
    with pytest.raises(BackboneError, match="'conv2': receptive field with a dense stem is 5"):
        check_backbone(STRIDED)


@pytest.mark.parametrize("wrong", [("", 3, 2), ("0", 0, 2), ("0", 3, 1)])
def test_a_stem_has_a_stride(wrong: tuple[str, int, int]) -> None:
    with pytest.raises(BackboneError, match="a stem needs a module, a kernel and a stride above 1"):
        Stem(*wrong)


class Beside(nn.Module):
    """A layer that does not see through the stem."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.other = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.stem(x)
        found: torch.Tensor = self.other(x)
        return found


def test_the_contract_sees_a_layer_beside_the_stem() -> None:
    layers = (Layer("conv1", "stem", "conv", 8, 2, 3), Layer("conv2", "other", "conv", 4, 2, 3))
    aside = replace(STRIDED, build=Beside, layers=layers, stem=Stem("stem", 3, 2))
    check_backbone(replace(aside, stem=None))
    with pytest.raises(BackboneError, match=r"'conv2': stride with a dense stem is 2\.0, .* 1\.0"):
        check_backbone(aside)


@pytest.mark.parametrize("name", ["squeezenet", "mobilenet"])
def test_the_light_networks_have_one(name: str) -> None:
    assert backbones.get(name).stem
    assert resolve(backbones.get(name), SHA, dict(DEFAULT)).dense


@pytest.mark.parametrize(
    ("name", "dense", "pooling"),
    [
        ("vgg16", False, "max"),
        ("vgg19", False, "max"),
        ("squeezenet", False, "avg"),
        ("squeezenet", True, "max"),
        ("mobilenet", False, "max"),
        ("mobilenet", True, "max"),
    ],
)
def test_no_layer_of_any_network_knows_where_a_border_was(
    name: str, dense: bool, pooling: str
) -> None:
    """Under circular padding, a picture that is moved round has activations that are, too."""
    backbone = backbones.get(name)
    torch.manual_seed(0)
    extractor = FeatureExtractor(backbone, backbone.build(), IMAGENET)
    recipe = resolve(
        backbone, SHA, {**DEFAULT, "padding": "circular", "pooling": pooling, "dense": dense}
    )
    adapted(extractor, recipe).arrange(torch.float32, torch.channels_last)
    layers = backbone.layers_with(dense)
    step = max(layer.stride for layer in layers)
    image = torch.rand(1, 3, 32, 64)
    names = [layer.name for layer in layers]
    with torch.no_grad():
        before, after = (extractor(x, names) for x in (image, image.roll(step, 3)))
    for layer in layers:
        assert before[layer.name].shape[2:] == (32 // layer.stride, 64 // layer.stride)
        moved = before[layer.name].roll(step // layer.stride, 3)
        torch.testing.assert_close(after[layer.name], moved, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("padding", ["replicate", "reflect", "circular"])
def test_padding_is_the_recipes_in_every_form_of_the_network(padding: str) -> None:
    recipe = wanted(padding=padding, dense=False)
    torch.manual_seed(0)
    plain = FeatureExtractor(STRIDED, build(), IMAGENET)
    image = torch.rand(1, 3, 17, 24)
    usual = plain(image, ["conv2"])["conv2"]
    extractor = copy.deepcopy(adapted(plain, recipe))
    found = extractor(image, ["conv2"])["conv2"]
    assert not torch.allclose(found, usual)
    half = extractor.arrange(torch.bfloat16, torch.channels_last)(image, ["conv2"])["conv2"]
    torch.testing.assert_close(half.float(), found, rtol=0.1, atol=0.1)
    assert half.is_contiguous(memory_format=torch.channels_last)
