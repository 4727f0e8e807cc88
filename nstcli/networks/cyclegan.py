"""The generator of CycleGAN (Zhu, Park, Isola, Efros 2017) in the layout of its authors' code.

Two strided convolutions, residual blocks, and two transposed convolutions back to full size, each
normalised per picture. Its checkpoints name the layers by their places, `model.10.conv_block.1`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from nstcli.errors import InputError
from nstcli.networks.fitting import filled, mirrored

_BLOCK = re.compile(r"model\.(\d+)\.conv_block\.")


class ResnetGenerator(nn.Module):
    """A photo in, a picture of the other kind out: (N, 3, H, W) -> (N, 3, H, W).

    Pictures are RGB in [0, 1], in and out, of any size; inside, as in the authors' code, they are
    in [-1, 1].

    Args:
        width: channels of the first convolution; 64 is the authors'.
        blocks: residual ones at a quarter of the size: 9 for training pictures of 256 pixels and
            more, 6 for those of 128.
        affine: whether the normalisations have factors and shifts, which the authors' have not.
    """

    def __init__(self, width: int = 64, blocks: int = 9, *, affine: bool = False):
        super().__init__()

        def normalised(channels: int) -> Iterator[nn.Module]:
            yield from (nn.InstanceNorm2d(channels, affine=affine), nn.ReLU())

        layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), *normalised(width)]
        for channels in (width, 2 * width):
            layers += [nn.Conv2d(channels, 2 * channels, 3, 2, 1), *normalised(2 * channels)]
        layers += [_Residual(4 * width, affine) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            half = channels // 2
            layers += [nn.ConvTranspose2d(channels, half, 3, 2, 1, 1), *normalised(half)]
        self.model = nn.Sequential(
            *layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()
        )

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], name: str) -> Self:
        """Build the generator that has these parameters; they tell its width and its blocks.

        Args:
            tensors: by name, all of them and no others. The blocks may be called `block`, too, and
                have places for dropout, which does nothing any more.
            name: of the file that they are from, for messages.

        Raises:
            InputError: they are those of no such generator; it names the layer.
        """
        tensors = _renamed(tensors)
        first = tensors.get("model.1.weight")
        if first is None or first.ndim != 4:
            raise InputError(
                f"{name}: it holds no CycleGAN generator, which has a layer model.1.weight of "
                "four dimensions"
            )
        if "model.1.bias" not in tensors:
            raise InputError(
                f"{name}: this generator was trained with batch normalisation, which is not read "
                "here; those with instance normalisation are"
            )
        blocks = {found[1] for key in tensors if (found := _BLOCK.match(key))}
        with torch.device("meta"):  # no time and memory for values to be thrown away
            generator = cls(len(first), len(blocks), affine="model.2.weight" in tensors)
        return filled(generator, tensors, name)

    def forward(self, image: Tensor) -> Tensor:
        """Translate pictures of one size; see the class."""
        height, width = image.shape[-2:]
        made: Tensor = self.model(mirrored(image) * 2 - 1)[..., :height, :width]
        return (made + 1) / 2


class _Residual(nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, channels: int, affine: bool):
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.ReflectionPad2d(1),
                nn.Conv2d(channels, channels, 3),
                nn.InstanceNorm2d(channels, affine=affine),
                nn.ReLU(),
            ]
        self.conv_block = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.conv_block(x)
        return found


def _renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give parameters the names that they have here.

    Some call the blocks `block`. And dropout, where a generator was trained with it, stands before
    a block's second convolution, which is one place further on then.
    """
    found = {key.replace(".block.", ".conv_block."): value for key, value in tensors.items()}
    if not any(".conv_block.5." in key for key in found):
        for old, new in (("6", "5"), ("7", "6")):
            found = {
                key.replace(f".conv_block.{old}.", f".conv_block.{new}."): value
                for key, value in found.items()
            }
    return found
