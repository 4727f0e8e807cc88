"""SSIM, the structural similarity of two pictures (Wang et al. 2004), on their luminance.

It compares average, contrast and course of the luminance in small windows. So it says whether
edges are still where they were and as strong. It does not see colour, knows nothing of what is in
the picture, and takes a texture that moved by a pixel for another one.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

# Rec. 709's, since sRGB has its primaries: how bright red, green and blue are. Applied to the
# encoded values, whose steps look alike everywhere, as is usual for SSIM. Rec. 601's weights
# (0.299, 0.587, 0.114), made for the primaries of old television sets, give other figures: keep
# that in mind with those of papers.
_LUMINANCE = (0.2126, 0.7152, 0.0722)

# The window of the paper: a Gaussian of this deviation, cut off at this radius.
_SIGMA = 1.5
_RADIUS = 5

# Pixels on the shorter edge for a window of at least a pixel around its centre.
MINIMUM_SIZE = 3


def luminance(image: Tensor) -> NDArray[np.float64]:
    """(1, 3, H, W), RGB in [0, 1] -> (H, W) in [0, 1]."""
    pixels: NDArray[np.float64] = image[0].permute(1, 2, 0).cpu().double().numpy()
    return np.asarray(pixels @ np.array(_LUMINANCE))


def ssim(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Compare two luminances (H, W): 1 when equal, 0 when unrelated, down to −1 when inverted.

    Pictures of less than eleven pixels get a window that fits into them.

    Raises:
        ValueError: an edge is below 3 pixels, or the shapes differ.
    """
    radius = min(_RADIUS, (min(a.shape) - 1) // 2)
    if radius < 1:
        raise ValueError(f"SSIM needs at least {MINIMUM_SIZE} px on the shorter edge: {a.shape}")
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            a,
            b,
            data_range=1.0,
            gaussian_weights=True,
            # scikit-image finds the radius from sigma: 5 for the paper's, and so down to 1.
            sigma=_SIGMA * radius / _RADIUS,
            use_sample_covariance=False,  # as in the paper
        )
    )
