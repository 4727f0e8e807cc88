"""Methods with the tiny backbone and companions of random weights, in place of their own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from backbones import Backbone, WeightSet, weights
from backbones.hooks import FeatureExtractor
from backbones.spec import Companion
from nstcli.engine.methods import adain
from nstcli.methods import METHODS
from nstcli.networks.cyclegan import ResnetGenerator
from nstcli.networks.transformation import TransformationNetwork
from nstcli.run.worker import Worker


def of_small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every method be of small networks, for which nothing is downloaded."""
    monkeypatch.setattr(
        weights, "COMPANIONS", [replace(c, build=_build) for c in weights.COMPANIONS]
    )
    monkeypatch.setattr(Worker, "_companion", _companion)
    monkeypatch.setattr("nstcli.run.make.fetch", lambda *_: None)
    for name, value in (("_LAYER", "relu3"), ("_STRIDE", 4), ("_CHANNELS", 16), ("_TILE", 64)):
        monkeypatch.setattr(adain, name, value)
    for name, row in METHODS.items():
        if row.backbone:
            monkeypatch.setitem(METHODS, name, replace(row, backbone="tiny"))  # type: ignore[arg-type]


def write_style(method: str, write_picture: Callable[..., Path], name: str, seed: int) -> Path:
    """Write a style of a method: an artwork, or a network of its kind; those of one kind mix."""
    path = write_picture(f"{name}.png", 20, 28, seed=seed)
    if not METHODS[method].networks:
        return path
    torch.manual_seed(0)
    network = _GENERATORS[method]()
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.weight.data *= 1 + 0.1 * seed
    torch.save(network.state_dict(), path.with_suffix(".pth"))
    return path.with_suffix(".pth")


_GENERATORS: Mapping[str, Callable[[], nn.Module]] = {
    "network": partial(TransformationNetwork, 2, 1),
    "cyclegan": partial(ResnetGenerator, 2, 1, affine=True),
}


def _build() -> nn.Module:
    layers = nn.Conv2d(16, 3, 3, padding=1, padding_mode="reflect"), nn.Upsample(scale_factor=4)
    return nn.Sequential(*layers)


def _companion(worker: Worker, network: Companion | Backbone, chosen: WeightSet) -> nn.Module:
    if isinstance(network, Backbone):
        return FeatureExtractor.load(network, chosen)
    torch.manual_seed(0)
    return network.build().requires_grad_(requires_grad=False)
