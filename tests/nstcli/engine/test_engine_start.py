"""The first picture: a copy, noise of a seed, or the style cut to shape."""

import pytest
import torch
from torch import Tensor

from nstcli.engine.init import STARTS, start
from nstcli.engine.targets import Artwork, Content, Style
from tests.nstcli.engine.scene import picture, recipe


def both(content: Tensor, style: Tensor) -> tuple[Content, Style]:
    return Content(content, {}), Style((Artwork(style),), {}, {})


def ramps(height: int, width: int) -> Tensor:
    """A picture that tells of each pixel where it was: column in red, row in green."""
    longest = max(height, width)
    image = torch.full((1, 3, height, width), 0.5)
    image[:, 0] = (torch.arange(width) + 0.5) / longest
    image[:, 1] = ((torch.arange(height) + 0.5) / longest)[:, None]
    return image


@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("shape", [(24, 32), (32, 24), (9, 31)])
def test_every_start_has_the_shape_and_range_of_a_picture(
    init: str, shape: tuple[int, int]
) -> None:
    content, style = picture(*shape), picture(20, 30, seed=1)
    before = content.clone(), style.clone()
    image = start(*both(content, style), recipe(init=init))
    assert image.shape == content.shape
    assert image.is_contiguous()
    assert image.min() >= 0
    assert image.max() <= 1
    image.zero_()  # is nobody else's memory
    assert torch.equal(content, before[0])
    assert torch.equal(style, before[1])


def test_content_is_the_content() -> None:
    content = picture()
    assert torch.equal(start(*both(content, picture(seed=1)), recipe(init="content")), content)


def test_noise_is_that_of_its_seed() -> None:
    images = both(picture(24, 32), picture(seed=1))
    torch.manual_seed(1)
    first = start(*images, recipe(init="noise", seed=5))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = start(*images, recipe(init="noise", seed=5))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, start(*images, recipe(init="noise", seed=6)))
    assert start(*images, recipe(init="noise", seed=2**63 - 1)).std() > 0
    assert first.mean().item() == pytest.approx(0.5, abs=0.02)
    assert first.std().item() == pytest.approx(0.15, abs=0.02)


def test_gray_is_the_middle() -> None:
    gray = start(*both(picture(), picture(seed=1)), recipe(init="gray"))
    assert torch.equal(gray, torch.full_like(gray, 0.5))


@pytest.mark.parametrize("init", ["content", "gray", "file"])
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_noise_is_mixed_into_a_start_by_its_share(init: str, share: float) -> None:
    images, own = both(picture(24, 32), picture(seed=1)), picture(24, 32, seed=2)
    pure = start(*images, recipe(init=init), own)
    noise = start(*images, recipe(init="noise", seed=5))
    found = start(*images, recipe(init=init, init_noise=share, seed=5), own)
    torch.testing.assert_close(found, (1 - share) * pure + share * noise)
    assert not torch.equal(found, start(*images, recipe(init=init, init_noise=share), own))


def slope(values: Tensor) -> float:
    """Mean change per pixel, away from the borders that the filter's edge bends."""
    inner = values[2:-2]
    return (inner[-1] - inner[0]).item() / (len(inner) - 1)


SHAPES = [(48, 64), (64, 48), (40, 40), (30, 90), (90, 30)]


@pytest.mark.parametrize("content_shape", SHAPES)
@pytest.mark.parametrize("style_shape", [*SHAPES, (400, 300), (20, 30)])
def test_style_covers_without_squashing(
    content_shape: tuple[int, int], style_shape: tuple[int, int]
) -> None:
    content, style = torch.zeros(1, 3, *content_shape), ramps(*style_shape)
    image = start(*both(content, style), recipe(init="style"))
    assert image.shape == content.shape
    (height, width), longest = content_shape, max(style_shape)
    along_x = slope(image[0, 0, height // 2])
    along_y = slope(image[0, 1, :, width // 2])
    # One pixel of the picture is 1/scale pixels of the style, in both directions.
    scale = max(height / style_shape[0], width / style_shape[1])
    assert along_x == pytest.approx(1 / scale / longest, rel=0.05)
    assert along_y == pytest.approx(1 / scale / longest, rel=0.05)
    # The middle of the picture is the middle of the style, to about one of its pixels.
    middle = image[0, :2, 2:-2, 2:-2].mean(dim=(1, 2)) * longest
    assert middle[0].item() == pytest.approx(style_shape[1] / 2, abs=max(1, 1 / scale))
    assert middle[1].item() == pytest.approx(style_shape[0] / 2, abs=max(1, 1 / scale))


def test_style_of_the_same_shape_is_taken_as_it_is() -> None:
    style = picture(seed=1)
    image = start(*both(picture(), style), recipe(init="style"))
    torch.testing.assert_close(image, style, atol=1e-5, rtol=0)


def test_overshoot_of_the_filter_is_cut_off() -> None:
    checks = (torch.arange(20)[:, None] + torch.arange(20)).fmod(2).expand(1, 3, 20, 20).float()
    image = start(*both(torch.zeros(1, 3, 50, 70), checks), recipe(init="style"))
    assert image.min() == 0
    assert image.max() == 1


@pytest.mark.parametrize("shape", [(24, 32), (12, 40), (90, 90)])
def test_a_picture_of_ones_own_covers_the_content(shape: tuple[int, int]) -> None:
    """One that has the content's shape is taken as it is; of others, it is the middle."""
    own = ramps(*shape)
    image = start(*both(picture(24, 32), picture(seed=1)), recipe(init="some.png"), own)
    assert image.shape == (1, 3, 24, 32)
    if shape == (24, 32):
        assert torch.equal(image, own)
    middle = image[0, :2, 11:13, 15:17].mean((1, 2))
    assert torch.allclose(middle, own[0, :2].mean((1, 2)), atol=0.02)


def test_a_recipe_that_starts_from_a_picture_needs_one() -> None:
    with pytest.raises(ValueError, match="that was made before; there is none"):
        start(*both(picture(), picture(seed=1)), recipe(init="some.png"))
