"""Small pretrained networks that work beside a backbone; no picture is stylized with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backbones.weights import builtin

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from backbones.spec import WeightSet

# The layers of VGG-16 that LPIPS compares, each the last of its block, and their channels.
_LPIPS_LAYERS = {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512}


@dataclass(frozen=True)
class Companion:
    """A network with weights of its own and no layers to choose from.

    Attributes:
        name: what `nst weights` calls it.
        build: makes it with random weights; torch is imported only inside of it.
        weight_sets: the first is the default.
    """

    name: str
    build: Callable[[], nn.Module]
    weight_sets: tuple[WeightSet, ...]


def _build_lpips() -> nn.Module:
    from torch import nn

    return nn.ModuleDict(
        {
            layer: nn.Conv2d(channels, 1, kernel_size=1, bias=False)
            for layer, channels in _LPIPS_LAYERS.items()
        }
    )


LPIPS = Companion("lpips", _build_lpips, builtin.LPIPS)

COMPANIONS = (LPIPS,)
