"""Statistics of content and style, read once per image, and the targets of terms made of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Statistic, Target, statistic_of
from nstcli.engine.losses.statistics import full_precision
from nstcli.recipe import Recipe
from nstcli.terms import TERMS

# A target with less than this share of the other image's energy at the same layer counts as
# empty. Far below any real picture's; only black ones in bias-free networks come near it.
_FLOOR = 1e-6
# By these terms every result is judged, so that images are read for them whatever they weigh.
JUDGED = ("content", "style")
# Of a term that comes near to no image.
_NOTHING = Target.of(torch.zeros(1, 1))

# A statistic at a layer; None for that of the picture itself.
Place = tuple[Statistic, str | None]


@dataclass(frozen=True)
class Content:
    """The content image as a backbone sees it.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1].
        statistics: of all terms that aim at the whole of an image, (1, …): of those that aim at
            the style, it is what an unchanged picture starts with.
    """

    image: Tensor
    statistics: Mapping[Place, Tensor]

    @classmethod
    def of(
        cls,
        image: Tensor,
        activations: Mapping[str, Tensor],
        layers: Mapping[str, Iterable[str | None]],
    ) -> "Content":
        """Compute the statistics of an image that terms aim at, each once.

        Args:
            image: (1, 3, H, W), RGB in [0, 1].
            activations: of the image, (1, C, h, w), by layer.
            layers: of every term, by its name.
        """
        places = {
            (statistic_of(term), layer): image if layer is None else activations[layer]
            for term, names in layers.items()
            for layer in names
        }
        # In float32 at once, so that the pairs of a content have one target and not each a copy.
        found = {place: full_precision(place[0].of(x)) for place, x in places.items()}
        return cls(image, found)


@dataclass(frozen=True)
class Style:
    """One or several style images as a backbone sees them. Small, so that many can be kept.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1], the first of them.
        statistics: those that are means over positions, (1, …).
        mean_squares: of the local ones, whose values are not kept, a scalar each.
    """

    image: Tensor
    statistics: Mapping[Place, Tensor]
    mean_squares: Mapping[Place, Tensor]

    @classmethod
    def of(cls, read: Content) -> "Style":
        """Keep of an image that was read what it can be a style by."""
        found = read.statistics.items()
        return cls(
            read.image,
            {place: value for place, value in found if not place[0].local},
            {place: value.square().mean() for place, value in found if place[0].local},
        )

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        kept = (self.image, *self.statistics.values(), *self.mean_squares.values())
        return sum(tensor.nbytes for tensor in kept)


def layers_looked_at(recipe: Recipe) -> dict[str, Mapping[str | None, float]]:
    """Return the layers of the terms that weigh anything, or are judged by, with their weights.

    A term that looks at the picture itself has the one layer None.
    """
    weights, layers = recipe.weights_of_terms, recipe.layers_of_terms
    found: dict[str, Mapping[str | None, float]] = {}
    for name, term in TERMS.items():
        if weights[name] or name in JUDGED:
            found[name] = dict(layers[name].items()) if term.layers else {None: 1.0}
    return found


@torch.no_grad()
def read_content(extractor: FeatureExtractor, image: Tensor, recipe: Recipe) -> Content:
    """Read a content image (1, 3, H, W) for the terms of a recipe.

    Raises:
        BackboneError: the image is below the backbone's minimum size.
    """
    layers = {
        term: names
        for term, names in layers_looked_at(recipe).items()
        if TERMS[term].target in ("content", "style")
    }
    wanted = {name for names in layers.values() for name in names if name is not None}
    return Content.of(image, extractor(image, wanted), layers)


@torch.no_grad()
def read_style(
    extractor: FeatureExtractor,
    images: Sequence[Tensor],
    recipe: Recipe,
    weights: Sequence[float] | None = None,
) -> Style:
    """Read style images, each (1, 3, H, W), and mix them: the weighted mean of their statistics.

    Raises:
        BackboneError: an image is below the backbone's minimum size.
        ValueError: no image, or weights that do not fit the images.
    """
    weights = [1.0] * len(images) if weights is None else weights
    if not images or len(images) != len(weights):
        raise ValueError(f"{len(images)} style images and {len(weights)} weights")
    if min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f"style weights must not be negative, nor all 0: {list(weights)}")
    styles = [Style.of(read_content(extractor, image, recipe)) for image in images]
    shares = [weight / sum(weights) for weight in weights]
    return Style(
        images[0],
        _mixed([style.statistics for style in styles], shares),
        _mixed([style.mean_squares for style in styles], shares),
    )


def _mixed(
    statistics: Sequence[Mapping[Place, Tensor]], shares: Sequence[float]
) -> dict[Place, Tensor]:
    mixed = {place: torch.zeros_like(value) for place, value in statistics[0].items()}
    for each, share in zip(statistics, shares, strict=True):
        mixed = {place: value + share * each[place] for place, value in mixed.items()}
    return mixed


def targets(
    term: str, content: Content, style: Style, layers: Iterable[str | None]
) -> dict[str | None, Target]:
    """Return what a term aims at, per layer."""
    role, statistic = TERMS[term].target, statistic_of(term)
    if role is None:
        return dict.fromkeys(layers, _NOTHING)
    image, other = (content, style) if role == "content" else (style, content)
    found = {}
    for layer in layers:
        value = image.statistics[statistic, layer]
        if statistic.local:  # the content's; that of the style has another size, and is not kept
            usual = style.mean_squares[statistic, layer] * _FLOOR * value.numel()
        else:
            usual = other.statistics[statistic, layer].square().sum() * _FLOOR
        found[layer] = Target.of(value, usual)
    return found
