"""Colour profiles: other people's colours become sRGB, by numbers worked out here."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from nstcli.images import decode
from nstcli.images.srgb import srgb_profile
from tests.nstcli.images.profiles import (
    ADOBE_RGB,
    D50,
    DISPLAY_P3,
    SRGB,
    cmyk_profile,
    gray_profile,
    ink_lab,
    profile,
    rgb_profile,
    srgb_curve,
    srgb_from_lab,
    srgb_from_xyz,
)

COLORS = np.array(
    [[0, 0, 0], [255, 255, 255], [128, 128, 128], [180, 120, 90], [90, 140, 110], [110, 120, 170]],
    dtype=np.uint8,
)[None]


def save(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("primaries", "power"), [(ADOBE_RGB, 563 / 256), (DISPLAY_P3, 2.2)], ids=["adobe", "p3"]
)
def test_rgb_profiles(primaries, power, file_format):
    options = {"lossless": True} if file_format == "WEBP" else {}
    icc = rgb_profile(primaries, power)
    picture = decode(save(Image.fromarray(COLORS), file_format, icc_profile=icc, **options), "a")
    expected = srgb_from_xyz((COLORS / 255) ** (round(power * 256) / 256) @ primaries.T)
    assert np.abs(expected - COLORS).max() > 5  # else this test would show nothing
    np.testing.assert_allclose(picture.rgb.astype(int), expected, atol=2)
    assert picture.notes == ()


def test_a_profile_leaves_alpha_alone():
    alpha = np.array([[0, 255, 128, 7, 99, 255]], dtype=np.uint8)
    icc = rgb_profile(ADOBE_RGB, 2.2)
    picture = decode(
        save(Image.fromarray(np.dstack((COLORS, alpha))), "PNG", icc_profile=icc), "a.png"
    )
    np.testing.assert_array_equal(picture.alpha, alpha)
    np.testing.assert_array_equal(picture.rgb[0, 0], [255, 255, 255])  # white of sRGB, untouched


def test_a_palette_with_a_profile():
    icc = rgb_profile(ADOBE_RGB, 563 / 256)
    image = Image.fromarray(COLORS).quantize(8)
    picture = decode(save(image, "PNG", icc_profile=icc), "a.png")
    pixels = np.asarray(image.convert("RGB"))
    expected = srgb_from_xyz((pixels / 255) ** (563 / 256) @ ADOBE_RGB.T)
    np.testing.assert_allclose(picture.rgb.astype(int), expected, atol=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_profile(dtype):
    levels = np.array([[0, 20, 64, 128, 255]])
    image = Image.fromarray((levels * (257 if dtype == np.uint16 else 1)).astype(dtype))
    picture = decode(save(image, "PNG", icc_profile=gray_profile(1.0)), "a.png")
    linear = levels[..., None] / 255 * D50
    np.testing.assert_allclose(picture.rgb.astype(int), srgb_from_xyz(linear), atol=2)
    assert picture.notes == ()


def test_gray_pixels_with_an_rgb_profile():
    levels = np.array([[0, 20, 64, 128, 255]], dtype=np.uint8)
    icc = rgb_profile(SRGB, 1.0)
    picture = decode(save(Image.fromarray(levels), "TIFF", icc_profile=icc), "a.tif")
    linear = levels[..., None] / 255 * D50
    np.testing.assert_allclose(picture.rgb.astype(int), srgb_from_xyz(linear), atol=2)


@pytest.mark.parametrize(
    "inks", [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (1, 1, 0, 0), (0, 0, 0, 1)]
)
@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_cmyk_profile(inks, file_format):
    image = Image.new("CMYK", (16, 16), tuple(255 * ink for ink in inks))
    picture = decode(save(image, file_format, icc_profile=cmyk_profile()), "a")
    expected = np.broadcast_to(srgb_from_lab(*ink_lab(inks)), (16, 16, 3))
    np.testing.assert_allclose(picture.rgb.astype(int), expected, atol=4)
    assert picture.notes == ()


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_cmyk_without_a_profile(file_format):
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    picture = decode(save(image, file_format), "a")
    expected = np.broadcast_to([0, 255, 255], (16, 16, 3))
    np.testing.assert_allclose(picture.rgb.astype(int), expected, atol=3)


@pytest.mark.parametrize("lab", [(0, 0, 0), (100, 0, 0), (60, 30, 20), (50, -20, -15)])
def test_lab(lab):
    light, a, b = lab
    image = Image.new("LAB", (2, 2), (round(light * 2.55), a + 128, b + 128))
    picture = decode(save(image, "TIFF"), "a.tif")
    expected = np.broadcast_to(srgb_from_lab(*lab), (2, 2, 3))
    # LittleCMS interpolates in a coarse grid here, unlike for RGB profiles.
    np.testing.assert_allclose(picture.rgb.astype(int), expected, atol=5)


def test_srgb_under_any_name_keeps_pixels_exact():
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    fresh = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Primaries off by a rounding, as in many a profile: through it, a pixel in 60 would change.
    off = 2e-4 * np.array([[1, -1, 0], [0, 1, -1], [1, 0, -1]])
    tabled = rgb_profile(SRGB * (1 + off), 0, srgb_curve(1024))
    for icc in (fresh, srgb_profile(), tabled):
        data = save(Image.fromarray(pixels), "PNG", icc_profile=icc)
        np.testing.assert_array_equal(decode(data, "a.png").rgb, pixels)


@pytest.mark.parametrize(
    ("icc", "note"),
    [
        (b"not a profile", "its colour profile is damaged and was ignored"),
        (rgb_profile(ADOBE_RGB, 2.2)[:200], "its colour profile is damaged and was ignored"),
        (profile(b"RGB ", b"mntr", b"XYZ ", {}), "its colour profile is damaged and was ignored"),
        (cmyk_profile(), "its colour profile was ignored (a CMYK profile on RGB pixels)"),
        (gray_profile(1.0), "its colour profile was ignored (a GRAY profile on RGB pixels)"),
    ],
    ids=["junk", "cut", "empty", "cmyk", "gray"],
)
def test_a_profile_that_cannot_be_used_is_noted(icc, note):
    picture = decode(save(Image.fromarray(COLORS), "PNG", icc_profile=icc), "a.png")
    np.testing.assert_array_equal(picture.rgb, COLORS)
    assert picture.notes == (note,)


def test_unreadable_color_space_is_noted():
    icc = bytearray(rgb_profile(ADOBE_RGB, 2.2))
    icc[16] = 0xFF  # Pillow reads this as ASCII
    picture = decode(save(Image.fromarray(COLORS), "PNG", icc_profile=bytes(icc)), "a.png")
    assert picture.notes == ("its colour profile is damaged and was ignored",)
