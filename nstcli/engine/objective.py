"""The loss of one pair under one recipe: a picture in, one number per term out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import TERMS, Target, Term
from nstcli.engine.targets import Content, Style, content_targets, style_targets
from nstcli.recipe import Recipe

# Total variation has nothing to come close to but flatness.
_FLATNESS = Target.of(torch.zeros(1, 1))


@dataclass(frozen=True)
class Part:
    """One term at one layer, or on the picture itself where `layer` is None."""

    term: str
    loss: Term
    layer: str | None
    share: float
    target: Target


def parts(content: Content, style: Style, recipe: Recipe) -> list[Part]:
    """List what the loss of a recipe is made of. The shares of a term's layers sum to 1."""
    norm = "l1" if recipe.tv == "l1" else recipe.loss
    return [
        *_parts("content", recipe.loss, recipe.content_layers, content_targets(content, style)),
        *_parts("style", recipe.loss, recipe.style_layers, style_targets(content, style)),
        Part("tv", TERMS["tv"][norm], None, 1.0, _FLATNESS),
    ]


def _parts(
    term: str, convention: str, layers: Mapping[str, float], targets: Mapping[str, Target]
) -> list[Part]:
    total = sum(layers.values())
    return [
        Part(term, TERMS[term][convention], name, weight / total, targets[name])
        for name, weight in layers.items()
    ]


def together(objectives: Sequence[Sequence[Part]]) -> list[Part]:
    """Make one objective for a batch of pictures of those of its pairs, all of one recipe."""
    return [
        replace(rows[0], target=Target.stacked([part.target for part in rows]))
        for rows in zip(*objectives, strict=True)
    ]


def evaluate(
    extractor: FeatureExtractor, image: Tensor, parts: Sequence[Part]
) -> dict[str, Tensor]:
    """Return each term, unweighted, for every picture: (N, 3, H, W) -> {term: (N,)}.

    One forward pass feeds all of them.
    """
    layers = {part.layer for part in parts if part.layer is not None}
    features = extractor(image, layers) if layers else {}
    terms: dict[str, Tensor] = {}
    for part in parts:
        x = image if part.layer is None else features[part.layer]
        value = part.share * part.loss(x, part.target)
        terms[part.term] = terms[part.term] + value if part.term in terms else value
    return terms


def weighted(terms: Mapping[str, Tensor], recipe: Recipe) -> Tensor:
    """Add up terms with the weights of a recipe, the loss of every picture: (N,)."""
    weights = recipe.weights_of_terms
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
