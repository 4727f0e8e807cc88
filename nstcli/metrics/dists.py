"""DISTS, the structure and texture similarity of two pictures (Ding et al. 2020).

The picture's three channels and five layers of a VGG-16 whose pooling does not alias are compared
channel by channel, over the whole picture. With means μ, variances σ² and covariance σ_xy,

    l = (2 μ_x μ_y + c) / (μ_x² + μ_y² + c),   s = (2 σ_xy + c) / (σ_x² + σ_y² + c),
    DISTS = 1 − Σ (α l + β s) / Σ (α + β), with c = 10⁻⁶,

where α and β, for each channel, were fitted to people's judgements of spoiled pictures, and such
that two cuttings of one texture are near to each other. 0 is equal.

As its authors do, larger pictures are brought to 256 px on the shorter edge. It cannot say where a
texture is, nor tell a fine painting from a spoiled photo, which nobody was asked about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

import backbones
from backbones import weights
from backbones.hooks import FeatureExtractor
from nstcli.metrics.loading import Loader
from nstcli.metrics.lpips import BACKBONE, WEIGHT_SET

_EDGE = 256
_STEADY = 1e-6
_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


@dataclass(frozen=True)
class Dists:
    """The network and its factors, which `of` puts together.

    Attributes:
        extractor: VGG-16 with L2 pooling.
        layers: that are compared besides the picture.
        alpha: what the mean of every channel counts, (C,): the picture's, then those of layers.
        beta: likewise, what its covariance counts. Both together sum to 1.
    """

    extractor: FeatureExtractor
    layers: Sequence[str]
    alpha: Tensor
    beta: Tensor

    @classmethod
    def load(cls, loader: Loader | None = None) -> Self:
        """Load VGG-16 and the factors.

        Raises:
            BackboneError: the weights cannot be had.
        """
        loader = loader or Loader()
        backbone = backbones.get(BACKBONE)
        # A network of its own, as its pooling is another one for good.
        network = loader.network(backbone, backbone.weight_set(WEIGHT_SET))
        factors = loader.tensors(weights.DISTS)
        return cls.of(network, _LAYERS, factors["alpha"], factors["beta"])

    @classmethod
    def of(
        cls, network: FeatureExtractor, layers: Sequence[str], alpha: Tensor, beta: Tensor
    ) -> Self:
        """Change the pooling of a network, and scale the factors."""
        total = alpha.double().sum() + beta.double().sum()
        scaled = (factor.double().flatten() / total for factor in (alpha, beta))
        return cls(network.pool_by(L2Pool), layers, *scaled)

    def read(self, image: Tensor) -> list[Tensor]:
        """Return what is compared of a picture (1, 3, H, W), RGB in [0, 1]."""
        scale = _EDGE / min(image.shape[2:])
        if scale < 1:
            size = [round(edge * scale) for edge in image.shape[2:]]
            image = interpolate(image, size, mode="bilinear", antialias=True)
        found = self.extractor(image, self.layers)
        return [image, *(found[name].float() for name in self.layers)]

    def distance(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
        """Compare two pictures of one shape that were read."""
        alike = [_alike(x[0].flatten(1), y[0].flatten(1)) for x, y in zip(a, b, strict=True)]
        means, textures = (torch.cat(each).double().cpu() for each in zip(*alike, strict=True))
        return max(0.0, 1 - float(self.alpha @ means + self.beta @ textures))


class L2Pool(nn.Module):
    """The root of the mean square under a Hann window of 3×3, at a stride of 2.

    Without the aliasing of a maximum (Hénaff, Simoncelli 2016).
    """

    def __init__(self, instead: nn.MaxPool2d):
        super().__init__()
        self.stride = instead.stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ⌈H/2⌉, ⌈W/2⌉)."""
        hann = x.new_tensor([0.25, 0.5, 0.25])
        window = torch.outer(hann, hann).expand(x.shape[1], 1, 3, 3)
        squares = conv2d(x.square(), window, stride=self.stride, padding=1, groups=x.shape[1])
        return (squares + 1e-12).sqrt()


def _alike(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Compare means, and what is left of them, of every channel: two (C, M) -> two (C,)."""
    x_mean, y_mean = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    x, y = x - x_mean, y - y_mean
    squares = (x_mean.square() + y_mean.square())[:, 0]
    spread = (x.square() + y.square()).mean(1)
    means = (2 * (x_mean * y_mean)[:, 0] + _STEADY) / (squares + _STEADY)
    return means, (2 * (x * y).mean(1) + _STEADY) / (spread + _STEADY)
