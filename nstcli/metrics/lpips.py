"""LPIPS, the learned perceptual distance of two pictures (Zhang et al. 2018), version 0.1.

Activations of a network at five layers, each position's scaled to length 1, are compared position
by position; how much each channel counts ("heads") was fitted to people's judgements of which of
two spoiled patches is nearer to the original. It says how different two pictures look in their
details. Nobody asked those people about paintings, so between two stylized pictures it tells how
much was changed, not how well.

There are two of them: with VGG-16, and with AlexNet, which the content columns of published tables
of style transfer have. Their figures are different quantities.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from torch import Tensor

import backbones
from backbones import weights
from backbones.alexnet import ALEXNET
from backbones.hooks import FeatureExtractor
from nstcli.metrics.loading import Loader

# The network and the weights that the heads were fitted for; with others the figure has no name.
BACKBONE, WEIGHT_SET = "vgg16", "imagenet"

# Keeps positions where nothing is active from a division by zero; the same as torchmetrics'.
_EPSILON = 1e-8


@dataclass(frozen=True)
class Lpips:
    """The network and its heads.

    Attributes:
        extractor: the network with the weight set that the heads were fitted for.
        heads: layer to what each of its channels counts, (C,), none of them negative.
    """

    extractor: FeatureExtractor
    heads: Mapping[str, Tensor]

    @classmethod
    def load(cls, loader: Loader | None = None) -> Self:
        """Load LPIPS-VGG.

        Raises:
            BackboneError: the weights cannot be had.
        """
        loader = loader or Loader()
        backbone = backbones.get(BACKBONE)
        network = loader.network(backbone, backbone.weight_set(WEIGHT_SET))
        return cls(network, _heads(loader.tensors(weights.LPIPS)))

    @classmethod
    def load_alex(cls, loader: Loader | None = None) -> Self:
        """Load LPIPS-Alex.

        Raises:
            BackboneError: the weights cannot be had.
        """
        loader = loader or Loader()
        return cls(loader.network(ALEXNET), _heads(loader.tensors(weights.LPIPS_ALEX)))

    def scaled(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take the activations of the heads' layers, (1, C, H, W), scaled to length 1."""
        return {name: _scaled(features[name].float()) for name in self.heads}

    def distance(self, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
        """Compare two pictures of one size by their `scaled` activations."""
        total = 0.0
        for name, head in self.heads.items():
            squared = (a[name] - b[name]).square().mean((0, 2, 3))
            total += float(squared @ head.to(squared.device))
        return total


def _scaled(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True) + _EPSILON).sqrt()


def _heads(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removesuffix(".weight"): tensor.flatten() for name, tensor in tensors.items()}
