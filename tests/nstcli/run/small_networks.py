"""Methods with the tiny backbone and companions of random weights, in place of their own."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from backbones import weights
from backbones.spec import Companion
from nstcli.engine.methods import adain
from nstcli.methods import METHODS
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


def _build() -> nn.Module:
    layers = nn.Conv2d(16, 3, 3, padding=1, padding_mode="reflect"), nn.Upsample(scale_factor=4)
    return nn.Sequential(*layers)


def _companion(worker: Worker, network: Companion, chosen: object) -> nn.Module:
    torch.manual_seed(0)
    return network.build().requires_grad_(requires_grad=False)
