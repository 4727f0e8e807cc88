"""The distance of colours, in CIELAB's units."""

import pytest
import torch
from skimage.color import rgb2lab
from torch import Tensor

from nstcli.metrics.color import color_distance, colors
from tests.nstcli.engine.scene import picture


def plain(*rgb: float) -> Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, 6, 8)


def distance(a: Tensor, b: Tensor) -> float:
    return color_distance(colors(a), colors(b))


def test_plain_colors_differ_by_delta_e() -> None:
    assert distance(plain(0, 0, 0), plain(1, 1, 1)) == pytest.approx(100, abs=1e-3)
    red, blue = (rgb2lab([[rgb]])[0, 0] for rgb in ((1.0, 0, 0), (0, 0, 1.0)))
    expected = ((red - blue) ** 2).sum() ** 0.5
    assert distance(plain(1, 0, 0), plain(0, 0, 1)) == pytest.approx(expected)


def test_channels_are_red_green_blue() -> None:
    lightness, green_red, blue_yellow = colors(plain(1, 0, 0)).mean.tolist()
    assert (lightness, green_red, blue_yellow) == pytest.approx((53.24, 80.09, 67.20), abs=0.02)


def test_where_a_color_is_does_not_matter() -> None:
    image = picture()
    shuffled = image.flatten(2)[..., torch.randperm(24 * 32)].view(1, 3, 32, 24)
    assert distance(image, shuffled) == pytest.approx(0, abs=1e-4)
    assert distance(image, image.repeat(1, 1, 2, 3)) == pytest.approx(0, abs=1e-4)


def test_which_components_go_together_does_matter() -> None:
    """The same values in every channel, differently combined: a sum over channels sees nothing."""
    light = torch.tensor([0.2, 0.2, 0.8, 0.8]).view(1, 1, 2, 2)
    other = torch.tensor([0.2, 0.8, 0.2, 0.8]).view(1, 1, 2, 2)
    together = torch.cat([light, light, light], 1)
    apart = torch.cat([light, light, other], 1)
    assert distance(together, apart) > 10


def test_a_tint_grows() -> None:
    image = picture()
    tinted = [
        distance(image, (1 - x) * image + x * plain(1, 0.5, 0)[..., :1, :1])
        for x in (0.1, 0.3, 0.6)
    ]
    assert 0 < tinted[0] < tinted[1] < tinted[2]
    assert distance(picture(seed=1), image) == pytest.approx(distance(image, picture(seed=1)))
