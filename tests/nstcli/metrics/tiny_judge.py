"""A judge that needs no download: the tiny backbone, and LPIPS with heads drawn for it."""

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.faces import Face
from nstcli.metrics.dists import Dists
from nstcli.metrics.judge import Judge
from nstcli.metrics.lpips import Lpips
from tests import tiny


def network(seed: int = 0) -> FeatureExtractor:
    """Make the tiny backbone with weights of a seed."""
    made = tiny.build()
    made.load_state_dict(tiny.random_state(seed))
    return FeatureExtractor(tiny.TINY, made, tiny.IMAGENET)


def perceptual(extractor: FeatureExtractor) -> Lpips:
    """Make an LPIPS of the tiny backbone."""
    generator = torch.Generator().manual_seed(3)
    channels = {"relu1": 8, "conv2": 12, "relu3": 16}
    heads = {name: torch.rand(count, generator=generator) for name, count in channels.items()}
    return Lpips(extractor, heads)


def textural(seed: int = 0) -> Dists:
    """Make a DISTS of a tiny backbone of its own."""
    generator = torch.Generator().manual_seed(4)
    alpha, beta = torch.rand(2, 3 + 8 + 12, generator=generator)
    return Dists.of(network(seed), ("relu1", "relu2"), alpha, beta)


def no_faces(image: Tensor) -> list[Face]:
    """Find no face, wherever one looks."""
    return []


def of(
    extractor: FeatureExtractor,
    witness: FeatureExtractor | None = None,
    lpips: Lpips | None = None,
) -> Judge:
    """Make a judge of tiny networks; what is not given looks through the same one."""
    own = lpips or perceptual(extractor)
    return Judge(
        extractor, witness or extractor, own, perceptual(own.extractor), textural(), no_faces
    )


def judge() -> Judge:
    """Make a judge whose LPIPS looks through the same network."""
    return of(network())


def noisy(image: Tensor, strength: float) -> Tensor:
    """Add noise to (1, 3, H, W), within [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    return (image + strength * torch.randn(image.shape, generator=generator)).clamp(0, 1)
