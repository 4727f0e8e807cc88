"""SqueezeNet 1.1 (Iandola et al. 2016), torchvision's architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backbones.spec import Backbone, Layer, Stem
from backbones.weights import builtin

if TYPE_CHECKING:
    from torch import nn

# torchvision's index in `features`, the kind of module, its public name and its channels.
_FEATURES = (
    (0, "conv", "conv1_pre", 64),
    (1, "relu", "conv1", 64),
    (2, "pool", "pool1", 64),
    (3, "fire", "fire2", 128),
    (4, "fire", "fire3", 128),
    (5, "pool", "pool3", 128),
    (6, "fire", "fire4", 256),
    (7, "fire", "fire5", 256),
    (8, "pool", "pool5", 256),
    (9, "fire", "fire6", 384),
    (10, "fire", "fire7", 384),
    (11, "fire", "fire8", 512),
    (12, "fire", "fire9", 512),
)


def _layers() -> tuple[Layer, ...]:
    layers = []
    stride, field = 1, 1
    for index, kind, name, channels in _FEATURES:
        # Convolution, pool and the wider half of a fire module all have 3×3 kernels.
        if kind != "relu":
            field += 2 * stride
        if kind in {"conv", "pool"}:
            stride *= 2
        path = f"features.{index}"
        if kind == "fire":
            squeeze, expand = channels // 8, channels // 2
            narrow = field - 2 * stride
            layers += [
                Layer(
                    f"{name}_squeeze", f"{path}.squeeze_activation", "relu", squeeze, stride, narrow
                ),
                Layer(
                    f"{name}_expand1x1",
                    f"{path}.expand1x1_activation",
                    "relu",
                    expand,
                    stride,
                    narrow,
                ),
                Layer(
                    f"{name}_expand3x3",
                    f"{path}.expand3x3_activation",
                    "relu",
                    expand,
                    stride,
                    field,
                ),
            ]
        layers.append(Layer(name, path, kind, channels, stride, field))
    return tuple(layers)


def _build() -> nn.Module:
    from torchvision.models import squeezenet1_1

    network: nn.Module = squeezenet1_1()
    return network


SQUEEZENET = Backbone(
    name="squeezenet",
    description="SqueezeNet 1.1, small: over three times as fast as VGG-19, for laptops",
    build=_build,
    layers=_layers(),
    content_layers={"fire5": 1.0},
    style_layers={"conv1": 1.0, **{f"fire{number}": 1.0 for number in range(2, 8)}},
    weight_sets=builtin.SQUEEZENET,
    stem=Stem("features.0", kernel=3, stride=2),
    structure_layer="fire8",
)
