"""Files that are no usable picture: one line that names the file and says what to do."""

import io
import struct
import sys
import types
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from nstcli.errors import InputError
from nstcli.images import DEFAULT_MAX_PIXELS, decode

NOISE = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def save(file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, file_format, **options)
    return buffer.getvalue()


def message(data: bytes, name: str = "photos/dog.jpg", limit: int = DEFAULT_MAX_PIXELS) -> str:
    pillow = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    with pytest.raises(InputError) as caught:
        decode(data, name, limit)
    assert pillow == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    text = str(caught.value)
    assert text.startswith(f"{name}: ")
    assert "\n" not in text
    return text.removeprefix(f"{name}: ")


def empty_png(width: int, height: int) -> bytes:
    """A file of a hundred bytes that claims to be large."""

    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "starts like a web page"),
        (b"\xef\xbb\xbf\n <html>", "starts like a web page"),
        (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "starts like a web page"),
        (b"hello, I am no image\n", "starts like a text"),
        ("héllo, pas d'image".encode(), "starts like a text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript drawing"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        (b"\0" * 4096, "nothing but zero bytes"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00", "a video"),
        (b"\x00\x00\x00\x20ftypavif\x00\x00", "AVIF"),
        (bytes(range(7, 200)), "not an image that can be read"),
        (b"\xff\xd8\xff\xe0", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"GIF89a", "truncated"),
        (b"II*\x00\x08\x00\x00\x00", "truncated"),
    ],
)
def test_no_image(data, words):
    assert words in message(data)


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("PPM", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {}),
        ("JPEG2000", {}),
        ("AVIF", {}),
    ],
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated(file_format, options, share):
    data = save(file_format, **options)
    assert "truncated" in message(data[: int(len(data) * share)])


def test_a_truncated_jpeg_says_just_that():
    data = save("JPEG")
    assert message(data[: len(data) // 2]) == "image file is truncated; copy or download it again"


def test_flipped_bits_are_found():
    data = bytearray(save("PNG"))
    data[len(data) // 2] ^= 0xFF
    assert "damaged" in message(bytes(data))


@pytest.mark.parametrize(
    ("size", "limit", "words"),
    [
        ((100_000, 100_000), DEFAULT_MAX_PIXELS, "10,000,000,000 pixels, the limit is 200,000,000"),
        ((16_000, 16_000), DEFAULT_MAX_PIXELS, "256,000,000 pixels, the limit is 200,000,000"),
        ((11, 10), 100, "110 pixels, the limit is 100"),
        ((100, 100), 100, "10,000 pixels, the limit is 100"),
    ],
)
def test_too_many_pixels(size, limit, words):
    text = message(empty_png(*size), limit=limit)
    assert words in text
    assert "--max-pixels" in text


def test_a_limit_above_pillows_own_is_ours_to_give():
    """90 million pixels make Pillow warn and 180 million make it refuse; neither is our limit."""
    assert "truncated" in message(empty_png(15_000, 13_000))  # past the limit check, into the data


def test_exactly_the_limit_is_allowed():
    assert decode(save("PNG"), "a.png", 1600).width == 40


HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"


def test_heic_without_its_plugin(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "install pillow-heif" in message(HEIC, "IMG_1.HEIC")


def test_heic_asks_for_its_plugin(monkeypatch):
    plugin = types.ModuleType("pillow_heif")
    asked = []
    plugin.register_heif_opener = lambda: asked.append(True)
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    message(HEIC, "IMG_1.HEIC")
    assert asked


def test_too_little_memory_is_said(monkeypatch):
    def load(self):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert "not enough memory to open 40 × 40 pixels" in message(save("BMP"))


def test_a_bug_keeps_its_traceback(monkeypatch):
    def split(image, *, profiled):
        raise ZeroDivisionError

    monkeypatch.setattr("nstcli.images.decoding.to_srgb", split)
    with pytest.raises(ZeroDivisionError):
        decode(save("PNG"), "a.png")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_random_damage_ends_in_a_picture_or_one_line(file_format):
    rng = np.random.default_rng(5)
    good = save(file_format)
    for _ in range(60):
        data = np.frombuffer(good, dtype=np.uint8).copy()
        data[rng.integers(0, min(len(data), 400), 4)] = rng.integers(0, 256, 4)
        try:
            decode(data.tobytes(), "a", 1_000_000)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017 - both endings are fine
