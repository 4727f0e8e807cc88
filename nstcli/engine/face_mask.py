"""Where a picture's faces are, softly, and what terms weigh there for a face to stay."""

from collections.abc import Iterable

import torch
from torch import Tensor

from nstcli.faces import Face

# Radii of an ellipse, in halves of a face's box: up to the first, a place is all face, from the
# second on it is none. A box goes from brow to chin; hair and ears are painted.
_INNER, _OUTER = 1.0, 1.7
# Half an edge of a box has at least so many pixels: less, no layer would see.
_LEAST = 4.0
# At a strength of 1: how many times more the content counts in a face, and the share of the style
# that it is spared. Of a portrait at 256 px in two styles, VGG-19 left scars across the face with 2
# and 0.5, and with these one that a friend would know, in the artwork's tint. SqueezeNet, whose
# content layer is shallower, needs half of it.
_CONTENT, _STYLE = 4.0, 0.75


def face_mask(faces: Iterable[Face], height: int, width: int) -> Tensor:
    """Draw faces as ellipses with soft edges: (1, 1, H, W), from 0 to 1 where a face is.

    Args:
        faces: in pixels of a picture of this size; what of them is outside does not count.
        height: rows of the picture.
        width: pixels in a row.
    """
    y, x = (torch.arange(edge, dtype=torch.float32) + 0.5 for edge in (height, width))
    mask = torch.zeros(height, width)
    for face in faces:
        left, top, right, bottom = face.box
        across = (x - (left + right) / 2) / max(_LEAST, (right - left) / 2)
        down = (y - (top + bottom) / 2) / max(_LEAST, (bottom - top) / 2)
        radius = (across.square() + down.square()[:, None]).sqrt()
        share = ((_OUTER - radius) / (_OUTER - _INNER)).clamp(0, 1)
        mask = mask.maximum(share * share * (3 - 2 * share))
    return mask[None, None]


def kept(mask: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Return how much the content and the style count at every pixel, (1, 1, H, W) each.

    A strength of 0 changes nothing.
    """
    return 1 + _CONTENT * strength * mask, (1 - _STYLE * strength * mask).clamp(min=0)
