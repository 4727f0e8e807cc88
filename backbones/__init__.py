"""Backbones for style transfer: pretrained networks whose layers have the literature's names.

`import backbones` is cheap; torch is imported only to build or run a network
(`backbones.hooks.FeatureExtractor`, `backbones.weights.load`).
"""

from backbones.registry import BackboneWarning, get, load_all, names
from backbones.spec import Backbone, BackboneError, Layer, Preprocessing, Stem, WeightSet

__all__ = [
    "Backbone",
    "BackboneError",
    "BackboneWarning",
    "Layer",
    "Preprocessing",
    "Stem",
    "WeightSet",
    "get",
    "load_all",
    "names",
]
