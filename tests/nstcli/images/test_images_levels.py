"""Samples of every depth and number format: white comes out white, or a note says why not."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nstcli.errors import InputError
from nstcli.images import decode
from tests.nstcli.images.test_images_decode import png
from tests.nstcli.images.tiffs import gray, packed, tiff

STATED = {340: ("double", [0.0]), 341: ("double", [100.0])}


def levels_of(data: bytes, name: str = "a.tif") -> tuple[list[int], tuple[str, ...]]:
    """The first row of a gray picture, and what is noted."""
    picture = decode(data, name)
    assert (picture.rgb == picture.rgb[..., :1]).all()
    return picture.rgb[0, :, 0].tolist(), picture.notes


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize(
    ("bits", "photometric"),
    [(12, 1), *((bits, least) for bits in (1, 2, 4, 8, 16) for least in (1, 0))],
)
def test_white_of_every_depth(bits, photometric, compression):
    white = 2**bits - 1
    row = [0, white, white // 2 + 1, white]
    data = np.array([row, row], "<u2").tobytes() if bits == 16 else packed([row, row], bits)
    if compression == 8:
        data = zlib.compress(data)
    file = tiff(data, 4, 2, bits, photometric=photometric, compression=compression)
    found, notes = levels_of(file)
    wanted = np.rint(np.array(row) / white * 255).astype(int)
    assert found == (wanted if photometric else 255 - wanted).tolist()
    assert notes == ()


@pytest.mark.parametrize(
    ("bits", "kind", "photometric", "samples", "words"),
    [
        (10, 1, 1, 1, "1 × 10 bits a pixel, unsigned"),
        (14, 1, 1, 1, "1 × 14 bits a pixel, unsigned"),
        (12, 1, 0, 1, "1 × 12 bits a pixel, unsigned, photometric 0"),
        (12, 1, 2, 3, "3 × 12 bits a pixel, unsigned"),
        (16, 3, 1, 1, "1 × 16 bits a pixel, float"),
        (64, 3, 1, 1, "1 × 64 bits a pixel, float"),
        (32, 3, 2, 3, "3 × 32 bits a pixel, float"),
        (16, 2, 2, 3, "3 × 16 bits a pixel, signed"),
    ],
)
def test_what_cannot_be_read_is_not_called_damaged(bits, kind, photometric, samples, words):
    data = bytes(8 * samples * bits)
    file = tiff(data, 8, 8, bits, samples=samples, photometric=photometric, sample_format=kind)
    with pytest.raises(InputError, match=f"a.tif: a TIFF of {words}.*; save it as 8-bit RGB"):
        decode(file, "a.tif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize(
    ("values", "levels", "note"),
    [
        (np.array([[-128, 0, 127]], "i1"), [0, 128, 255], "-128..127 were stretched"),
        (np.array([[0, 64, 127]], "i1"), [0, 129, 255], ""),
        (np.array([[-300, 0, 300]], "i2"), [0, 128, 255], "-300..300 were stretched"),
        (np.array([[0, 16384, 32767]], "i2"), [0, 128, 255], ""),
        (np.array([[0, 2000, 4000]], "i2"), [0, 125, 249], "0..4000 name no scale; 4095 was"),
        (np.array([[0, 500, 1000]], "i4"), [0, 125, 249], "0..1000 name no scale; 1023 was"),
        (np.array([[0, 3, 5]], "i4"), [0, 153, 255], "0..5 were stretched"),
        (np.array([[0, 0.5, 1.02]], "f4"), [0, 128, 255], "0..1.02 were clipped to 0..1"),
        (np.array([[-0.05, 0.5, 1]], "f4"), [0, 128, 255], "-0.05..1 were clipped to 0..1"),
        (np.array([[0, 100, 250]], "f4"), [0, 100, 250], "0..250 name no scale; 255 was"),
        (np.array([[0, 0, 65535]], "f4"), [0, 0, 255], "0..65535 name no scale; 65535 was"),
        (np.array([[0, 0, 256.5]], "f4"), [0, 0, 255], "0..256.5 were clipped to 0..255"),
        (np.array([[-3, 0, 3]], "f4"), [0, 128, 255], "-3..3 were stretched to 0..255"),
        (np.array([[0, 2, 4]], "f4"), [0, 128, 255], "0..4 were stretched to 0..255"),
        (np.array([[0, 0, 0.02]], "f4"), [0, 0, 5], "reach only 0.02, and 1 was taken for white"),
    ],
)
def test_numbers_that_name_no_scale(values, levels, note, compression, order):
    data = gray(values, order=order)
    if compression == 8:
        raw = zlib.compress(values.astype(values.dtype.newbyteorder(order)).tobytes())
        kind = {"i": 2, "f": 3}[values.dtype.kind]
        data = tiff(raw, 3, 1, 8 * values.itemsize, sample_format=kind, order=order, compression=8)
    found, notes = levels_of(data)
    assert found == levels
    assert len(notes) == bool(note)
    assert not note or f"its gray levels {note}" in notes[0]


def test_32_bits_without_a_sign():
    """Pillow has but signed numbers of 32 bits, so that white would be -1."""
    found, notes = levels_of(gray(np.array([[0, 2**31, 2**32 - 1]], "u4")))
    assert found == [0, 128, 255]
    assert "were stretched" in notes[0]


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_numbers_of_which_the_least_is_white(dtype):
    top = 65535 if dtype == "u2" else 1
    assert levels_of(gray(np.array([[0, top]], dtype), photometric=0)) == ([255, 0], ())


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4"])
def test_the_range_that_tags_state(dtype):
    found, notes = levels_of(gray(np.array([[0, 50, 100]], dtype), more=STATED))
    assert found == [0, 128, 255]
    assert notes == ("black is 0 and white 100, as its tags say",)


def test_a_stated_range_that_is_none_of_the_numbers_or_no_range():
    values = np.array([[0, 50, 120]], "u1")
    _, (note,) = levels_of(gray(values, more=STATED))
    assert note.endswith("it goes from 0 to 120")
    for limits in ([0.0, 0.0], [5.0, 1.0], [0.0, float("nan")], [0.0, float("inf")]):
        low, high = limits
        more = {340: ("double", [low]), 341: ("double", [high])}
        found, (note,) = levels_of(gray(values, more=more))
        assert found == [0, 50, 120]
        assert "was ignored" in note


def test_a_stated_range_in_colour_is_not_passed_over_without_a_word():
    more = {341: ("short", [4095] * 3)}
    data = np.full((2, 2, 3), 4095, "<u2").tobytes()
    picture = decode(tiff(data, 2, 2, 16, samples=3, photometric=2, more=more), "a.tif")
    assert picture.notes == ("its tags say that black is 0 and white 4095; that was ignored",)


@pytest.mark.parametrize("kind", ["tif", "png"])
@pytest.mark.parametrize("colour", [False, True])
def test_twelve_bits_in_sixteen_are_noted(kind, colour):
    samples = 3 if colour else 1
    values = np.full((4, 4, samples), 4095)
    if kind == "tif":
        data = tiff(
            values.astype("<u2").tobytes(), 4, 4, 16, samples=samples, photometric=1 + colour
        )
    else:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
        data = png(4, 4, 16, 2 * colour, rows)
    picture = decode(data, f"a.{kind}")
    assert picture.rgb.max() <= 16
    assert picture.notes == (
        "it is dark: its lightest level is 4095, white 65535; if less is white, scale it",
    )


def test_black_is_no_news():
    assert levels_of(gray(np.zeros((2, 2), "u2"))) == ([0, 0], ())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("samples", [3, 4])
def test_planes_of_16_bits(samples, order):
    """Pillow's own decoder reads each as a plane of 8 bits."""
    values = np.random.default_rng(5).integers(0, 65536, (samples, 6, 5))
    if samples == 4:
        values[3] = 65535
    more = {284: ("short", [2])} | ({338: ("short", [2])} if samples == 4 else {})
    size = 6 * 5 * 2
    data = values.astype(f"{order}u2").tobytes()
    planes = {
        273: ("long", [0] * samples),
        278: ("short", [6]),
        279: ("long", [size] * samples),
    }
    options = {"samples": samples, "photometric": 2, "order": order}
    length = len(tiff(b"", 5, 6, 16, more=more | planes, **options))
    planes[273] = ("long", [length + size * n for n in range(samples)])
    picture = decode(tiff(data, 5, 6, 16, more=more | planes, **options), "a.tif")
    np.testing.assert_array_equal(picture.rgb, np.moveaxis(values[:3], 0, -1) >> 8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize("photometric", [1, 0])
def test_gray_in_a_plane_of_its_own(dtype, order, photometric):
    """Pillow's own decoder forgets all of the format but its first letter."""
    top = 1 if dtype == "f4" else np.iinfo(dtype).max
    values = np.array([[0, top]], dtype)
    options = {"order": order, "photometric": photometric}
    try:
        one = decode(gray(values, **options), "a.tif").rgb
    except InputError:  # a kind that Pillow does not know
        return
    planes = decode(gray(values, more={284: ("short", [2])}, **options), "a.tif")
    np.testing.assert_array_equal(planes.rgb, one)
    assert one[0, :, 0].tolist() == ([0, 255] if photometric else [255, 0])


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
def test_few_bits_in_a_plane_of_their_own(bits):
    data = packed([[0, 2**bits - 1]], bits)
    file = tiff(data, 2, 1, bits, more={284: ("short", [2])})
    assert levels_of(file) == ([0, 255], ())


@pytest.mark.parametrize(("scale", "noted"), [(257, False), (256, False), (1, True)])
def test_a_palette_of_16_or_8_bits(scale, noted):
    entries = [0] * 48
    entries[0::16], entries[1::16] = [200, 100, 50], [255, 255, 255]
    more = {320: ("short", [entry * scale for entry in entries])}
    picture = decode(tiff(packed([[0, 1]], 4), 2, 1, 4, photometric=3, more=more), "a.tif")
    np.testing.assert_array_equal(picture.rgb[0], [[200, 100, 50], [255, 255, 255]])
    assert len(picture.notes) == noted


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_transparent_level_of_a_shallow_png(bits):
    row = [0, 1]
    data = png(2, 1, bits, 0, b"\0" + packed([row], bits), (b"tRNS", struct.pack(">H", 1)))
    np.testing.assert_array_equal(decode(data, "a.png").alpha, [[255, 0]])


def test_the_transparent_colour_of_a_png_of_16_bits():
    clear, other = (1000, 2000, 3000), (40000, 50000, 60000)
    rows = b"\0" + struct.pack(">6H", *clear, *other)
    data = png(2, 1, 16, 2, rows, (b"tRNS", struct.pack(">3H", *clear)))
    np.testing.assert_array_equal(decode(data, "a.png").alpha, [[0, 255]])


@pytest.mark.parametrize("white", [1, 9, 255, 1023, 4095, 65535])
def test_every_white_of_a_pgm(white):
    size = "u1" if white < 256 else ">u2"
    data = f"P5 2 1 {white}\n".encode() + np.array([0, white], size).tobytes()
    assert levels_of(data, "a.pgm") == ([0, 255], ())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4", "f4"])
@settings(max_examples=60, deadline=None)
@given(
    low=st.integers(-70_000, 70_000),
    span=st.integers(0, 70_000),
    scale=st.sampled_from([1e-4, 1e-2, 1, 1e3]),
    photometric=st.sampled_from([0, 1]),
)
def test_no_gray_picture_is_dark_without_a_word(dtype, order, low, span, scale, photometric):
    """Whatever the numbers, the lightest comes to a quarter of white, or something is said."""
    wanted = np.linspace(low, low + span, 8).reshape(2, 4) * (scale if dtype == "f4" else 1)
    if dtype != "f4":
        wanted = wanted.clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
    values = wanted.astype(dtype)
    try:
        picture = decode(gray(values, order=order, photometric=photometric), "a.tif")
    except InputError as error:
        assert "which cannot be read" in str(error)  # noqa: PT017
        return
    shown = picture.rgb[..., 0].astype(int)
    sign = 1 if photometric else -1
    assert (np.diff(sign * shown.ravel()) >= 0).all()  # values rise, and so do levels
    if dtype not in ("u1",) and values.any() and photometric:
        assert picture.notes or shown.max() >= (31 if dtype == "f4" else 63)


@settings(max_examples=300, deadline=None)
@given(
    tags=st.dictionaries(
        st.sampled_from([258, 262, 277, 284, 317, 320, 338, 339, 340, 341]),
        st.tuples(
            st.sampled_from(["short", "long", "double"]),
            st.lists(st.integers(0, 300), min_size=1, max_size=5),
        ),
    )
)
def test_odd_tags_end_in_a_picture_or_one_line(tags):
    try:
        picture = decode(tiff(bytes(range(256)) * 2, 8, 8, 16, more=tags), "a.tif")
    except InputError as error:
        assert str(error).startswith("a.tif: ")  # noqa: PT017
    else:
        assert picture.rgb.shape == (8, 8, 3)


def test_pillow_reads_what_the_writer_writes():
    values = np.arange(12, dtype="u1").reshape(3, 4)
    for order in "<>":
        with Image.open(io.BytesIO(gray(values, order=order))) as image:
            np.testing.assert_array_equal(np.asarray(image), values)
