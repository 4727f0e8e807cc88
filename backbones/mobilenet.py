"""MobileNetV2 (Sandler et al. 2018), timm's `mobilenetv2_100`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from backbones.spec import Backbone, Layer, Stem
from backbones.weights import builtin

if TYPE_CHECKING:
    from torch import nn

# Per stage: expansion factor, channels, number of blocks, stride of the first (their table 2).
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _layers() -> tuple[Layer, ...]:
    layers = [
        Layer("stem", "bn1", "relu6", 32, 2, 3),
    ]
    channels, stride, field = 32, 2, 3
    for stage, (factor, width, blocks, first_stride) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            path, name = f"blocks.{stage - 1}.{block - 1}", f"{stage}_{block}"
            expanded = channels * factor
            if factor > 1:  # the first stage has nothing to expand
                layers.append(
                    Layer(f"expand{name}", f"{path}.bn1", "relu6", expanded, stride, field)
                )
            field += 2 * stride
            step = first_stride if block == 1 else 1
            stride *= step
            depthwise = f"{path}.bn2" if factor > 1 else f"{path}.bn1"
            layers.append(Layer(f"depth{name}", depthwise, "relu6", expanded, stride, field))
            # A block that keeps its shape adds its input to its output.
            kind = "residual" if step == 1 and channels == width else "block"
            layers.append(Layer(f"stage{name}", path, kind, width, stride, field))
            channels = width
        layers.append(Layer(f"stage{stage}", f"blocks.{stage - 1}", "stage", width, stride, field))
    layers.append(Layer("head", "bn2", "relu6", 1280, stride, field))
    return tuple(layers)


def _build() -> nn.Module:
    import timm

    network: nn.Module = timm.create_model("mobilenetv2_100", pretrained=False)
    return network


def _fold_batch_norms(network: nn.Module) -> None:
    """Fold every normalisation into the convolution before it, leaving its activation in place.

    With fixed statistics it is no more than a factor and a shift per channel (Jacob et al. 2018),
    yet took a quarter of the time of an evaluation. In timm's modules the child that follows a
    convolution is the one that normalises it; `check_backbone` compares the results.
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    for parent in list(network.modules()):
        children = list(parent.named_children())
        for (_, conv), (name, norm) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                mean, variance = norm.running_mean, norm.running_var
                assert mean is not None and variance is not None  # noqa: S101, PT018 - timm's have
                conv.weight, conv.bias = fuse_conv_bn_weights(
                    conv.weight,
                    conv.bias,
                    mean,
                    variance,
                    norm.eps,
                    norm.weight,
                    norm.bias,
                )
                setattr(parent, name, getattr(norm, "act", nn.Identity()))


MOBILENET = Backbone(
    name="mobilenet",
    description="MobileNetV2, three times as fast as VGG-19; taps before its residual additions",
    build=_build,
    layers=_layers(),
    content_layers={"stage3_1": 1.0},
    style_layers={"stem": 1.0, **{f"stage{stage}_1": 1.0 for stage in range(1, 7)}},
    weight_sets=builtin.MOBILENET,
    simplify=_fold_batch_norms,
    stem=Stem("conv_stem", kernel=3, stride=2),
    usual_activation=0.33,
    structure_layer="stage4",
)
