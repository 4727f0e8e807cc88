"""A backbone of three small convolutions with random weights, for tests that need any backbone.

The file is also the module of a fake third-party distribution: fixture `tiny_distribution`
installs a copy of it, so nothing here may import from the tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backbones import Backbone, Layer, WeightSet
from backbones.spec import CAFFE, IMAGENET, Fetched, Progress

if TYPE_CHECKING:
    from torch import Tensor, nn


def build() -> nn.Module:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """Draw weights that keep the size of activations (He et al. 2015) and small biases."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in build().state_dict().items():
        fan_in = tensor[0].numel() if tensor.ndim > 1 else 100
        state[name] = torch.randn(tensor.shape, generator=generator) * (2 / fan_in) ** 0.5
    return state


@dataclass(frozen=True)
class RandomSource:
    """Weights that are drawn, not downloaded; `size` bytes pretend to arrive in two chunks."""

    seed: int = 0
    size: int = 13_000

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"tiny, seed {self.seed}".encode()).hexdigest()

    def describe(self) -> str:
        return f"seed {self.seed}"

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        with progress(self.size) if progress else nullcontext() as tracker:
            for _ in range(2):
                if tracker:
                    tracker.update(self.size // 2)
        content: Mapping[str, object] = random_state(self.seed)
        return Fetched(content, self.sha256)


TINY = Backbone(
    name="tiny",
    description="three random convolutions, for tests",
    build=build,
    layers=(
        Layer("conv1", "0", "conv", 8, 1, 3),
        Layer("relu1", "1", "relu", 8, 1, 3),
        Layer("pool1", "2", "pool", 8, 2, 4),
        Layer("conv2", "3", "conv", 12, 2, 8),
        Layer("relu2", "4", "relu", 12, 2, 8),
        Layer("pool2", "5", "pool", 12, 4, 10),
        Layer("conv3", "6", "conv", 16, 4, 18),
        Layer("relu3", "7", "relu", 16, 4, 18),
    ),
    content_layers={"relu2": 1.0},
    style_layers={"relu1": 1.0, "relu2": 1.0, "relu3": 1.0},
    weight_sets=(
        WeightSet("random", RandomSource(0), IMAGENET, "CC0", "drawn with seed 0"),
        WeightSet("other", RandomSource(1), CAFFE, "CC0", "drawn with seed 1, for BGR"),
    ),
    minimum_size=8,
)
