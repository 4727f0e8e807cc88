"""Notice weights that see other input than they were trained on, by the size of activations."""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from backbones.hooks import FeatureExtractor
from backbones.spec import PREPROCESSINGS

_EDGE = 128
# Activations this many times as small or large as usual have another cause than training: those
# of normalised and of plain VGGs differ by less than 2, wrong preprocessing makes that 30 or 40.
_UNUSUAL = 8


def doubt(extractor: FeatureExtractor) -> str:
    """Say that weights seem to expect another preprocessing; "" where they do not, or who knows.

    Networks that were trained on pixels of 0 to 255 may have activations as much larger. So what
    is not seen is a file for ImageNet's preprocessing that is read with Caffe's, and one of the
    VGGs as Caffe had them, before Gatys et al. normalised theirs, that is read with ImageNet's.
    """
    usual, preprocessing = extractor.backbone.usual_activation, extractor.preprocessing
    if usual is None:
        return ""
    found = typical(extractor)
    if usual / _UNUSUAL <= found <= usual * _UNUSUAL * preprocessing.scale:
        return ""
    others = [name for name, each in PREPROCESSINGS.items() if each != preprocessing]
    return (
        f"its activations are {found:.2g} in the mean, where those of {extractor.backbone.name} "
        f"are about {usual:.2g}: it may expect other input; try --preprocessing "
        f"{' or '.join(others)}"
    )


@torch.no_grad()
def typical(extractor: FeatureExtractor) -> float:
    """Measure the size of a network's activations, at its default style layers together.

    The geometric mean of the layers' mean absolute values, of one drawn picture.
    """
    backbone = extractor.backbone
    image = drawn(max(_EDGE, backbone.minimum_size)).to(extractor.gain.device)
    found = extractor(image, backbone.style_layers)
    logarithms = [math.log(max(x.abs().mean().item(), 1e-30)) for x in found.values()]
    return math.exp(sum(logarithms) / len(logarithms))


def drawn(edge: int) -> Tensor:
    """Draw a picture (1, 3, edge, edge) whose spectrum falls as that of photos does.

    Amplitudes as the inverse of the frequency (Field 1987), octave by octave, colours paler than
    the light is strong.
    """
    generator = torch.Generator().manual_seed(0)
    image = torch.zeros(1, 3, edge, edge)
    cells = 2
    while cells <= edge:
        gray, color = (torch.randn(1, n, cells, cells, generator=generator) for n in (1, 3))
        image += interpolate(gray + color / 2, (edge, edge), mode="bilinear") / math.sqrt(cells)
        cells *= 2
    # The mean and the deviation that photos have.
    return ((image - image.mean()) / image.std() * 0.25 + 0.45).clamp(0, 1)
