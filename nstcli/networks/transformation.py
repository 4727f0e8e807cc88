"""The transformation network: trained once for a style, it paints any photo in one pass.

Johnson, Alahi, Fei-Fei 2016 ("Perceptual Losses for Real-Time Style Transfer"): two strided
convolutions, residual blocks, and back to full size. What is done otherwise since: instance
normalisation in place of that over a batch (Ulyanov et al. 2016), reflection at borders in place of
zeros, and nearest upsampling with a convolution in place of a transposed one, which leaves
checkerboards (Odena et al. 2016). So it is in PyTorch's examples, and with 32 channels, layers and
names are those of the checkpoints that were published for them.
"""

import re
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from nstcli.errors import InputError
from nstcli.networks.fitting import filled, mirrored


class TransformationNetwork(nn.Module):
    """A picture in, the same picture as a painting out: (N, 3, H, W) -> (N, 3, H, W).

    Pictures are RGB in [0, 1], in and out, of any size. Nothing holds what comes out to that range,
    which would take the gradient away: whoever wants pixels clamps them.

    Args:
        width: channels of the first convolution; those between the strided ones have two and four
            times as many. 32 is the papers'; time and memory go with its square.
        residuals: blocks at a quarter of the size.
        levels: what white is inside: 1 for networks trained here, 255 for those of PyTorch's
            examples, whose pixels go from 0 to 255.
    """

    def __init__(self, width: int = 32, residuals: int = 5, levels: float = 1.0):
        super().__init__()
        self.width, self.residuals, self.levels = width, residuals, levels
        self.conv1, self.in1 = _Convolution(3, width, 9), _normalisation(width)
        self.conv2, self.in2 = _Convolution(width, 2 * width, 3, 2), _normalisation(2 * width)
        self.conv3, self.in3 = _Convolution(2 * width, 4 * width, 3, 2), _normalisation(4 * width)
        for number in range(1, residuals + 1):
            self.add_module(f"res{number}", _Residual(4 * width))
        self.deconv1, self.in4 = _Convolution(4 * width, 2 * width, 3), _normalisation(2 * width)
        self.deconv2, self.in5 = _Convolution(2 * width, width, 3), _normalisation(width)
        self.deconv3 = _Convolution(width, 3, 9)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], name: str, levels: float = 1.0) -> Self:
        """Build the network that has these parameters; their shapes tell its width and its blocks.

        Args:
            tensors: by name, all of them and no others.
            name: of the file that they are from, for messages.
            levels: see the class.

        Raises:
            InputError: they are those of no such network; it names the layer.
        """
        first = tensors.get("conv1.conv2d.weight")
        if first is None or first.ndim != 4:
            raise InputError(
                f"{name}: it holds no transformation network, which has a layer "
                "conv1.conv2d.weight of four dimensions"
            )
        blocks = {found[1] for key in tensors if (found := re.match(r"res(\d+)\.", key))}
        with torch.device("meta"):  # no time and memory for values to be thrown away
            network = cls(len(first), len(blocks), levels)
        return filled(network, tensors, name)

    def forward(self, image: Tensor) -> Tensor:
        """Paint pictures of one size; see the class."""
        height, width = image.shape[-2:]
        x = mirrored(image) * self.levels
        x = relu(self.in1(self.conv1(x)))
        x = relu(self.in2(self.conv2(x)))
        x = relu(self.in3(self.conv3(x)))
        for number in range(1, self.residuals + 1):
            x = self.get_submodule(f"res{number}")(x)
        x = relu(self.in4(self.deconv1(_twice(x))))
        x = relu(self.in5(self.deconv2(_twice(x))))
        painted: Tensor = self.deconv3(x)[..., :height, :width] / self.levels
        return painted


class _Convolution(nn.Module):
    """A convolution whose input goes on beyond its border as in a mirror."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.reflection_pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv2d(self.reflection_pad(x))
        return result


class _Residual(nn.Module):
    """Two convolutions whose result is added to what they were given (He et al. 2015).

    No ReLU comes after the sum (Gross, Wilber 2016), as Johnson et al. have it.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv1, self.in1 = _Convolution(channels, channels, 3), _normalisation(channels)
        self.conv2, self.in2 = _Convolution(channels, channels, 3), _normalisation(channels)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.in2(self.conv2(relu(self.in1(self.conv1(x)))))
        return result


def _normalisation(channels: int) -> nn.InstanceNorm2d:
    """Give every map of every picture its own mean and deviation, both learnt."""
    return nn.InstanceNorm2d(channels, affine=True)


def _twice(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="nearest")
