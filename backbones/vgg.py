"""VGG-16 and VGG-19 (Simonyan, Zisserman 2015), torchvision's architectures, features only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbones.spec import Backbone, Layer
from backbones.weights import builtin

if TYPE_CHECKING:
    from torch import nn

_CHANNELS = (64, 128, 256, 512, 512)


def _layers(convolutions: tuple[int, ...]) -> tuple[Layer, ...]:
    """List conv, relu and pool layers of blocks with that many 3×3 convolutions each."""
    layers = []
    index, stride, field = 0, 1, 1
    for block, (count, channels) in enumerate(zip(convolutions, _CHANNELS, strict=True), start=1):
        for number in range(1, count + 1):
            field += 2 * stride
            for kind in ("conv", "relu"):
                name = f"{kind}{block}_{number}"
                layers.append(Layer(name, f"features.{index}", kind, channels, stride, field))
                index += 1
        field += stride
        stride *= 2
        layers.append(Layer(f"pool{block}", f"features.{index}", "pool", channels, stride, field))
        index += 1
    return tuple(layers)


def _features(network: nn.Module) -> nn.Module:
    """Drop the classifier, nine tenths of the parameters, which no layer here needs."""
    del network.avgpool, network.classifier
    return network


def _build_vgg16() -> nn.Module:
    from torchvision.models import vgg16

    return _features(vgg16(init_weights=False))


def _build_vgg19() -> nn.Module:
    from torchvision.models import vgg19

    return _features(vgg19(init_weights=False))


# The shallow ones are the palette and the stroke. What the deep ones correlate has no place any
# more: where they count as much, wings become hills.
_STYLE_LAYERS = {"relu1_1": 2.0, "relu2_1": 2.0, "relu3_1": 1.0, "relu4_1": 1.0, "relu5_1": 0.2}

VGG19 = Backbone(
    name="vgg19",
    description="VGG-19, the network of the original papers: the richest textures, the slowest",
    build=_build_vgg19,
    layers=_layers((2, 2, 4, 4, 4)),
    content_layers={"relu4_2": 1.0},
    style_layers=_STYLE_LAYERS,
    weight_sets=builtin.VGG19,
    usual_activation=1.0,
)

VGG16 = Backbone(
    name="vgg16",
    description="VGG-16, the network of most fast-style work: close to VGG-19, a little cheaper",
    build=_build_vgg16,
    layers=_layers((2, 2, 3, 3, 3)),
    content_layers={"relu3_3": 1.0},
    style_layers=_STYLE_LAYERS,
    weight_sets=builtin.VGG16,
    usual_activation=0.75,
)
