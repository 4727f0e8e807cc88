"""The loss of one pair under one recipe: a picture in, one number per term out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Distance, Statistic, Target, distances_of, statistic_of
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


def parts(content: Content, style: Style, recipe: Recipe) -> list[Part]:
    """List what the loss of a recipe is made of: the terms that weigh anything, at their layers."""
    weights = recipe.weights_of_terms
    named = {name: _distance(name, recipe) for name in TERMS if weights[name]}
    return _parts(named, content, style, recipe)


def judged_parts(content: Content, style: Style, recipe: Recipe) -> list[Part]:
    """List what results are judged by: relative errors, whatever the convention and the weights."""
    named = {name: distances_of(name)["relative"] for name in JUDGED}
    return _parts(named, content, style, recipe)


def _distance(term: str, recipe: Recipe) -> Distance:
    """Choose a term's distance: by the norm that a recipe names, or else by its convention."""
    distances, option = distances_of(term), TERMS[term].norm
    norm = getattr(recipe, option) if option else recipe.loss
    return distances[norm if norm in distances else recipe.loss]


def _parts(
    distances: Mapping[str, Distance], content: Content, style: Style, recipe: Recipe
) -> list[Part]:
    """List terms at their layers. The shares of a term's layers sum to 1."""
    found = []
    for term, distance in distances.items():
        layers = layers_looked_at(recipe)[term]
        total = sum(layers.values())
        found += [
            Part(term, statistic_of(term), distance, layer, layers[layer] / total, target)
            for layer, target in targets(term, content, style, layers).items()
        ]
    return found


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
