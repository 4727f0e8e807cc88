"""The loss of one pair under one recipe: a picture in, one number per term out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from backbones.hooks import FeatureExtractor
from nstcli.engine.guidance import EVERYWHERE, Guidance
from nstcli.engine.losses import (
    DIFFERENCES_AROUND,
    Distance,
    Statistic,
    Target,
    distances_of,
    statistic_of,
)
from nstcli.engine.losses.target import stacked_weights
from nstcli.engine.masks import area, pooled
from nstcli.engine.matching import matched
from nstcli.engine.targets import (
    JUDGED,
    Content,
    Style,
    layers_looked_at,
    neighbours,
    targets,
)
from nstcli.engine.tiling import Sights, Tile, Tiles, TileSize
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


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of pictures (N, 3, H, W) of one shape.

    Attributes:
        extractor: by which they are looked at.
        parts: what it is made of.
        tiles: that pictures are looked at in; None for all of one at once.
    """

    extractor: FeatureExtractor
    parts: Sequence[Part]
    tiles: Tiles | None = None

    @classmethod
    def of(
        cls,
        extractor: FeatureExtractor,
        parts: Sequence[Part],
        shape: Sequence[int],
        tile: TileSize | None,
    ) -> Objective:
        """Look at pictures of a shape (…, H, W) in tiles of at most so many pixels, if any."""
        tiles = None
        if tile:
            layers = {part.layer for part in parts}
            on_grid = {part.layer for part in parts if part.statistic.on_grid}
            tiles = Sights.of(extractor, shape, layers, on_grid).tiles(tile)
        return cls(extractor, parts, tiles)

    def terms(self, image: Tensor) -> dict[str, Tensor]:
        """Return each term, unweighted, for every picture: (N, 3, H, W) -> {term: (N,)}."""
        return evaluate(self.extractor, image, self.parts, self.tiles)


def sights(extractor: FeatureExtractor, shape: Sequence[int], recipe: Recipe) -> Sights:
    """Find out what the terms of a recipe see of a picture (…, H, W)."""
    looked_at = layers_looked_at(recipe)
    layers = {layer for names in looked_at.values() for layer in names}
    on_grid = {
        layer for term, names in looked_at.items() for layer in names if statistic_of(term).on_grid
    }
    return Sights.of(extractor, shape, layers, on_grid)


def parts(
    extractor: FeatureExtractor,
    content: Content,
    style: Style,
    recipe: Recipe,
    painted: Tensor | None = None,
    guidance: Guidance = EVERYWHERE,
    tile: TileSize | None = None,
) -> list[Part]:
    """List what the loss of a recipe is made of: the terms that weigh anything, at their layers.

    `painted` is the picture so far, (1, 3, H, W), if there is one: what the style's places are
    matched with depends on it. With `tile`, no more than so many pixels are looked at at a time.
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
                places = matched(extractor, picture, own.artworks, painted, compared, region, tile)
                aims = dict(places.items())
            else:
                aims = targets(name, content, own, layers)
            found += _parts(name, distance, layers, aims, content, own, where)
    if recipe.wraps:  # then so have pixels neighbours beyond a border
        around = Target.flat(neighbours(content.image, wraps=True))
        found = [
            replace(part, statistic=DIFFERENCES_AROUND, target=around)
            if part.layer is None
            else part
            for part in found
        ]
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
            weights = pooled(where, target.grid)
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
    extractor: FeatureExtractor,
    image: Tensor,
    parts: Sequence[Part],
    tiles: Tiles | None = None,
) -> dict[str, Tensor]:
    """Return each term, unweighted, for every picture: (N, 3, H, W) -> {term: (N,)}.

    One forward pass feeds all of them, and each statistic of a layer is computed once. With
    `tiles` of the picture, no more than one of them is looked at at a time.
    """
    if tiles is None:
        found = _looked_at(extractor, image, parts)
    else:
        sums = tiles.summed(
            image, lambda crop, tile: [*_looked_at(extractor, crop, parts, tile).values()]
        )
        found = dict(zip(dict.fromkeys(map(_key, parts)), sums, strict=True))
    terms: dict[str, Tensor] = {}
    for part in parts:
        value = found[_key(part)]
        if not part.statistic.local:
            value = part.distance(value, part.target)
        value = part.share * value
        terms[part.term] = terms[part.term] + value if part.term in terms else value
    return terms


def _key(part: Part) -> tuple[object, ...]:
    """Tell what a part looks at from what others do: of a mean, the same serves all of them."""
    return part.statistic, part.layer, id(part if part.statistic.local else part.mask)


def _looked_at(
    extractor: FeatureExtractor, image: Tensor, parts: Sequence[Part], tile: Tile | None = None
) -> dict[tuple[object, ...], Tensor]:
    """Return all that parts need of a picture or of a tile, whose sum over tiles is the whole's.

    By `_key`, it is the distance of a part whose statistic is local, and a mean itself.
    """
    layers = {part.layer for part in parts if part.layer is not None}
    features = extractor(image, layers) if layers else {}
    seen: dict[tuple[object, ...], Tensor] = {}
    found: dict[tuple[object, ...], Tensor] = {}
    for part in parts:
        place = part.statistic, part.layer, id(part.mask)
        x = image if part.layer is None else features[part.layer]
        if tile and part.statistic.on_grid:
            # Or all that comes between a layer and its distance would be kept for all layers.
            found[_key(part)] = checkpoint(
                _distance_on_grid, part, x, tile, use_reentrant=False, preserve_rng_state=False
            )
            continue
        if place not in seen:
            seen[place] = _statistic(part, x, tile)
        if part.statistic.local:
            target = part.target if tile is None else _target_of_tile(part, tile)
            found[_key(part)] = part.distance(seen[place], target)
        else:
            found[_key(part)] = seen[place]
    return found


def _statistic(part: Part, x: Tensor, tile: Tile | None) -> Tensor:
    """Return the statistic of the tile's own positions; of a mean, the tile's share of the whole's.

    `x` is what the layer gives for the tile with all around it.
    """
    if tile is None:
        return part.statistic.of(x, part.mask)
    if part.statistic.local:
        return tile.own(part.statistic.of(x), part.layer)
    return tile.mean(part.statistic, x, part.layer, part.mask)


def _distance_on_grid(part: Part, x: Tensor, tile: Tile) -> Tensor:
    """Return the distance of the tile's own places, of what a layer gives for it."""
    assert part.layer is not None  # noqa: S101 - no picture is brought to the grid
    places = tile.places(part.statistic.of(x), part.layer)
    return part.distance(places, _target_of_tile(part, tile))


def _target_of_tile(part: Part, tile: Tile) -> Target:
    if part.layer is None:
        return part.target
    where = tile.where_on_grid if part.statistic.on_grid else tile.where(part.layer)
    return part.target.of_tile(*where)


def weighted(terms: Mapping[str, Tensor], recipe: Recipe) -> Tensor:
    """Add up terms with the weights of a recipe, the loss of every picture: (N,)."""
    weights = recipe.weights_of_terms
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
