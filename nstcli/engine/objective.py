"""The loss of one pair under one recipe: a picture in, one number per term out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.guidance import EVERYWHERE, Guidance
from nstcli.engine.losses import (
    DIFFERENCES,
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
from nstcli.engine.tiling import PartOfLayer, Sights, Tile, Tiles, Tiling
from nstcli.recipe import Recipe
from nstcli.terms import TERMS

# What a part looks at; see `_key`.
_Key = tuple[object, ...]


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
        tiling: Tiling | None,
    ) -> Objective:
        """Look at pictures of a shape (…, H, W), in tiles if it is said how."""
        tiles = None
        if tiling:
            layers = {part.layer for part in parts}
            on_grid = {part.layer for part in parts if part.statistic.on_grid}
            tiles = Tiles.of(extractor, shape, layers, tiling, on_grid)
        return cls(extractor, parts, tiles)

    def terms(self, image: Tensor) -> dict[str, Tensor]:
        """Return each term, unweighted, for every picture: (N, 3, H, W) -> {term: (N,)}.

        One forward pass feeds all of them, and each statistic of a layer is computed once.
        """
        if self.tiles is None:
            found = _seen(self.parts, image, _features(self.extractor, image, self.parts))
        else:
            sums = self.tiles.summed(image, self.in_tile)
            x = sums.pop() if self.tiles.neck else None
            found = dict(zip(dict.fromkeys(map(_key, self._before)), sums, strict=True))
            if x is not None:
                found |= self.behind(x)
        return _terms(self.parts, found)

    def in_tile(self, crop: Tensor, tile: Tile) -> list[Tensor]:
        """Return what parts before the neck find in a tile; then its own positions at the neck."""
        assert self.tiles  # noqa: S101 - there are tiles
        neck = self.tiles.neck
        features = self.extractor(crop, self.tiles.before(part.layer for part in self._before))
        found = [*_seen(self._before, crop, features, tile).values()]
        return [*found, tile.own(features[neck], neck)] if neck else found

    def behind(self, x: Tensor) -> dict[_Key, Tensor]:
        """Return what parts after the neck find in a whole picture, from its activations there."""
        assert self.tiles  # noqa: S101 - there are tiles
        assert self.tiles.neck  # noqa: S101 - and a neck
        parts = [part for part in self.parts if self.tiles.behind(part.layer)]
        layers = {part.layer for part in parts if part.layer is not None}
        features = self.extractor.onward(x, self.tiles.neck, layers)
        return _seen(parts, x, features, self.tiles.whole, self.tiles)

    @cached_property
    def _before(self) -> list[Part]:
        """The parts at layers that are looked at in tiles."""
        return [part for part in self.parts if not (self.tiles and self.tiles.behind(part.layer))]


def sights(
    extractor: FeatureExtractor, shape: Sequence[int], recipe: Recipe, neck: str | None = None
) -> Sights:
    """Find out what the terms of a recipe see of a picture (…, H, W); see `Sights.of`."""
    looked_at = layers_looked_at(recipe)
    layers = {layer for names in looked_at.values() for layer in names}
    on_grid = {
        layer for term, names in looked_at.items() for layer in names if statistic_of(term).on_grid
    }
    return Sights.of(extractor, shape, layers, on_grid, neck)


def parts(
    extractor: FeatureExtractor,
    content: Content,
    style: Style,
    recipe: Recipe,
    painted: Tensor | None = None,
    guidance: Guidance = EVERYWHERE,
    tiling: Tiling | None = None,
) -> list[Part]:
    """List what the loss of a recipe is made of: the terms that weigh anything, at their layers.

    `painted` is the picture so far, (1, 3, H, W), if there is one: what the style's places are
    matched with depends on it. With `tiling`, pictures are looked at in tiles.
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
                places = matched(
                    extractor, content.image, own.artworks, painted, compared, region, tiling
                )
                aims = dict(places.items())
            else:
                aims = targets(name, content, own, layers)
            found += _parts(name, distance, layers, aims, content, own, where)
    if recipe.wraps:  # then so have pixels neighbours beyond a border
        around = Target.flat(neighbours(content.image, wraps=True))
        found = [
            replace(part, statistic=DIFFERENCES_AROUND, target=around)
            if part.statistic is DIFFERENCES
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
            share=_shared([part.share for part in rows], rows[0].target.energy.device),
            target=Target.stacked([part.target for part in rows]),
            mask=stacked_weights([part.mask for part in rows]),
        )
        for rows in zip(*objectives, strict=True)
    ]


def _shared(shares: Sequence[float | Tensor], device: torch.device) -> float | Tensor:
    """Make one share of those of several pictures: a number where they agree."""
    if not any(isinstance(each, Tensor) for each in shares) and len(set(shares)) == 1:
        return shares[0]
    return torch.cat([torch.as_tensor(each, device=device).view(1) for each in shares])


def evaluate(
    extractor: FeatureExtractor, image: Tensor, parts: Sequence[Part]
) -> dict[str, Tensor]:
    """Return each term, unweighted, for every picture: (N, 3, H, W) -> {term: (N,)}."""
    return Objective(extractor, parts).terms(image)


def _terms(parts: Sequence[Part], found: Mapping[_Key, Tensor]) -> dict[str, Tensor]:
    """Add up the terms, of what was found for each part."""
    terms: dict[str, Tensor] = {}
    for part in parts:
        value = found[_key(part)]
        if not part.statistic.local:
            value = part.distance(value, part.target)
        value = part.share * value
        terms[part.term] = terms[part.term] + value if part.term in terms else value
    return terms


def _key(part: Part) -> _Key:
    """Tell what a part looks at from what others do: of a mean, the same serves all of them."""
    return part.statistic, part.layer, id(part if part.statistic.local else part.mask)


def _features(
    extractor: FeatureExtractor, image: Tensor, parts: Sequence[Part]
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = extractor(image, {part.layer for part in parts if part.layer})
    return found


def _seen(
    parts: Sequence[Part],
    image: Tensor,
    features: Mapping[str, Tensor],
    tile: Tile | None = None,
    tiles: Tiles | None = None,
) -> dict[_Key, Tensor]:
    """Return all that parts need of a picture or of a tile, whose sum over tiles is the whole's.

    By `_key`, it is the distance of a part whose statistic is local, and a mean itself.

    Args:
        parts: that look at it.
        image: the pixels.
        features: activations of it, by layer.
        tile: whose these are; None for those of a picture.
        tiles: by which local distances are found where the tile is all of a picture.
    """
    seen: dict[_Key, Tensor] = {}
    found: dict[_Key, Tensor] = {}
    cut = None if tile is None else _Cut(tile)
    for part in parts:
        place = part.statistic, part.layer, id(part.mask)
        x = image if part.layer is None else features[part.layer]
        if tiles and part.statistic.local:
            found[_key(part)] = _distance_by_tiles(part, x, tiles)
            continue
        if place not in seen:
            seen[place] = part.statistic.of(x, part.mask) if cut is None else cut.statistic(part, x)
        if part.statistic.local:
            target = part.target if tile is None else _target_of_tile(part, tile)
            found[_key(part)] = part.distance(seen[place], target)
        else:
            found[_key(part)] = seen[place]
    return found


class _Cut:
    """What a tile looks at of what layers give for it with all around it, each cut out once."""

    def __init__(self, tile: Tile):
        self._tile = tile
        self._known: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}

    def statistic(self, part: Part, x: Tensor) -> Tensor:
        """Return the values at its own positions or places; of a mean, its share of the whole's."""
        tile, layer = self._tile, part.layer
        if part.statistic.on_grid:
            where = tile.part_of(layer, on_grid=True)
            return tile.places(self._out(part.statistic.of(x), where, layer), layer, where.first)
        where = tile.part_of(layer, on_grid=False)
        if part.statistic.local:
            return self._out(part.statistic.of(x), where, layer)
        return tile.mean(part.statistic, self._out(x, where, layer), layer, part.mask)

    def _out(self, x: Tensor, where: PartOfLayer, layer: str | None) -> Tensor:
        key = id(x), where.rows, where.columns
        if key not in self._known:
            self._known[key] = x, self._tile.cut_out(x, where, layer)  # x keeps its number
        return self._known[key][1]


def _distance_by_tiles(part: Part, x: Tensor, tiles: Tiles) -> Tensor:
    """Return the distance of a local statistic, of what a layer gives for all of a picture."""
    on_grid = part.statistic.on_grid

    def distance(own: Tensor, of: PartOfLayer) -> Tensor:
        x = part.statistic.of(own)
        if on_grid:
            x = of.tile.places(x, part.layer, of.first)
        return part.distance(x, _target_of_tile(part, of.tile))

    return tiles.distance_behind(x, part.layer, distance, on_grid)


def _target_of_tile(part: Part, tile: Tile) -> Target:
    if part.layer is None:
        return part.target
    where = tile.where_on_grid if part.statistic.on_grid else tile.where(part.layer)
    return part.target.of_tile(*where)


def weighted(terms: Mapping[str, Tensor], recipe: Recipe) -> Tensor:
    """Add up terms with the weights of a recipe, the loss of every picture: (N,)."""
    weights = recipe.weights_of_terms
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
