"""Mixtures of networks: those of one collection, which differ in their normalisations alone."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nstcli.errors import InputError


def mixed(networks: Sequence[nn.Module], shares: Sequence[float]) -> nn.Module:
    """Return the network whose normalisations are the weighted mean of those of several.

    Dumoulin, Shlens, Kudlur 2017, section 3.2: between styles that share their convolutions, the
    factors and shifts of the normalisations can be mixed, and pictures change as smoothly.

    Args:
        networks: at least one.
        shares: of each; they sum to 1.

    Raises:
        InputError: they differ in more than that.
    """
    first, *others = networks
    if not others:
        return first
    states = [network.state_dict() for network in networks]
    norms = {
        f"{name}.{part}"
        for name, module in first.named_modules()
        if isinstance(module, nn.InstanceNorm2d)
        for part, _ in module.named_parameters()
    }
    for other, state in zip(others, states[1:], strict=True):
        if type(other) is not type(first):
            raise InputError("networks of different kinds cannot be mixed")
        for name, tensor in states[0].items():
            if name not in norms and not _same(tensor, state.get(name)):
                raise InputError(
                    f"these networks cannot be mixed: they differ in {name}, and mix only where "
                    "nothing but their normalisations differs, as among those of multistyle"
                )
    found = copy.deepcopy(first)
    means = {
        name: torch.stack([s[name] * share for s, share in zip(states, shares, strict=True)]).sum(0)
        for name in norms
    }
    found.load_state_dict({**states[0], **means})
    return found


def _same(one: Tensor, other: Tensor | None) -> bool:
    return other is not None and torch.equal(one, other)
