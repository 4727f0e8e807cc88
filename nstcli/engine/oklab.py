"""Oklab, a space of colours as people see them, and how a colour that no screen has is paled.

Björn Ottosson, "A perceptual color space for image processing" (2020), whose matrices these are.
L is lightness from 0 (black) to 1 (white), the same for every gray as that of its level; a and b
are 0 for grays, their direction is the hue and their length the chroma.

Of three spaces that were looked at, it is the one in which a colour keeps its hue as it is made
lighter or darker: in CIELAB, blue turns violet. YIQ, which most scripts take, is not perceptual:
with a photo's chroma, CIE's L* of a picture moved by up to 21, in Oklab by up to 4.
"""

import torch
from torch import Tensor

# sRGB with linear light -> responses of the three cones, and their cube roots -> L, a, b.
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
# Halvings of the way from gray to a colour: finer than a level of 16 bits.
_HALVINGS = 17
# How far beyond black and white rounding may take a colour that a screen has.
_ROUNDING = 1e-5


def of_srgb(image: Tensor) -> Tensor:
    """Convert (…, 3, H, W), sRGB in [0, 1], to L, a, b of the same shape."""
    dark = image / 12.92
    light = ((image.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    linear = torch.where(image <= 0.04045, dark, light)
    cones = _product(_CONES, linear)
    return _product(_LAB, cones.sign() * cones.abs() ** (1 / 3))


def to_srgb(lab: Tensor) -> Tensor:
    """Convert L, a, b, (…, 3, H, W), to sRGB, which is outside of [0, 1] where no screen has it."""
    linear = _product(_inverse(_CONES), _product(_inverse(_LAB), lab) ** 3)
    light = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, light)


def paled(lab: Tensor) -> Tensor:
    """Take chroma from what no screen has, as little as will do; lightness and hue stay.

    To cut off channels instead would change all three. L has to be in [0, 1].
    """
    bounds = -_ROUNDING, 1 + _ROUNDING
    lightness, chroma = lab[..., :1, :, :], lab[..., 1:, :, :]
    least, most = torch.zeros_like(lightness), torch.ones_like(lightness)
    share = most
    for _ in range(_HALVINGS):
        tried = to_srgb(torch.cat([lightness, share * chroma], -3))
        inside = ((tried >= bounds[0]) & (tried <= bounds[1])).all(-3, keepdim=True)
        least, most = torch.where(inside, share, least), torch.where(inside, most, share)
        share = (least + most) / 2
    return torch.cat([lightness, least * chroma], -3)


def _product(matrix: tuple[tuple[float, ...], ...], x: Tensor) -> Tensor:
    return torch.einsum("ij,...jhw->...ihw", torch.tensor(matrix).to(x), x)


def _inverse(matrix: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    rows: list[list[float]] = torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64)).tolist()
    return tuple(map(tuple, rows))
