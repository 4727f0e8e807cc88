"""The kinds of networks that paint in one pass, a row each; torch is imported to build one."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nstcli.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes:
        title: what it is, with its article.
        method: what paints with it (`--method`).
        mark: a parameter that all of its kind have, and none of another.
        build: makes one of its parameters by name, of the name of their file, and of its `levels`
            (see `TransformationNetwork`); raises InputError where they do not fit.
    """

    title: str
    method: str
    mark: str
    build: Callable[[Mapping[str, Tensor], str, float], nn.Module]


def _transformation(tensors: Mapping[str, Tensor], name: str, levels: float) -> nn.Module:
    from nstcli.networks.transformation import TransformationNetwork

    return TransformationNetwork.of(tensors, name, levels)


def _multistyle(tensors: Mapping[str, Tensor], name: str, levels: float) -> nn.Module:
    from nstcli.networks.multistyle import MultiStyleNetwork

    return MultiStyleNetwork.of(tensors, name)


def _cyclegan(tensors: Mapping[str, Tensor], name: str, levels: float) -> nn.Module:
    from nstcli.networks.cyclegan import ResnetGenerator

    return ResnetGenerator.of(tensors, name)


KINDS: Mapping[str, Kind] = {
    "transformation": Kind(
        "a transformation network", "network", "conv1.conv2d.weight", _transformation
    ),
    "multistyle": Kind(
        "a style of a multi-style network", "network", "contract.0.conv.weight", _multistyle
    ),
    "cyclegan": Kind("a CycleGAN generator", "cyclegan", "model.1.weight", _cyclegan),
}


def kind_of(names: Container[str], file: str) -> str:
    """Return the kind of network that has parameters of these names.

    Raises:
        InputError: none has; it names the file.
    """
    for name, kind in KINDS.items():
        if kind.mark in names:
            return name
    marks = ", ".join(f"{kind.title} ({kind.mark})" for kind in KINDS.values())
    raise InputError(f"{file}: it holds no network that is known, which would be {marks}")
