"""Count the parameters of a network down to the deepest layer that is used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from backbones import Backbone
from backbones.hooks import FeatureExtractor
from backbones.spec import IMAGENET


def parameters_used(backbone: Backbone, layers: Iterable[str]) -> int:
    """Count the parameters of every module that runs on the way to `layers`.

    They are counted as the network runs: where its `simplify` folds normalisations into
    convolutions, folded. No weights are needed and nothing is computed, since all tensors are on
    torch's meta device, which knows shapes alone.

    Raises:
        BackboneError: an unknown layer.
    """
    with torch.device("meta"):
        # Any preprocessing will do: it has no parameters.
        extractor = FeatureExtractor(backbone, backbone.build(), IMAGENET)
        image = torch.zeros(1, 3, backbone.minimum_size, backbone.minimum_size)
    extractor.to("meta")  # what a constructor made elsewhere, or a simplification
    used: dict[int, int] = {}

    def count(module: nn.Module, inputs: Any) -> None:
        for parameter in module.parameters(recurse=False):
            used[id(parameter)] = parameter.numel()

    hooks = [module.register_forward_pre_hook(count) for module in extractor.network.modules()]
    try:
        extractor(image, list(layers))
    finally:
        for hook in hooks:
            hook.remove()
    return sum(used.values())
