"""Pretrained weights: choose a set, get it once, check it every time.

Importing this package does not import torch; reading tensors does.
"""

from backbones.spec import Companion
from backbones.weights.builtin import ALEXNET, COMPANIONS, DISTS, LPIPS, LPIPS_ALEX, MTCNN
from backbones.weights.cache import (
    Leftover,
    State,
    cache_folder,
    cached_path,
    identity,
    prune,
    verify,
)
from backbones.weights.obtain import Weights, load, pull
from backbones.weights.selection import select, title

__all__ = [
    "ALEXNET",
    "COMPANIONS",
    "DISTS",
    "LPIPS",
    "LPIPS_ALEX",
    "MTCNN",
    "Companion",
    "Leftover",
    "State",
    "Weights",
    "cache_folder",
    "cached_path",
    "identity",
    "load",
    "prune",
    "pull",
    "select",
    "title",
    "verify",
]
