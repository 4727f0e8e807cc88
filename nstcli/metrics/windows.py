"""The local style error: whether every place looks like some place of the artwork.

Statistics of a whole picture are right as well where half of it is overdone and half of it is bare.
So pictures are compared window by window: 48 px wide, half overlapping, each with the mean and
the standard deviation of every channel (those of Huang, Belongie 2017, who restyle by them). Each
window of the picture is held against the window of the artwork that is nearest to it:

    local style error = mean over windows i of min over j of ‖w_i − v_j‖² / mean over j of ‖v_j‖²,

with w = (μ, σ) of a picture's and v of the artwork's windows at one layer, averaged over layers:
0 when every window is one of the artwork's, at most 1 when nothing is there.

It cannot say whether *all* of the artwork was used: a picture of one of its corners repeated has 0.
Nor does it know which window should have been taken for which thing, or what is larger than one.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

# Edge of a window in pixels: some strokes, and little enough to tell places apart.
_EDGE = 48
# As in the engine: a style with less than this share of the picture's energy counts as empty.
_FLOOR = 1e-6
# Windows that are compared at once with all of the artwork's.
_AT_ONCE = 256


def windows(features: Tensor, stride: int) -> Tensor:
    """Describe all windows: (1, C, H, W) -> (windows, 2·C), float64 on the CPU.

    `stride` is the layer's, in pixels. What is smaller than a window is one.
    """
    features = features.float()
    edge = max(1, round(_EDGE / stride))
    height, width = (min(edge, size) for size in features.shape[2:])
    size, step = (height, width), (max(1, height // 2), max(1, width // 2))
    mean = avg_pool2d(features, size, step)
    # Of centred values, since the difference of two large squares would lose the digits.
    centre = features.mean((2, 3), keepdim=True)
    square = avg_pool2d((features - centre).square(), size, step)
    deviation = (square - (mean - centre).square()).clamp(min=0).sqrt()
    return torch.cat([mean, deviation], dim=1)[0].flatten(1).mT.cpu().double()


def local_distance(
    picture: Mapping[str, Tensor], style: Mapping[str, Tensor], layers: Mapping[str, float]
) -> float:
    """Average over layers of two pictures' `windows`; `layers` gives the relative weights."""
    total = sum(layers.values())
    return sum(
        weight / total * _relative(picture[name], style[name]) for name, weight in layers.items()
    )


def _relative(picture: Tensor, style: Tensor) -> float:
    usual, own = (float(x.square().sum(1).mean()) for x in (style, picture))
    energy = max(usual, _FLOOR * own)
    parts = torch.split(picture, _AT_ONCE)
    nearest = torch.cat([torch.cdist(part, style).amin(1) for part in parts])
    return float(nearest.square().mean()) / energy if energy else 0.0
