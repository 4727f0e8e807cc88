"""Colour profiles: other people's colours become sRGB, by numbers worked out here."""

import io
import itertools
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from nstcli.images import decode
from nstcli.images.srgb import srgb_profile

# Primaries as columns, linear RGB -> XYZ relative to D50, the white of every ICC profile.
SRGB = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
ADOBE_RGB = np.array(
    [
        [0.6097559, 0.2052401, 0.1492240],
        [0.3111242, 0.6256560, 0.0632197],
        [0.0194811, 0.0608902, 0.7448387],
    ]
)
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
D50 = np.array([0.9642, 1.0, 0.8249])

COLORS = np.array(
    [[0, 0, 0], [255, 255, 255], [128, 128, 128], [180, 120, 90], [90, 140, 110], [110, 120, 170]],
    dtype=np.uint8,
)[None]


def fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def xyz(*numbers: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*numbers)


def gamma(power: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(power * 256)) + b"\0\0"


def profile(space: bytes, kind: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal ICC version 2 profile."""
    tags = {b"wtpt": xyz(*D50), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(value))
        body += value
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02100000, kind, space, pcs)
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + fixed(*D50)
    return head.ljust(128, b"\0") + table + body


def srgb_curve(entries: int) -> bytes:
    """The curve as a table, as the profiles of cameras and old programs have it."""
    v = np.linspace(0, 1, entries)
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    values = np.rint(linear * 65535).astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">I", entries) + values


def rgb_profile(primaries: np.ndarray, power: float, curve: bytes = b"") -> bytes:
    tags = {name: xyz(*primaries[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve or gamma(power))
    return profile(b"RGB ", b"mntr", b"XYZ ", tags | curves)


def gray_profile(power: float) -> bytes:
    return profile(b"GRAY", b"mntr", b"XYZ ", {b"kTRC": gamma(power)})


def ink_lab(inks: tuple[int, int, int, int]) -> tuple[float, float, float]:
    """The Lab of fully printed inks, of an imaginary press that is easy to compute."""
    c, m, y, k = inks
    light = 100 * (1 - 0.4 * c) * (1 - 0.4 * m) * (1 - 0.1 * y) * (1 - k)
    return light, 25 * (m - c) * (1 - k), 25 * (y - 0.5 * c) * (1 - k)


def cmyk_profile() -> bytes:
    identity = bytes(range(256))
    nodes = b""
    for inks in itertools.product((0, 1), repeat=4):
        light, a, b = ink_lab(inks)
        nodes += bytes((round(light * 2.55), round(a + 128), round(b + 128)))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return profile(b"CMYK", b"prtr", b"Lab ", {b"A2B0": lut + identity * 4 + nodes + identity * 3})


def srgb_from_xyz(values: np.ndarray) -> np.ndarray:
    linear = np.clip(values @ np.linalg.inv(SRGB).T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(curved * 255).astype(int)


def srgb_from_lab(light: float, a: float, b: float) -> np.ndarray:
    y = (light + 16) / 116
    f = np.array([y + a / 500, y, y - b / 200])
    return srgb_from_xyz(np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * D50)


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
