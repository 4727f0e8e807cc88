"""Statistics of content and style, read once per image, and the targets of terms made of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import Statistic, Target, statistic_of
from nstcli.engine.losses.statistics import full_precision
from nstcli.engine.losses.target import energy_of
from nstcli.engine.masks import covers, pooled
from nstcli.engine.tiling import Tiles, Tiling
from nstcli.networks.mixing import mixed as mix_networks
from nstcli.recipe import Recipe
from nstcli.terms import TERMS

# A target with less than this share of the other image's energy at the same layer counts as
# empty. Far below any real picture's; only black ones in bias-free networks come near it.
_FLOOR = 1e-6
# By these terms every result is judged, so that images are read for them whatever they weigh.
JUDGED = ("content", "style")

# A statistic at a layer; None for that of the picture itself.
Place = tuple[Statistic, str | None]


@dataclass(frozen=True)
class Content:
    """The content image as a backbone sees it.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1].
        statistics: of all terms that aim at the whole of an image, (1, …): of those that aim at
            the style, it is what an unchanged picture starts with.
        grids: rows and columns of positions, by layer.
    """

    image: Tensor
    statistics: Mapping[Place, Tensor]
    grids: Mapping[str | None, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        image: Tensor,
        activations: Mapping[str, Tensor],
        layers: Mapping[str, Iterable[str | None]],
        mask: Tensor | None = None,
    ) -> "Content":
        """Compute the statistics of an image that terms aim at, each once.

        Args:
            image: (1, 3, H, W), RGB in [0, 1].
            activations: of the image, (1, C, h, w), by layer.
            layers: of every term, by its name.
            mask: how much each pixel counts, (1, 1, H, W), in statistics that are means.
        """
        places = {
            (statistic, layer): image if layer is None else activations[layer]
            for statistic, layer in _places(layers)
        }
        # In float32 at once, so that the pairs of a content have one target and not each a copy.
        found = {
            (statistic, layer): full_precision(
                statistic.of(x, None if mask is None else pooled(mask, x.shape))
            )
            for (statistic, layer), x in places.items()
        }
        grids = {layer: (x.shape[-2], x.shape[-1]) for (_, layer), x in places.items()}
        return cls(image, found, grids)

    @classmethod
    def in_tiles(
        cls,
        extractor: FeatureExtractor,
        image: Tensor,
        layers: Mapping[str, Iterable[str | None]],
        tiling: Tiling,
        mask: Tensor | None = None,
    ) -> "Content":
        """Do the same in tiles.

        Features, of which there are many, stay in the network's own precision.
        """
        looked_at = _places(layers)
        names = {layer for _, layer in looked_at}
        tiles = Tiles.of(extractor, image.shape, names, tiling)
        grids = {layer: tiles.grid(layer) for layer in names}
        weights = {
            layer: None if mask is None else pooled(mask, grid) for layer, grid in grids.items()
        }
        found: dict[Place, Tensor] = {}
        behind = tiles.activations_behind(extractor, image, names)
        for each in tiles:
            pixels = each.cut(image)
            activations = behind | extractor(pixels, tiles.before(names))
            for place in looked_at:
                statistic, layer = place
                x = pixels if layer is None else activations[layer]
                if statistic.local:
                    value = each.own(statistic.of(x), layer)
                    if place not in found:
                        found[place] = value.new_empty(*value.shape[:2], *grids[layer])
                    found[place][..., *each.where(layer)] = value
                else:
                    value = each.mean(statistic, each.own(x, layer), layer, weights[layer])
                    found[place] = found[place] + value if place in found else value
        return cls(image, found, grids)


@dataclass(frozen=True)
class Artwork:
    """A style image among others.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1].
        share: of the style; those of all sum to 1.
        mask: how much each pixel counts, (1, 1, H, W); None where all count alike.
    """

    image: Tensor
    share: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True)
class Style:
    """One or several style images as a backbone sees them. Small, so that many can be kept.

    Attributes:
        artworks: the images.
        statistics: those that are means over positions, (1, …).
        mean_squares: of the local ones, whose values are not kept, a scalar each.
        unseen: the layers at which masks leave too few positions of all of them to aim at.
        network: that paints in this style, for methods whose styles are networks: there are no
            images then, and no statistics.
    """

    artworks: tuple[Artwork, ...]
    statistics: Mapping[Place, Tensor]
    mean_squares: Mapping[Place, Tensor]
    unseen: frozenset[str | None] = frozenset()
    network: nn.Module | None = None

    @classmethod
    def of(cls, read: Content, mask: Tensor | None = None) -> "Style":
        """Keep of an image that was read what it can be a style by."""
        found = read.statistics.items()
        small = (
            () if mask is None else (n for n, grid in read.grids.items() if not covers(mask, grid))
        )
        return cls(
            (Artwork(read.image, mask=mask),),
            {place: value for place, value in found if not place[0].local},
            {
                place: energy_of(value)[0] / value.numel()
                for place, value in found
                if place[0].local
            },
            frozenset(small),
        )

    @property
    def image(self) -> Tensor:
        """The first of its images, (1, 3, H, W)."""
        return self.artworks[0].image

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        images = [each.image for each in self.artworks]
        masks = [each.mask for each in self.artworks if each.mask is not None]
        kept = [*images, *masks, *self.statistics.values(), *self.mean_squares.values()]
        kept += self.network.parameters() if self.network else ()
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
def read_content(
    extractor: FeatureExtractor,
    image: Tensor,
    recipe: Recipe,
    mask: Tensor | None = None,
    tiling: Tiling | None = None,
) -> Content:
    """Read a content image (1, 3, H, W) for the terms of a recipe; see `Content.of` for the mask.

    With `tiling`, it is read in tiles.

    Raises:
        BackboneError: the image is below the backbone's minimum size.
    """
    layers = {
        term: names
        for term, names in layers_looked_at(recipe).items()
        if TERMS[term].target in ("content", "style")
    }
    if tiling:
        return Content.in_tiles(extractor, image, layers, tiling, mask)
    wanted = {name for names in layers.values() for name in names if name is not None}
    return Content.of(image, extractor(image, wanted), layers, mask)


def _places(layers: Mapping[str, Iterable[str | None]]) -> list[Place]:
    """List what terms look at, each place once."""
    return [*dict.fromkeys((statistic_of(term), name) for term in layers for name in layers[term])]


@torch.no_grad()
def read_style(
    extractor: FeatureExtractor,
    images: Sequence[Tensor],
    recipe: Recipe,
    weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    tiling: Tiling | None = None,
) -> Style:
    """Read style images, each (1, 3, H, W), and mix them: the weighted mean of their statistics.

    Masks, (1, 1, H, W), tell how much each pixel of an image counts; None that all count alike.
    With `tiling`, they are read in tiles.

    Raises:
        BackboneError: an image is below the backbone's minimum size.
        ValueError: no image, or weights or masks that do not fit the images.
    """
    masks = [None] * len(images) if masks is None else masks
    with extractor.seeing_no_tiles():
        styles = [
            Style.of(read_content(extractor, image, recipe, mask, tiling), mask)
            for image, mask in zip(images, masks, strict=True)
        ]
    return mixed(styles, [1.0] * len(images) if weights is None else weights)


def mixed(styles: Sequence[Style], weights: Sequence[float]) -> Style:
    """Mix styles: the weighted mean of their statistics, without those that weigh nothing.

    Where the mask of one leaves too few positions at a layer, the others stand for it there.

    Raises:
        InputError: they are networks that cannot be mixed.
        ValueError: no style, or weights that do not fit.
    """
    if not styles or len(styles) != len(weights):
        raise ValueError(f"{len(styles)} style images and {len(weights)} weights")
    if min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f"style weights must not be negative, nor all 0: {list(weights)}")
    shares = [weight / sum(weights) for weight in weights]
    counting = [(style, share) for style, share in zip(styles, shares, strict=True) if share]
    if len(counting) == 1:
        return counting[0][0]
    unseen = frozenset.intersection(*(style.unseen for style, _ in counting))

    def mean(of: Callable[[Style], Mapping[Place, Tensor]]) -> dict[Place, Tensor]:
        found = {}
        for place in of(counting[0][0]):
            able = [(s, share) for s, share in counting if place[1] not in s.unseen - unseen]
            whole = sum(share for _, share in able)
            found[place] = torch.stack([of(s)[place] * (share / whole) for s, share in able]).sum(0)
        return found

    networks = [style.network for style, _ in counting if style.network]
    artworks = [
        replace(each, share=each.share * share)
        for style, share in counting
        for each in style.artworks
    ]
    return Style(
        tuple(artworks),
        mean(lambda style: style.statistics),
        mean(lambda style: style.mean_squares),
        unseen,
        mix_networks(networks, [share for _, share in counting]) if networks else None,
    )


def targets(
    term: str, content: Content, style: Style, layers: Iterable[str | None]
) -> dict[str | None, Target]:
    """Return what a term aims at, per layer."""
    role, statistic = TERMS[term].target, statistic_of(term)
    if role is None:
        return dict.fromkeys(layers, Target.flat(neighbours(content.image)))
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


def neighbours(image: Tensor, wraps: bool = False) -> int:
    """Count the pairs of neighbouring values of a picture, (1, C, H, W), that may wrap."""
    _, channels, height, width = image.shape
    if wraps:
        return 2 * channels * height * width
    return channels * (height * (width - 1) + (height - 1) * width)
