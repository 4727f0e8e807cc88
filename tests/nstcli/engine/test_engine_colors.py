"""Colours: statistics are reached, lightness stays, and what cannot be has a meaning."""

from typing import get_args, get_type_hints

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab
from torch import Tensor

from nstcli.engine import colors, oklab
from nstcli.engine.colors import COLORS, Palette, finished, recolored, transport
from nstcli.engine.guidance import Guidance, Region
from nstcli.engine.memory import TensorBytes
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Artwork, Content, Style
from nstcli.recipe import Choices
from tests.nstcli.engine.scene import OTHER, picture, recipe

LEVEL = 1 / 255
PHOTO, ARTWORK = picture(24, 32, seed=3), picture(20, 28, seed=4)


def constant(*rgb: float, shape: tuple[int, int] = (5, 7)) -> Tensor:
    return torch.tensor(rgb).float().view(1, 3, 1, 1).expand(1, 3, *shape).contiguous()


def gray(image: Tensor) -> Tensor:
    return image.mean(1, keepdim=True).expand_as(image).contiguous()


def test_every_way_that_can_be_chosen_is_a_row() -> None:
    ways, _ = get_args(get_type_hints(Choices, include_extras=True)["colors"])
    assert get_args(ways) == tuple(COLORS)


SCENES = {
    "pictures": (PHOTO, ARTWORK),
    "one size": (PHOTO, OTHER),
    "gray photo": (gray(PHOTO), ARTWORK),
    "gray artwork": (PHOTO, gray(ARTWORK)),
    "plain photo": (constant(0.2, 0.5, 0.9), ARTWORK),
    "plain artwork": (PHOTO, constant(0.9, 0.1, 0.3)),
    "black on white": (constant(0, 0, 0), constant(1, 1, 1)),
    "a pixel": (picture(1, 1, seed=5), ARTWORK),
    "artwork of a pixel": (PHOTO, picture(1, 1, seed=5)),
    "a line": (picture(1, 40, seed=6), picture(2, 1, seed=5)),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("way", COLORS)
def test_every_way_gives_pictures_and_changes_none(way: str, scene: str) -> None:
    photo, artwork = (each.clone() for each in SCENES[scene])
    painted = picture(*photo.shape[-2:], seed=8)
    before = [each.clone() for each in (photo, artwork, painted)]
    shown = COLORS[way].prepared(artwork, photo)
    found = finished(painted, photo, [Artwork(artwork)], recipe(colors=way))
    for image, like in ((shown, artwork), (found, painted)):
        assert image.shape == like.shape
        assert image.dtype == torch.float32
        assert image.isfinite().all()
        assert image.min() >= 0
        assert image.max() <= 1
    assert all(torch.equal(*each) for each in zip(before, (photo, artwork, painted), strict=True))


@pytest.mark.parametrize("way", COLORS)
def test_large_pictures_take_no_more_than_a_few_blocks(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And look as they would at once."""
    painted, photo = (picture(60, 50, seed=seed) for seed in range(2))
    asked, artworks = recipe(colors=way), [Artwork(ARTWORK)]
    whole = finished(painted, photo, artworks, asked)
    shown = COLORS[way].prepared(photo, painted)
    monkeypatch.setattr(colors, "_BLOCK", 120)
    with TensorBytes() as finishing:
        parts = finished(painted, photo, artworks, asked)
    with TensorBytes() as preparing:
        again = COLORS[way].prepared(photo, painted)
    assert torch.allclose(whole, parts, atol=1e-5)
    assert torch.allclose(shown, again, atol=1e-5)
    # Two that are given count, too; the parts of the result, and the result.
    assert max(finishing.peak, preparing.peak) < 4.5 * painted.nbytes


def test_the_artwork_s_colors_are_no_work() -> None:
    assert COLORS["style"].prepared(ARTWORK, PHOTO) is ARTWORK
    assert finished(OTHER, PHOTO, [], recipe()) is OTHER
    assert [way for way, row in COLORS.items() if row.prepares] == ["recolor"]


def covariance(pixels: Tensor) -> Tensor:
    """Return that of (3, N)."""
    return torch.cov(pixels, correction=0)


def pixels(seed: int, count: int, spread: float) -> Tensor:
    """Draw pixels (3, N), float64, whose channels go together in some way."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    return spread * mixing @ torch.randn(3, count, generator=generator, dtype=torch.float64)


@given(st.integers(0, 10**6), st.integers(8, 90), st.floats(0.05, 9), st.floats(0.05, 9))
def test_the_transport_reaches_any_covariance(
    seed: int, count: int, spread: float, other: float
) -> None:
    of = covariance(pixels(seed, count, spread))
    to = covariance(pixels(seed + 1, count, other))
    matrix = transport(of, to)
    if torch.linalg.eigvalsh(of)[0] > LEVEL**2:
        assert torch.allclose(matrix @ of @ matrix.mT, to, rtol=1e-6, atol=1e-9 * to.max().item())
    # Symmetric and of no negative eigenvalue: what was lighter than another colour stays so.
    assert torch.allclose(matrix, matrix.mT, atol=1e-9 * matrix.abs().max().item())
    assert torch.linalg.eigvalsh((matrix + matrix.mT) / 2)[0] > -1e-9 * matrix.abs().max()


def test_recolored_has_the_mean_and_covariance_of_the_other() -> None:
    soft = 0.5 + 0.2 * (ARTWORK - ARTWORK.mean((2, 3), keepdim=True))
    like = 0.5 + 0.2 * (PHOTO - 0.5)
    found, wanted = (
        each[0].flatten(1).double() for each in (recolored(soft, Palette.of(like)), like)
    )
    assert torch.allclose(found.mean(1), wanted.mean(1), atol=1e-6)
    assert torch.allclose(covariance(found), covariance(wanted), atol=1e-7)


def test_match_has_the_palette_of_the_artwork() -> None:
    like = 0.5 + 0.2 * (ARTWORK - 0.5)
    painted = 0.5 + 0.2 * (OTHER - 0.5)
    found = finished(painted, PHOTO, [Artwork(like)], recipe(colors="match"))
    assert torch.equal(found, recolored(painted, Palette.of(like)))
    assert torch.allclose(found.mean((2, 3)), like.mean((2, 3)), atol=1e-6)


def test_a_palette_of_several_artworks_is_that_of_all_their_pixels() -> None:
    """Each counts by its share, whatever its size, and by its mask; black masks are none."""
    one, other = picture(6, 8, seed=1), picture(12, 8, seed=2)
    mask = torch.zeros(1, 1, 12, 8)
    mask[..., :6, :] = 1
    side_by_side = Palette.of(torch.cat([one, other[..., :6, :]], 3))
    found = Palette.of_artworks([Artwork(one, 0.5), Artwork(other, 0.5, mask)])
    assert torch.allclose(found.mean, side_by_side.mean)
    assert torch.allclose(found.covariance, side_by_side.covariance)
    alone = Palette.of_artworks([Artwork(one, 0.0, 0 * mask[..., :6, :]), Artwork(other, 1.0)])
    assert torch.allclose(alone.mean, Palette.of(other).mean, atol=1e-6)
    assert Palette.of_artworks([Artwork(one, 0.0)]).mean.isfinite().all()


def test_regions_count_by_their_area() -> None:
    content, styles = (
        Content(PHOTO, {}),
        [Style((Artwork(each),), {}, {}) for each in (PHOTO, OTHER)],
    )
    mask = torch.zeros(1, 1, 24, 32)
    mask[..., :8] = 1
    regions = tuple(map(Region, (mask, 1 - mask), styles))
    assert [each.share for each in Scale(content, styles[0]).artworks] == [1]
    held = Scale(content, styles[0], Guidance(regions=regions)).artworks
    assert [each.share for each in held] == [0.25, 0.75]
    assert held[1].image is OTHER


def test_a_picture_recolored_like_itself_is_itself() -> None:
    assert torch.allclose(recolored(PHOTO, Palette.of(PHOTO)), PHOTO, atol=1e-6)


def test_what_has_no_colors_to_spread_is_given_the_mean() -> None:
    plain = recolored(constant(0.9, 0.1, 0.3), Palette.of(PHOTO))
    mean = PHOTO.mean((2, 3), keepdim=True)
    assert torch.allclose(plain, mean.expand_as(plain), atol=1e-6)
    # Noise of half a level is no colour.
    noisy = constant(0.5, 0.5, 0.5, shape=(40, 40))
    noisy += LEVEL / 2 * (torch.rand(noisy.shape, generator=torch.Generator().manual_seed(1)) - 0.5)
    assert recolored(noisy, Palette.of(PHOTO)).std((2, 3)).max() < LEVEL


def test_a_gray_artwork_is_spread_along_its_grays() -> None:
    found = recolored(gray(ARTWORK), Palette.of(0.5 + 0.2 * (PHOTO - 0.5)))
    spread = found - found.mean((2, 3), keepdim=True)
    assert torch.linalg.matrix_rank(covariance(spread[0].flatten(1).double()), atol=1e-9) == 1


def test_oklab_is_that_of_its_author() -> None:
    """Of white and the primaries, by the tables that he gives of XYZ and of sRGB."""
    known = {
        (1.0, 1.0, 1.0): (1.0, 0.0, 0.0),
        (1.0, 0.0, 0.0): (0.62796, 0.22486, 0.12585),
        (0.0, 1.0, 0.0): (0.86644, -0.23389, 0.17950),
        (0.0, 0.0, 1.0): (0.45201, -0.03246, -0.31153),
    }
    for rgb, lab in known.items():
        found = oklab.of_srgb(constant(*rgb, shape=(1, 1)).double()).flatten().tolist()
        assert found == pytest.approx(lab, abs=2e-4)


@given(st.integers(0, 10**6))
def test_oklab_and_back_is_the_same(seed: int) -> None:
    image = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    image[..., :2, :] = (image[..., :2, :] * 255).round() / 255
    there = oklab.of_srgb(image)
    assert torch.allclose(oklab.to_srgb(there), image, atol=2e-5)
    assert torch.allclose(oklab.paled(there), there, atol=1e-4)
    assert torch.allclose(oklab.of_srgb(gray(image))[:, 1:], torch.zeros(()), atol=1e-4)


def as_gray(image: Tensor) -> Tensor:
    """Return the gray of the same lightness: (1, 3, H, W) -> (1, 1, H, W), sRGB."""
    lab = oklab.of_srgb(image)
    return oklab.to_srgb(torch.cat([lab[:, :1], torch.zeros_like(lab[:, 1:])], 1))[:, :1]


@given(st.integers(0, 10**6), st.floats(0.3, 6))
def test_luminance_is_kept_to_a_level_and_hue_too(seed: int, darkness: float) -> None:
    """Of any picture with the chroma of any photo, also where no screen has such a colour."""
    generator = torch.Generator().manual_seed(seed)
    painted, photo = (torch.rand(1, 3, 6, 6, generator=generator) for _ in range(2))
    painted **= darkness
    painted[..., 0] = painted[..., 0].round()
    photo[..., 1] = photo[..., 1].round()
    found = finished(painted, photo, [], recipe(colors="luminance"))
    written = (found * 255).round() / 255
    assert (as_gray(written) - as_gray(painted)).abs().max() < LEVEL
    chroma, before = oklab.of_srgb(found)[:, 1:], oklab.of_srgb(photo)[:, 1:]
    across = chroma[:, 0] * before[:, 1] - chroma[:, 1] * before[:, 0]
    assert across.abs().max() < 1e-3
    assert (chroma.norm(dim=1) <= before.norm(dim=1) + 2e-3).all()


def test_a_picture_with_its_own_chroma_is_itself() -> None:
    assert torch.allclose(finished(PHOTO, PHOTO, [], recipe(colors="luminance")), PHOTO, atol=1e-3)


def test_a_gray_photo_makes_a_gray_picture() -> None:
    found = finished(OTHER, gray(PHOTO), [], recipe(colors="luminance"))
    assert (found.amax(1) - found.amin(1)).max() < LEVEL / 2
    # Their grays differ by what lightness is to both spaces, which is little.
    lightness = [rgb2lab(each[0].permute(1, 2, 0).numpy())[..., 0] for each in (found, OTHER)]
    assert abs(lightness[0] - lightness[1]).max() < 10
