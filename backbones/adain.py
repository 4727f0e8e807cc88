"""The decoder of AdaIN (Huang, Belongie 2017): pictures of what VGG-19 sees of them at relu4_1."""

from torch import nn

# (channels, that come out), each a 3×3 convolution; after those of None, pixels are doubled.
_CONVOLUTIONS = (
    *((512, 256), None, (256, 256), (256, 256), (256, 256), (256, 128), None),
    *((128, 128), (128, 64), None, (64, 64), (64, 3)),
)


class Decoder(nn.Sequential):
    """Mirrors VGG-19: nine convolutions, which see the border mirrored, and nearest upsampling.

    Activations (N, 512, h, w) become pictures (N, 3, 8h, 8w), RGB about [0, 1].
    """

    def __init__(self) -> None:
        modules: list[nn.Module] = []
        for each in _CONVOLUTIONS:
            if each is None:
                modules.append(nn.Upsample(scale_factor=2.0, mode="nearest"))
            else:
                modules.append(nn.Conv2d(*each, 3, padding=1, padding_mode="reflect"))
                modules.append(nn.ReLU(inplace=True))
        super().__init__(*modules[:-1])  # colours are no activations
