"""What `encode` writes: lossless where promised, tagged as sRGB, the same bytes every time."""

import hashlib
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from nstcli.errors import InputError
from nstcli.images import FORMATS, decode, encode, read_metadata

RNG = np.random.default_rng(11)
RGB = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (9, 7), dtype=np.uint8)
SMOOTH = np.stack(np.broadcast_arrays(*np.ogrid[0:64, 0:64], 90), axis=-1).astype(np.uint8) * 2
RECIPE = {"Software": "nst 0.1.0", "nst": json.dumps({"content": "Füße", "steps": 500})}
PILLOW = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tiff": "TIFF"}


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", FORMATS)
def test_round_trip(kind):
    data = encode(SMOOTH, None, kind)
    assert opened(data).format == PILLOW[kind]
    picture = decode(data, "a" + FORMATS[kind][0])
    atol = 0 if kind in ("png", "tiff") else 8
    np.testing.assert_allclose(picture.rgb.astype(int), SMOOTH, atol=atol)
    assert picture.alpha is None
    assert picture.notes == ()


@pytest.mark.parametrize("kind", FORMATS)
def test_alpha_where_the_format_holds_it(kind):
    picture = decode(encode(RGB, ALPHA, kind), "a")
    if kind == "jpg":
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, ALPHA)
    if kind in ("png", "tiff"):
        np.testing.assert_array_equal(np.asarray(opened(encode(RGB, ALPHA, kind)))[..., :3], RGB)


def test_png_is_tagged_by_chunk():
    image = opened(encode(RGB))
    assert image.info["srgb"] == 0
    assert "icc_profile" not in image.info


@pytest.mark.parametrize("kind", ["jpg", "webp", "tiff"])
def test_the_others_are_tagged_by_profile(kind):
    icc = opened(encode(RGB, None, kind)).info["icc_profile"]
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))


def test_jpg_keeps_full_color_resolution():
    image = opened(encode(SMOOTH, None, "jpg"))
    assert {component[1:3] for component in image.layer} == {(1, 1)}


def test_tiff_is_compressed():
    assert len(encode(np.zeros((500, 500, 3), dtype=np.uint8), None, "tiff")) < 10_000


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_quality_counts(kind):
    assert len(encode(RGB, None, kind, 30)) < len(encode(RGB, None, kind, 95))


@pytest.mark.parametrize("quality", [50, 90, 95, 100])
def test_noise_fits_into_the_jpeg_buffer(quality):
    """With Pillow's own guess of the buffer, this ends in "broken data stream"."""
    noise = RNG.integers(0, 256, (400, 400, 3), dtype=np.uint8)
    before = ImageFile.MAXBLOCK
    assert decode(encode(noise, None, "jpg", quality), "a.jpg").width == 400
    assert before == ImageFile.MAXBLOCK


PROGRAM = """
import hashlib, sys, time
import numpy as np
from nstcli.images import encode
time.sleep(float(sys.argv[1]))
rgb = np.arange(9 * 7 * 3, dtype=np.uint8).reshape(9, 7, 3)
for kind in ("png", "jpg", "webp", "tiff"):
    data = encode(rgb, rgb[..., 0], kind, 95, {"Software": "nst", "nst": "\u65e5"})
    print(kind, hashlib.sha256(data).hexdigest())
"""


def test_same_bytes_in_another_process_at_another_time():
    """More than a second apart: an ICC profile carries the second of its creation."""
    runs = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, wait], stdout=subprocess.PIPE, text=True)
        for wait in ("0", "1.2")
    ]
    first, second = (run.communicate()[0] for run in runs)
    assert first == second
    assert len(first.splitlines()) == len(FORMATS)


@pytest.mark.parametrize("kind", FORMATS)
def test_same_bytes_from_other_memory_layouts(kind):
    def digest(rgb: np.ndarray) -> str:
        return hashlib.sha256(encode(rgb, ALPHA, kind)).hexdigest()

    assert digest(RGB) == digest(np.asfortranarray(RGB)) == digest(RGB[:, ::-1][:, ::-1])
    assert encode(RGB, None, kind) == encode(RGB[:, ::-1][:, ::-1], None, kind)


@pytest.mark.parametrize("kind", FORMATS)
def test_metadata_comes_back(kind):
    data = encode(RGB, None, kind, metadata=RECIPE)
    assert read_metadata(data) == RECIPE
    np.testing.assert_array_equal(  # and changes no pixel
        np.asarray(opened(data)), np.asarray(opened(encode(RGB, None, kind)))
    )
    assert decode(data, "a").notes == ()


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=25, deadline=None)
@given(software=st.text(), recipe=st.text())
def test_any_unicode_in_metadata(kind, software, recipe):
    metadata = {"Software": software, "nst": recipe}
    assert read_metadata(encode(RGB, None, kind, metadata=metadata)) == metadata


@pytest.mark.parametrize("kind", FORMATS)
def test_names_that_are_not_utf8_survive_inside_a_recipe(kind):
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    recipe = json.dumps({"content": name}, ensure_ascii=False)
    found = read_metadata(encode(RGB, None, kind, metadata={"nst": recipe}))
    assert json.loads(found["nst"]) == {"content": name}


@pytest.mark.parametrize("kind", ["jpg", "webp", "tiff"])
def test_other_programs_find_software(kind):
    data = encode(RGB, None, kind, metadata={"Software": "nst é", "nst": "{}"})
    assert opened(data).getexif()[0x0131] == "nst ?"


@pytest.mark.parametrize("kind", FORMATS)
def test_no_metadata(kind):
    data = encode(RGB, None, kind)
    assert read_metadata(data) == {}
    assert "exif" not in opened(data).info


@pytest.mark.parametrize("data", [b"", b"<html>", encode(RGB)[:40], encode(RGB, None, "jpg")[:99]])
def test_no_metadata_in_what_is_no_image(data):
    assert read_metadata(data) == {}


@pytest.mark.parametrize(
    ("comment", "found"),
    [(b"ASCII\0\0\0hello", {"Software": "cam"}), (b'ASCII\0\0\0{"a": 1}', {"Software": "cam"})],
)
def test_comments_of_other_programs_are_not_ours(comment, found):
    exif = Image.Exif()
    exif[0x0131] = "cam"
    exif.get_ifd(0x8769)[0x9286] = comment
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", exif=exif)
    assert read_metadata(buffer.getvalue()) == found


@pytest.mark.parametrize(("kind", "edge"), [("jpg", 65_501), ("webp", 16_384)])
def test_longer_than_the_format_allows(kind, edge):
    with pytest.raises(InputError, match=f"{kind} holds at most .* use png"):
        encode(np.zeros((1, edge, 3), dtype=np.uint8), None, kind)
    encode(np.zeros((1, edge - 1, 3), dtype=np.uint8), None, kind)


@pytest.mark.parametrize(
    ("rgb", "alpha", "kind"),
    [
        (RGB, None, "bmp"),
        (RGB.astype(np.float32), None, "png"),
        (RGB[..., 0], None, "png"),
        (RGB[:0], None, "png"),
        (RGB, ALPHA[1:], "png"),
        (RGB, ALPHA.astype(np.float32), "png"),
    ],
)
def test_wrong_arguments(rgb, alpha, kind):
    with pytest.raises(ValueError, match=r"unknown format|must be uint8"):
        encode(rgb, alpha, kind)
