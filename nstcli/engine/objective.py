"""The loss of one pair under one recipe: a picture in, one number per term out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Distance, Statistic, Target, distances_of, statistic_of
from nstcli.engine.matching import matched
from nstcli.engine.targets import (
    JUDGED,
    Content,
    Place,
    Style,
    layers_looked_at,
    targets,
)
from nstcli.recipe import Recipe
from nstcli.terms import TERMS


@dataclass(frozen=True)
class Part:
    """One term at one layer, or on the picture itself where `layer` is None."""

    term: str
    statistic: Statistic
    distance: Distance
    layer: str | None
    share: float
    target: Target


def parts(
    extractor: FeatureExtractor,
    content: Content,
    style: Style,
    recipe: Recipe,
    painted: Tensor | None = None,
) -> list[Part]:
    """List what the loss of a recipe is made of: the terms that weigh anything, at their layers.

    `painted` is the picture so far, (1, 3, H, W), if there is one: what the style's places are
    matched with depends on it.
    """
    found = []
    for name, weight in recipe.weights_of_terms.items():
        if weight:
            layers = layers_looked_at(recipe)[name]
            aims: Mapping[str | None, Target]
            if TERMS[name].target == "matched":
                compared = recipe.layers_of_terms[name]
                found_places = matched(extractor, content.image, style.image, painted, compared)
                aims = dict(found_places.items())
            else:
                aims = targets(name, content, style, layers)
            found += _parts(name, _distance(name, recipe), layers, aims)
    return found


def judged_parts(content: Content, style: Style, recipe: Recipe) -> list[Part]:
    """List what results are judged by: relative errors, whatever the convention and the weights."""
    found = []
    for name in JUDGED:
        layers = layers_looked_at(recipe)[name]
        aims = targets(name, content, style, layers)
        found += _parts(name, distances_of(name)["relative"], layers, aims)
    return found


def _distance(term: str, recipe: Recipe) -> Distance:
    """Choose a term's distance: by the norm that a recipe names, or else by its convention."""
    distances, option = distances_of(term), TERMS[term].norm
    norm = getattr(recipe, option) if option else recipe.loss
    return distances[norm if norm in distances else recipe.loss]


def _parts(
    term: str,
    distance: Distance,
    layers: Mapping[str | None, float],
    aims: Mapping[str | None, Target],
) -> list[Part]:
    """List a term at its layers. Their shares sum to 1."""
    total = sum(layers.values())
    return [
        Part(term, statistic_of(term), distance, layer, layers[layer] / total, target)
        for layer, target in aims.items()
    ]


def batched(objectives: Sequence[Sequence[Part]]) -> list[Part]:
    """Make one objective for a batch of pictures of those of its pairs, all of one recipe."""
    return [
        replace(rows[0], target=Target.stacked([part.target for part in rows]))
        for rows in zip(*objectives, strict=True)
    ]


def evaluate(
    extractor: FeatureExtractor, image: Tensor, parts: Sequence[Part]
) -> dict[str, Tensor]:
    """Return each term, unweighted, for every picture: (N, 3, H, W) -> {term: (N,)}.

    One forward pass feeds all of them, and each statistic of a layer is computed once.
    """
    layers = {part.layer for part in parts if part.layer is not None}
    features = extractor(image, layers) if layers else {}
    statistics: dict[Place, Tensor] = {}
    terms: dict[str, Tensor] = {}
    for part in parts:
        place = part.statistic, part.layer
        if place not in statistics:
            x = image if part.layer is None else features[part.layer]
            statistics[place] = part.statistic.of(x)
        value = part.share * part.distance(statistics[place], part.target)
        terms[part.term] = terms[part.term] + value if part.term in terms else value
    return terms


def weighted(terms: Mapping[str, Tensor], recipe: Recipe) -> Tensor:
    """Add up terms with the weights of a recipe, the loss of every picture: (N,)."""
    weights = recipe.weights_of_terms
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
