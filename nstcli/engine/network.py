"""The network as a recipe wants it."""

from backbones.hooks import FeatureExtractor
from nstcli.recipe import Recipe


def fitted(extractor: FeatureExtractor, recipe: Recipe) -> FeatureExtractor:
    """Change how the network pools and what its stem sees, in place, and return it."""
    if recipe.pooling == "avg":
        extractor.pool_by_average()
    if recipe.dense:
        extractor.see_every_pixel()
    return extractor
