"""What the content and the style images look like to a backbone: computed once, used each step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Target, gram
from nstcli.recipe import Recipe

# A target with less than this share of the other image's energy at the same layer counts as
# empty. Far below any real picture's; only black ones in bias-free networks come near it.
_FLOOR = 1e-6


@dataclass(frozen=True)
class Content:
    """The content image as a backbone sees it.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1].
        features: activations (1, C, h, w) at the content layers.
        grams: Gram matrices (1, C, C) at the style layers, the start that style is judged from.
    """

    image: Tensor
    features: Mapping[str, Tensor]
    grams: Mapping[str, Tensor]


@dataclass(frozen=True)
class Style:
    """One or several style images as a backbone sees them. Small, so that many can be kept.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1], the first of them.
        grams: Gram matrices (1, C, C) at the style layers.
        density: mean square (scalar) of the activations at the content layers.
    """

    image: Tensor
    grams: Mapping[str, Tensor]
    density: Mapping[str, Tensor]


@torch.no_grad()
def read_content(extractor: FeatureExtractor, image: Tensor, recipe: Recipe) -> Content:
    """Read a content image (1, 3, H, W) at the layers of a recipe.

    Raises:
        BackboneError: the image is below the backbone's minimum size.
    """
    found = extractor(image, [*recipe.content_layers, *recipe.style_layers])
    # In float32 at once, so that the pairs of a content have one target and not each a copy.
    features = {name: found[name].float() for name in recipe.content_layers}
    return Content(image, features, {name: gram(found[name]) for name in recipe.style_layers})


@torch.no_grad()
def read_style(
    extractor: FeatureExtractor,
    images: Sequence[Tensor],
    recipe: Recipe,
    weights: Sequence[float] | None = None,
) -> Style:
    """Read style images, each (1, 3, H, W), and mix them: the weighted mean of their Grams.

    Raises:
        BackboneError: an image is below the backbone's minimum size.
        ValueError: no image, or weights that do not fit the images.
    """
    weights = [1.0] * len(images) if weights is None else weights
    if not images or len(images) != len(weights):
        raise ValueError(f"{len(images)} style images and {len(weights)} weights")
    if min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f"style weights must not be negative, nor all 0: {list(weights)}")
    grams = dict.fromkeys(recipe.style_layers, torch.zeros(()))
    density = dict.fromkeys(recipe.content_layers, torch.zeros(()))
    for image, weight in zip(images, weights, strict=True):
        found = extractor(image, [*recipe.content_layers, *recipe.style_layers])
        share = weight / sum(weights)
        for name in grams:
            grams[name] = grams[name].to(image.device) + share * gram(found[name])
        for name in density:
            density[name] = density[name].to(image.device) + share * found[name].square().mean()
    return Style(images[0], grams, density)


def content_targets(content: Content, style: Style) -> dict[str, Target]:
    """Return what the content term aims at, per layer."""
    return {
        name: Target.of(features, _FLOOR * style.density[name] * features.numel())
        for name, features in content.features.items()
    }


def style_targets(content: Content, style: Style) -> dict[str, Target]:
    """Return what the style term aims at, per layer."""
    return {
        name: Target.of(gram, _FLOOR * content.grams[name].square().sum())
        for name, gram in style.grams.items()
    }
