"""`check_backbone`: passed by every backbone, failed by every false statement."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from torch import Tensor, nn

import backbones
from backbones import Backbone, BackboneError
from backbones.hooks import FeatureExtractor
from backbones.spec import IMAGENET
from backbones.testing import check_backbone
from tests import tiny
from tests.tiny import TINY


@pytest.mark.parametrize("name", backbones.names())
def test_every_backbone_keeps_the_contract(name: str) -> None:
    check_backbone(backbones.get(name))


def test_tiny_keeps_the_contract() -> None:
    check_backbone(TINY)


def with_layer(name: str, **changed: Any) -> Backbone:
    layers = (replace(layer, **changed) if layer.name == name else layer for layer in TINY.layers)
    return replace(TINY, layers=tuple(layers))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (with_layer("conv2", channels=13), r"'conv2': \(batch, channels\) is \(2, 12\).*\(2, 13\)"),
        (with_layer("relu3", stride=2), r"'relu3': stride is 4.0, declared 2.0"),
        (with_layer("pool1", stride=1), r"'pool1': stride is 2.0, declared 1.0"),
        (with_layer("conv1", stride=2), r"'conv1': stride is 1.0, declared 2.0"),
        (with_layer("relu3", receptive_field=17), r"'relu3': receptive field is 18, declared 17"),
        (with_layer("relu2", receptive_field=9), r"'relu2': receptive field is 8, declared 9"),
        (with_layer("conv1", receptive_field=90), r"'conv1': receptive field is 3, declared 90"),
        (with_layer("conv2", module="3.weight"), r"'conv2' names the module '3.weight'"),
        (replace(TINY, layers=TINY.layers[::-1]), "order of layers is"),
        (replace(TINY, minimum_size=3), "minimum size of 3 px"),
    ],
)
def test_false_statement_is_found(wrong: Backbone, message: str) -> None:
    with pytest.raises(BackboneError, match=f"^backbone 'tiny': .*{message}"):
        check_backbone(wrong)


class Detached(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach()


class Nulled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0


class Poisoned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 0


@pytest.mark.parametrize("culprit", [Detached, Nulled, Poisoned])
def test_gradient_that_does_not_arrive_is_found(culprit: Callable[[], nn.Module]) -> None:
    def build() -> nn.Module:
        network = tiny.build()
        assert isinstance(network, nn.Sequential)
        network[5] = nn.Sequential(network[5], culprit())
        return network

    with pytest.raises(BackboneError, match="'pool2': finite gradient reaches the image is False"):
        check_backbone(replace(TINY, build=build))


FACTS = {
    "vgg19": {
        "relu1_1": "features.1",
        "relu2_1": "features.6",
        "relu3_1": "features.11",
        "relu4_1": "features.20",
        "relu4_2": "features.22",
        "relu5_1": "features.29",
        "conv1_1": "features.0",
        "pool5": "features.36",
    },
    "vgg16": {
        "relu1_1": "features.1",
        "relu2_1": "features.6",
        "relu3_1": "features.11",
        "relu3_3": "features.15",
        "relu4_1": "features.18",
        "relu5_1": "features.25",
        # Johnson's four
        "relu1_2": "features.3",
        "relu2_2": "features.8",
        "relu4_3": "features.22",
    },
    "squeezenet": {
        "conv1": "features.1",
        "fire2": "features.3",
        "fire3": "features.4",
        "fire4": "features.6",
        "fire5": "features.7",
        "fire6": "features.9",
        "fire7": "features.10",
        "fire8": "features.11",
        "fire9": "features.12",
    },
    "mobilenet": {
        "stage1_1": "blocks.0.0",
        "stage2_1": "blocks.1.0",
        "stage3_1": "blocks.2.0",
        "stage4_1": "blocks.3.0",
        "stage6_1": "blocks.5.0",
        "stage3": "blocks.2",
    },
}


@pytest.mark.parametrize(
    ("backbone", "layer", "module"),
    [(name, layer, path) for name, facts in FACTS.items() for layer, path in facts.items()],
)
def test_layer_name_stands_for_the_module_the_literature_means(
    backbone: str, layer: str, module: str
) -> None:
    assert backbones.get(backbone).layer(layer).module == module


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_vgg_defaults_are_those_of_gatys(name: str) -> None:
    style = backbones.get(name).style_layers
    assert list(style) == ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    assert sorted(style.values(), reverse=True) == list(style.values())  # the deep ones count less
    content = {"vgg19": {"relu4_2": 1.0}, "vgg16": {"relu3_3": 1.0}}
    assert backbones.get(name).content_layers == content[name]


def test_mobilenet_defaults_have_no_residual_addition() -> None:
    mobilenet = backbones.get("mobilenet")
    paths = [mobilenet.layer(name).module for name in mobilenet.style_layers]
    assert paths == ["bn1", *(f"blocks.{stage}.0" for stage in range(6))]
    assert list(mobilenet.content_layers) == ["stage3_1"]
    kinds = {layer.kind for layer in mobilenet.layers}
    assert "residual" in kinds
    names = [*mobilenet.style_layers, *mobilenet.content_layers]
    assert {mobilenet.layer(name).kind for name in names} == {"relu6", "block"}


def test_a_simplification_that_changes_an_activation_is_found() -> None:
    def spoil(network: nn.Module) -> None:
        assert isinstance(network, nn.Sequential)
        network[3].bias.data.add_(0.1)  # type: ignore[union-attr, operator]

    with pytest.raises(BackboneError, match="'conv2': equal in the simplified network is False"):
        check_backbone(replace(TINY, simplify=spoil))
    check_backbone(replace(TINY, simplify=lambda network: None))


def test_mobilenet_runs_without_batch_norms() -> None:
    mobilenet = backbones.get("mobilenet")
    extractor = FeatureExtractor(mobilenet, mobilenet.build(), IMAGENET)
    assert not [m for m in extractor.network.modules() if isinstance(m, nn.BatchNorm2d)]
