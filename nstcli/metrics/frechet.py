"""The distance between two distributions, by their means and covariances.

Fréchet's distance between Gaussians (Dowson, Landau 1982, also known as the 2-Wasserstein
distance): d² = ‖m₁ − m₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½). FID (Heusel et al. 2017) is d² over
one vector for each picture of a large set. Here the samples are the positions of one picture, and
the vectors its activations, so figures have nothing to do with those of FID.

It sees no more than two moments, and those of few positions are rough: where a layer has fewer
positions than channels, part of the distance is chance. So compare pictures of one size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

# As in the engine: a style with less than this share of the picture's energy counts as empty.
_FLOOR = 1e-6


@dataclass(frozen=True)
class Gaussian:
    """A mean and a covariance, in float64 on the CPU.

    Attributes:
        mean: (C,).
        factor: (C, K) whose product with its own transpose is the covariance (C, C).
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def of(cls, samples: Tensor) -> Self:
        """Fit one to samples (M, C); the covariance is divided by M."""
        samples = samples.cpu().double()
        mean = samples.mean(0)
        centred = samples - mean
        count, channels = centred.shape
        if count <= channels:
            return cls(mean, centred.mT / count**0.5)
        return cls(mean, _factor(centred.mT @ centred / count))

    @property
    def energy(self) -> float:
        """The mean square of its samples' lengths, which is d² to a constant 0."""
        return float(self.mean.square().sum() + self.factor.square().sum())


def of_features(features: Tensor) -> Gaussian:
    """Fit one to the activations at all positions: (1, C, H, W) are H·W samples."""
    return Gaussian.of(features[0].flatten(1).mT)


def squared_distance(a: Gaussian, b: Gaussian) -> float:
    """d², symmetric and never negative.

    With Σ = F Fᵀ the root's trace is the sum of the singular values of F₁ᵀ F₂, whatever the
    factors are. Unlike a root of the product, this keeps all digits of small eigenvalues and has
    no imaginary part to be dropped.
    """
    means = (a.mean - b.mean).square().sum()
    spreads = a.factor.square().sum() + b.factor.square().sum()
    shared = torch.linalg.svdvals(a.factor.mT @ b.factor).sum()
    return max(0.0, float(means + spreads - 2 * shared))


def style_distance(
    picture: Mapping[str, Gaussian], style: Mapping[str, Gaussian], layers: Mapping[str, float]
) -> float:
    """Average d² over layers, each divided by the style's energy there: 1 if nothing is there.

    That makes layers comparable, whose activations differ in size by orders of magnitude.
    `layers` gives the relative weights.
    """
    total = sum(layers.values())
    return sum(
        weight / total * _relative(picture[name], style[name]) for name, weight in layers.items()
    )


def _relative(picture: Gaussian, style: Gaussian) -> float:
    energy = max(style.energy, _FLOOR * picture.energy)
    return squared_distance(picture, style) / energy if energy else 0.0


def _factor(covariance: Tensor) -> Tensor:
    """Return F with F Fᵀ = Σ. Rounding may leave eigenvalues just below 0, which are cut off."""
    values, vectors = torch.linalg.eigh(covariance)
    factor: Tensor = vectors * values.clamp(min=0).sqrt()
    return factor
