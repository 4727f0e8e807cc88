"""The loss of one pair under one recipe: a picture in, one number per term out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.guidance import EVERYWHERE, Guidance
from nstcli.engine.losses import TILE, Distance, Statistic, Target, distances_of, statistic_of
from nstcli.engine.losses.target import stacked_weights
from nstcli.engine.masks import area, pooled
from nstcli.engine.matching import matched
from nstcli.engine.targets import (
    JUDGED,
    Content,
    Style,
    layers_looked_at,
    targets,
)
from nstcli.recipe import Recipe
from nstcli.terms import TERMS


@dataclass(frozen=True)
class Part:
    """One term at one layer, or on the picture itself where `layer` is None.

    Attributes:
        share: of the term; of several pictures, (N,) where they differ.
        mask: of a statistic that is a mean, how much each position counts, (1 or N, 1, h, w); None
            where all count alike. Where it is local, its target has the weights.
    """

    term: str
    statistic: Statistic
    distance: Distance
    layer: str | None
    share: float | Tensor
    target: Target
    mask: Tensor | None = None


def parts(
    extractor: FeatureExtractor,
    content: Content,
    style: Style,
    recipe: Recipe,
    painted: Tensor | None = None,
    guidance: Guidance = EVERYWHERE,
) -> list[Part]:
    """List what the loss of a recipe is made of: the terms that weigh anything, at their layers.

    `painted` is the picture so far, (1, 3, H, W), if there is one: what the style's places are
    matched with depends on it.
    """
    found: list[Part] = []
    for name, weight in recipe.weights_of_terms.items():
        if not weight:
            continue
        layers, distance = layers_looked_at(recipe)[name], _distance(name, recipe)
        for region, where, own in _holding(name, style, guidance):
            aims: Mapping[str | None, Target]
            if TERMS[name].target == "matched":
                compared = recipe.layers_of_terms[name]
                picture = content.image
                places = matched(extractor, picture, own.artworks, painted, compared, region)
                aims = dict(places.items())
            else:
                aims = targets(name, content, own, layers)
            found += _parts(name, distance, layers, aims, content, own, where)
    if recipe.wraps:  # so do the pixels of a tile have neighbours beyond a border
        found = [replace(part, statistic=TILE) if part.layer is None else part for part in found]
    return found


def judged_parts(
    content: Content, style: Style, recipe: Recipe, guidance: Guidance = EVERYWHERE
) -> list[Part]:
    """List what results are judged by: relative errors, whatever the convention and the weights.

    The content's is that of the whole picture. The style's is that of the places that take any, as
    much as they do, so that it compares with that of a picture that takes it everywhere.
    """
    found: list[Part] = []
    for name in JUDGED:
        layers, distance = layers_looked_at(recipe)[name], distances_of(name)["relative"]
        held = (guidance if name == "style" else EVERYWHERE).areas(style)
        whole = sum(0 if where is None else where.mean().item() for _, where, _ in held)
        for _, where, own in held:
            if where is not None:
                where = where / max(whole, 1e-6)
            aims = targets(name, content, own, layers)
            found += _parts(name, distance, layers, aims, content, own, where)
    return found


def _holding(
    term: str, style: Style, guidance: Guidance
) -> Iterator[tuple[Tensor | None, Tensor | None, Style]]:
    """List the styles of a term, each with its region and how much of it each pixel takes."""
    if TERMS[term].target in ("style", "matched"):
        yield from guidance.areas(style)
    else:
        yield None, guidance.content if TERMS[term].target == "content" else None, style


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
    content: Content,
    style: Style,
    where: Tensor | None,
) -> list[Part]:
    """List a term at its layers. Their shares sum to 1, or to the area where it holds."""
    total, statistic = sum(layers.values()), statistic_of(term)
    found = []
    for layer, target in aims.items():
        part = Part(term, statistic, distance, layer, layers[layer] / total, target)
        if where is None:
            found.append(part)
        elif statistic.local:  # its distances are means over all positions
            weights = pooled(where, target.value.shape)
            if target.weights is not None:
                weights = weights * target.weights
            found.append(replace(part, target=replace(target, weights=weights)))
        else:
            weights = pooled(where, content.grids[layer])
            found.append(replace(part, mask=weights, share=part.share * area(weights)))
        if layer in style.unseen and not statistic.local:
            found[-1] = replace(found[-1], share=0.0 * found[-1].share)
    return found


def batched(objectives: Sequence[Sequence[Part]]) -> list[Part]:
    """Make one objective for a batch of pictures of those of its pairs, all of one recipe.

    They have as many regions each; what holds everywhere in one may have a mask in another.
    """
    return [
        replace(
            rows[0],
            share=_shared([part.share for part in rows]),
            target=Target.stacked([part.target for part in rows]),
            mask=stacked_weights([part.mask for part in rows]),
        )
        for rows in zip(*objectives, strict=True)
    ]


def _shared(shares: Sequence[float | Tensor]) -> float | Tensor:
    """Make one share of those of several pictures: a number where they agree."""
    known = next((each for each in shares if isinstance(each, Tensor)), None)
    if known is None and len(set(shares)) == 1:
        return shares[0]
    device = None if known is None else known.device
    return torch.cat([torch.as_tensor(each, device=device).view(1) for each in shares])


def evaluate(
    extractor: FeatureExtractor, image: Tensor, parts: Sequence[Part]
) -> dict[str, Tensor]:
    """Return each term, unweighted, for every picture: (N, 3, H, W) -> {term: (N,)}.

    One forward pass feeds all of them, and each statistic of a layer is computed once.
    """
    layers = {part.layer for part in parts if part.layer is not None}
    features = extractor(image, layers) if layers else {}
    statistics: dict[tuple[Statistic, str | None, int], Tensor] = {}
    terms: dict[str, Tensor] = {}
    for part in parts:
        place = part.statistic, part.layer, id(part.mask)
        if place not in statistics:
            x = image if part.layer is None else features[part.layer]
            statistics[place] = part.statistic.of(x, part.mask)
        value = part.share * part.distance(statistics[place], part.target)
        terms[part.term] = terms[part.term] + value if part.term in terms else value
    return terms


def weighted(terms: Mapping[str, Tensor], recipe: Recipe) -> Tensor:
    """Add up terms with the weights of a recipe, the loss of every picture: (N,)."""
    weights = recipe.weights_of_terms
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
