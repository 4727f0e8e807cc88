"""The loss of a network: that of the pictures it makes of a batch, by the terms of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Target
from nstcli.engine.objective import Part, evaluate, parts, weighted
from nstcli.engine.targets import read_content, read_style
from nstcli.recipe import Recipe
from nstcli.terms import TERMS


class Objective:
    """What a network is trained for: each picture near to its own photo, all to one style.

    The nearest term is left out. What of the artwork is nearest to a place is found anew for every
    photo, at the cost of several steps, and depends on what was painted before, which a network
    that sees each photo once does not know.

    Args:
        extractor: the backbone of the loss.
        recipe: with the terms; see `nstcli.training.recipe.choices_of`.
        styles: the artworks, (1, 3, H, W) each, RGB in [0, 1].
        shares: how much each counts.
        example: a photo, (1, 3, size, size): what activations usually are, so that a black artwork
            asks for no division by zero.

    Raises:
        BackboneError: an artwork or a square is below the backbone's minimum size.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        recipe: Recipe,
        styles: Sequence[Tensor],
        shares: Sequence[float],
        example: Tensor,
    ):
        self._extractor, self._recipe = extractor, recipe
        style = read_style(extractor, styles, recipe, shares)
        self._parts = parts(extractor, read_content(extractor, example, recipe), style, recipe)

    def terms(self, painted: Tensor, photos: Tensor) -> dict[str, Tensor]:
        """Return each term, unweighted, for every picture: two (N, 3, H, W) -> {term: (N,)}."""
        return evaluate(self._extractor, painted, self._aimed_at(photos))

    def weighted(self, terms: Mapping[str, Tensor], style: float = 1.0) -> Tensor:
        """Add up terms with the weights of the recipe, those of the style times a factor: (N,)."""
        counted = {
            name: term * style if TERMS[name].target == "style" else term
            for name, term in terms.items()
        }
        return weighted(counted, self._recipe)

    @torch.no_grad()
    def _aimed_at(self, photos: Tensor) -> list[Part]:
        """Return the parts whose content is these photos, and no other's."""
        own = {part.layer for part in self._parts if TERMS[part.term].target == "content"}
        features = self._extractor(photos, [layer for layer in own if layer]) if own else {}
        return [
            replace(part, target=Target.of(features[part.layer], part.target.energy.min() * 1e-6))
            if part.layer in features and TERMS[part.term].target == "content"
            else part
            for part in self._parts
        ]
