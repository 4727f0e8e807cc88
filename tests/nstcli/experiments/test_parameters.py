from itertools import pairwise

import backbones
from nstcli.experiments.parameters import parameters_used
from tests.tiny import TINY


def test_those_of_modules_up_to_the_deepest_layer() -> None:
    first, second, third = (3 * 8 * 9 + 8), (8 * 12 * 9 + 12), (12 * 16 * 9 + 16)
    assert parameters_used(TINY, ["relu1"]) == first
    assert parameters_used(TINY, ["pool2", "relu1"]) == first + second
    assert parameters_used(TINY, ["relu1", "relu3"]) == first + second + third


def test_vgg16_without_what_lies_beyond_its_layers() -> None:
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512]
    convolutions = pairwise(channels)
    expected = sum(before * after * 9 + after for before, after in convolutions)
    backbone = backbones.get("vgg16")
    assert parameters_used(backbone, [*backbone.content_layers, *backbone.style_layers]) == expected


def test_folded_normalisations_have_none() -> None:
    backbone = backbones.get("mobilenet")
    # The stem is a convolution of 3 × 3 × 3 × 32, whose normalisation became its bias.
    assert parameters_used(backbone, ["stem"]) == 3 * 9 * 32 + 32
