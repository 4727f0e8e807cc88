"""The picture that the optimization starts from: an input, gray, noise, or one of the user's."""

import torch
from torch import Tensor

from nstcli.engine.pyramid import resized
from nstcli.engine.targets import Content, Style
from nstcli.recipe import OWN_INIT, Recipe


def start(content: Content, style: Style, recipe: Recipe, own: Tensor | None = None) -> Tensor:
    """Return the first picture, of the content image's shape, type and device.

    A share of it may be noise. `own` is the user's picture, (1, 3, H, W), where the recipe starts
    from one, or that of the method that makes one.

    Raises:
        ValueError: the recipe starts from one, and there is none.
    """
    if recipe.init == OWN_INIT or recipe.begun_by:
        if own is None:
            raise ValueError("the recipe starts from a picture that was made before; there is none")
        first = covering(own, content.image)
    else:
        first = STARTS[recipe.init](content.image, style.image, recipe.seed)
    if not recipe.init_noise:
        return first
    return first.lerp(_noise(content.image, style.image, recipe.seed), recipe.init_noise)


def _content(content: Tensor, style: Tensor, seed: int) -> Tensor:
    return content.clone()


def _noise(content: Tensor, style: Tensor, seed: int) -> Tensor:
    """White noise around mid-grey. Drawn on the CPU, so that a seed means the same everywhere."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(content.shape, generator=generator).mul(0.15).add(0.5).clamp(0, 1)
    return noise.to(content)


def _gray(content: Tensor, style: Tensor, seed: int) -> Tensor:
    return torch.full_like(content, 0.5)


def _style(content: Tensor, style: Tensor, seed: int) -> Tensor:
    return covering(style, content)


def covering(image: Tensor, like: Tensor) -> Tensor:
    """Scale an image until it covers the shape of another, and cut out its middle."""
    height, width = like.shape[-2:]
    scale = max(height / image.shape[-2], width / image.shape[-1])
    rows, columns = (round(edge * scale) for edge in image.shape[-2:])
    scaled = resized(image, max(height, rows), max(width, columns))
    top, left = (scaled.shape[-2] - height) // 2, (scaled.shape[-1] - width) // 2
    return scaled[..., top : top + height, left : left + width].contiguous()


STARTS = {"content": _content, "noise": _noise, "gray": _gray, "style": _style}
