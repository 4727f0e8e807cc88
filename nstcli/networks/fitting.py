"""What the networks have in common: pictures of any size, and parameters that must fit."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from backbones.hooks import BEYOND
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


def filled(network: AnyModule, tensors: Mapping[str, Tensor], name: str, title: str) -> AnyModule:
    """Give a network its parameters as they are, and freeze it.

    Args:
        network: on the meta device, or anywhere else.
        tensors: by name, all of them and no others.
        name: of the file that they are from, for messages.
        title: what the network is, with its article, for messages.

    Raises:
        InputError: they are others than the network's; it names the layer.
    """
    for problem in _differences(network.state_dict(), tensors, title):
        raise InputError(f"{name}: {problem}")
    found = {key: value.float() for key, value in tensors.items()}
    network.load_state_dict(found, strict=True, assign=True)
    return network.requires_grad_(False)


def _differences(
    wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], title: str
) -> Iterator[str]:
    """Say in which layers parameters are others than a network's."""
    for key, tensor in wanted.items():
        if key not in found:
            yield f"the layer {key} is missing"
        elif found[key].shape != tensor.shape:
            there, here = (" × ".join(map(str, each.shape)) for each in (found[key], tensor))
            yield f"the layer {key} is {there or 'one number'}, and should be {here}"
        elif not found[key].is_floating_point():
            yield f"the layer {key} holds {found[key].dtype}, and should hold floats"
    for key in found:
        if key not in wanted:
            yield f"there is no layer {key} in {title}"
