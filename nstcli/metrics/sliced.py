"""The sliced Wasserstein distance of two pictures' activations (Rabin et al. 2011).

Activations at all positions are a cloud of points. Seen along one direction it is a distribution
of numbers, and between two of these the Wasserstein distance is known: both sorted, value against
value. The figure is the mean over directions, which determine a distribution fully when all are
taken (Heitz et al. 2021, who optimize it). With quantile functions q along 64 directions,

    SW = mean over directions θ and u in (0, 1) of (q_θ(u) − q'_θ(u))² / mean of q'_θ(u)²,

averaged over layers: 0 is equal, 1 is nothing there. Gram matrices and Gaussians compare two
moments; this compares whole distributions, so that clean strokes (most of a layer silent, little
of it loud) differ from noise of the same energy.

It cannot say where anything is, and sees no shape larger than what one activation sees. Its
directions are drawn once for all pictures, so that figures compare; others would give others.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from nstcli.engine.losses.sliced import directions

_DIRECTIONS = 64
# Values that a distribution is kept by: so many quantiles, whatever the picture's size.
_QUANTILES = 1024
# As in the engine: a style with less than this share of the picture's energy counts as empty.
_FLOOR = 1e-6


def profiles(features: Tensor) -> Tensor:
    """Return the quantiles along all directions: (1, C, H, W) -> (64, 1024), float32."""
    points = features[0].flatten(1).float()
    along = directions(_DIRECTIONS, len(points)).to(points) @ points
    return _quantiles(along.sort(dim=1).values)


def sliced_distance(
    picture: Mapping[str, Tensor], style: Mapping[str, Tensor], layers: Mapping[str, float]
) -> float:
    """Average over layers of two pictures' `profiles`; `layers` gives the relative weights."""
    total = sum(layers.values())
    return sum(
        weight / total * _relative(picture[name].double(), style[name].double())
        for name, weight in layers.items()
    )


def _relative(picture: Tensor, style: Tensor) -> float:
    energy = max(float(style.square().mean()), _FLOOR * float(picture.square().mean()))
    return float((picture - style).square().mean()) / energy if energy else 0.0


def _quantiles(ordered: Tensor) -> Tensor:
    """Read sorted values (K, M) at 1024 even places, between two of them where need be.

    The n-th of M values stands for the quantile (n + ½) / M, so that M = 1024 are themselves.
    """
    count = ordered.shape[1]
    places = (torch.arange(_QUANTILES) + 0.5) * (count / _QUANTILES) - 0.5
    places = places.clamp(0, count - 1).to(ordered.device)
    below = places.long()
    above = (below + 1).clamp(max=count - 1)
    found: Tensor = ordered[:, below].lerp(ordered[:, above], places - below)
    return found
