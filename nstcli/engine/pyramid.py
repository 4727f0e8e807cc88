"""Coarse to fine: the same picture at growing sizes, each starting from the one before.

A layer's receptive field is fixed in pixels, so that brush strokes painted at a small size become
large ones, and most steps cost a fraction of those at full size.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nstcli.recipe import Recipe

# `auto` starts at no less than this longest edge, in pixels: below it, the content is lost.
_COARSEST = 128
# How far a cubic filter reaches, in pixels of the coarser picture.
_REACH = 2


def factors(recipe: Recipe, content: Tensor, style: Tensor, minimum: int) -> list[float]:
    """Return the scales of a pair as factors of its full size, the last one 1.

    Each is half of the next. Content and style shrink by the same factor, which keeps the size of
    strokes relative to the picture; neither goes below the `minimum` edge that a backbone needs.
    Shapes are (…, H, W).
    """
    longest = max(content.shape[-2:])
    shortest = min(*content.shape[-2:], *style.shape[-2:])
    count = 1
    while True:
        factor = 0.5**count
        wanted = longest * factor >= _COARSEST if recipe.scales == "auto" else count < recipe.scales
        if not wanted or round(shortest * factor) < minimum:
            break
        count += 1
    return [0.5**power for power in reversed(range(count))]


def share_steps(steps: int, count: int, finishing: bool = False) -> list[int]:
    """Share out the steps over so many scales, evenly, the remainder to the finest.

    With `finishing`, the last scale is but to finish what was painted: it has a tenth of them.
    """
    if finishing and count > 1:
        last = max(1, min(steps // 10, steps - count + 1))
        return [*share_steps(steps - last, count - 1), last]
    each = steps // count
    return [each] * (count - 1) + [steps - each * (count - 1)]


def shape_at(height: int, width: int, factor: float) -> tuple[int, int]:
    """Return the height and width of a picture that is scaled by a factor."""
    return max(1, round(height * factor)), max(1, round(width * factor))


def shrunk(image: Tensor, factor: float, wraps: bool = False) -> Tensor:
    """Scale (N, 3, H, W) down by a factor; at factor 1 it is the same tensor. See `resized`."""
    if factor == 1:
        return image
    height, width = shape_at(image.shape[-2], image.shape[-1], factor)
    return resized(image, height, width, wraps)


def resized(image: Tensor, height: int, width: int, wraps: bool = False) -> Tensor:
    """Resample (N, 3, H, W) with a cubic filter that does not alias, within [0, 1].

    Beyond a border there is more of the border's pixels or, if it `wraps`, of those opposite.
    """
    wanted = {2: height, 3: width}
    margins = dict.fromkeys(wanted, 0)
    for dim, edge in wanted.items() if wraps else ():
        there = image.shape[dim]
        # As few lines as come out whole, and are more than the filter reaches.
        unit = there // math.gcd(there, edge)
        more = unit * math.ceil(_REACH * max(1, there / edge) / unit)
        around = torch.arange(-more, there + more, device=image.device) % there
        image, margins[dim] = image.index_select(dim, around), more * edge // there
    size = [edge + 2 * margins[dim] for dim, edge in wanted.items()]
    found = interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)
    for dim, edge in wanted.items():
        found = found.narrow(dim, margins[dim], edge)
    return found.contiguous()
