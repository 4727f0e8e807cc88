"""The distance between the colours of two pictures, wherever in them these are.

The pixels of each in CIELAB (D65), whose Euclidean distances are about those that people see,
are taken as a Gaussian, and the distance is Fréchet's: with equal spreads it is the distance
between the two average colours, and a just noticeable difference is about 2.3 (Mahy et al. 1994).
Unlike distances of one channel after the other it sees which components go together (blue where
it is dark, yellow where it is light).

It cannot tell what has which colour, nor palettes that share average and spread: half blue and
half yellow is the same to it as all mixtures along the line between.
"""

import torch
from skimage.color import rgb2lab
from torch import Tensor

from nstcli.metrics.frechet import Gaussian, squared_distance


def colors(image: Tensor) -> Gaussian:
    """Return how the pixels of (1, 3, H, W), sRGB in [0, 1], are spread in CIELAB."""
    pixels = image[0].permute(1, 2, 0).cpu().double().numpy()
    return Gaussian.of(torch.from_numpy(rgb2lab(pixels)).flatten(0, 1))


def color_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the distance in units of CIELAB, not squared."""
    return float(squared_distance(a, b) ** 0.5)
