"""What the networks have in common: pictures of any size, and parameters that must fit."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from backbones import BackboneError
from backbones.hooks import BEYOND
from backbones.weights import convert
from nstcli.errors import InputError

# Each has two strided convolutions: the edges that go through it are multiples of this.
_STRIDE = 4
# What reflection in the residual blocks needs, at a quarter of the size: two positions.
_LEAST_EDGE = 8

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def mirrored(image: Tensor) -> Tensor:
    """Let edges go on as in a mirror until a network can halve them twice, however short they are.

    What comes out is cut to the picture's own size again. Without that, the published layouts would
    answer with up to three pixels more than they were given.
    """
    for dim in (2, 3):
        edge = image.shape[dim]
        wanted = max(_LEAST_EDGE, -(-edge // _STRIDE) * _STRIDE)
        if wanted != edge:
            places = [BEYOND["reflect"](place, edge) for place in range(wanted)]
            image = image.index_select(dim, torch.tensor(places, device=image.device))
    return image


def filled(network: AnyModule, tensors: Mapping[str, Tensor], name: str) -> AnyModule:
    """Give a network its parameters, and freeze it.

    Args:
        network: on the meta device, or anywhere else.
        tensors: by name, all of them and no others.
        name: of the file that they are from, for messages.

    Raises:
        InputError: they are others than the network's, or no numbers; it names the layer.
    """
    try:
        found = convert.fit(tensors, network.state_dict())
    except BackboneError as error:
        raise InputError(f"{name}: {error}") from error
    network.load_state_dict(found, strict=True, assign=True)
    return network.requires_grad_(False)
