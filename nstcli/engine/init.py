"""The picture that the optimization starts from: content, noise or style."""

import torch
from torch import Tensor

from nstcli.engine.pyramid import resized
from nstcli.engine.targets import Content, Style
from nstcli.recipe import Recipe


def start(content: Content, style: Style, recipe: Recipe) -> Tensor:
    """Return the first picture, with the shape and on the device of the content image."""
    return STARTS[recipe.init](content.image, style.image, recipe.seed)


def _content(content: Tensor, style: Tensor, seed: int) -> Tensor:
    return content.clone()


def _noise(content: Tensor, style: Tensor, seed: int) -> Tensor:
    """White noise around mid-grey. Drawn on the CPU, so that a seed means the same everywhere."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(content.shape, generator=generator).mul(0.15).add(0.5).clamp(0, 1)
    return noise.to(content.device)


def _style(content: Tensor, style: Tensor, seed: int) -> Tensor:
    """Scale the style image until it covers the content's shape, and cut out its middle."""
    height, width = content.shape[-2:]
    scale = max(height / style.shape[-2], width / style.shape[-1])
    rows, columns = (round(edge * scale) for edge in style.shape[-2:])
    covering = resized(style, max(height, rows), max(width, columns))
    top, left = (covering.shape[-2] - height) // 2, (covering.shape[-1] - width) // 2
    return covering[..., top : top + height, left : left + width].contiguous()


STARTS = {"content": _content, "noise": _noise, "style": _style}
