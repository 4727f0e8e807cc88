"""What `decode` makes of every kind of picture: the right pixels, upright, on white."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from nstcli.images import EXTENSIONS, FORMATS, Picture, decode
from nstcli.images.srgb import to_srgb

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (5, 4), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (5, 4), dtype=np.uint8)
ALPHA[0, 0], ALPHA[1, 1] = 0, 255

UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def save(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def on_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)


def as_rgb(gray: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(gray, dtype=np.uint8)[..., None], 3, axis=-1)


def png(width, height, depth, kind, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize(
    ("file_format", "suffix", "options"),
    [
        ("PNG", ".png", {}),
        ("TIFF", ".tif", {}),
        ("TIFF", ".tiff", {"compression": "tiff_lzw"}),
        ("BMP", ".bmp", {}),
        ("PPM", ".ppm", {}),
        ("WEBP", ".webp", {"lossless": True, "exact": True}),
        ("JPEG2000", ".jp2", {"irreversible": False}),
    ],
)
def test_lossless_files_give_their_own_pixels(file_format, suffix, options):
    picture = decode(save(Image.fromarray(RGB), file_format, **options), "a" + suffix)
    np.testing.assert_array_equal(picture.rgb, RGB)
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.flags.writeable
    assert (picture.width, picture.height) == (4, 5)
    assert picture.alpha is None
    assert picture.notes == ()


@pytest.mark.parametrize(("file_format", "name"), [("JPEG", "a.jpeg"), ("AVIF", "a.avif")])
def test_lossy_files_come_close(file_format, name):
    flat = np.full((16, 16, 3), (200, 100, 50), dtype=np.uint8)
    picture = decode(save(Image.fromarray(flat), file_format, quality=95), name)
    np.testing.assert_allclose(picture.rgb.astype(int), flat, atol=4)
    assert picture.notes == ()


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True, "exact": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_orientation(orientation, file_format, options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.dstack((RGB, ALPHA)))
    picture = decode(save(image, file_format, exif=exif, **options), "a")
    expected = UPRIGHT[orientation](on_white(RGB, ALPHA))
    np.testing.assert_allclose(picture.rgb.astype(int), expected, atol=1)
    np.testing.assert_array_equal(picture.alpha, UPRIGHT[orientation](ALPHA))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_of_a_jpeg(orientation):
    blocks = np.kron(RGB[:3, :2], np.ones((16, 16, 1), dtype=np.uint8))  # survive compression
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(Image.fromarray(blocks), "JPEG", exif=exif, quality=100, subsampling=0)
    picture = decode(data, "a.jpg")
    np.testing.assert_allclose(picture.rgb.astype(int), UPRIGHT[orientation](blocks), atol=6)


@pytest.mark.parametrize("exif", [b"garbage", b"II*\0\xff\xff\xff\xff", b""])
def test_damaged_exif_is_no_obstacle(exif):
    picture = decode(save(Image.fromarray(RGB), "PNG", exif=b"Exif\0\0" + exif), "a.png")
    np.testing.assert_array_equal(picture.rgb, RGB)


def test_transparency_is_laid_over_white_and_kept():
    picture = decode(save(Image.fromarray(np.dstack((RGB, ALPHA))), "PNG"), "a.png")
    np.testing.assert_allclose(picture.rgb.astype(int), on_white(RGB, ALPHA), atol=1)
    assert tuple(picture.rgb[0, 0]) == (255, 255, 255)  # whatever colour hides there
    assert tuple(picture.rgb[1, 1]) == tuple(RGB[1, 1])
    np.testing.assert_array_equal(picture.alpha, ALPHA)


def test_alpha_that_says_nothing_is_left_out():
    opaque = np.dstack((RGB, np.full_like(ALPHA, 255)))
    picture = decode(save(Image.fromarray(opaque), "PNG"), "a.png")
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.rgb, RGB)


def test_gray_with_alpha():
    picture = decode(save(Image.fromarray(np.dstack((GRAY, ALPHA))), "PNG"), "a.png")
    np.testing.assert_allclose(picture.rgb.astype(int), on_white(as_rgb(GRAY), ALPHA), atol=1)
    np.testing.assert_array_equal(picture.alpha, ALPHA)


@pytest.mark.parametrize(
    ("transparency", "alpha"),
    [(1, [255, 0, 255]), (b"\x80\x00", [128, 0, 255])],
)
def test_palette_transparency(transparency, alpha):
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("L")
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    picture = decode(save(image, "PNG", transparency=transparency), "a.png")
    colors = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200]]])
    np.testing.assert_array_equal(picture.alpha, [alpha])
    expected = on_white(colors, np.array([alpha]))
    np.testing.assert_allclose(picture.rgb.astype(int), expected, atol=1)


def test_palette_without_transparency():
    image = Image.fromarray(RGB).quantize(20)
    picture = decode(save(image, "PNG"), "a.png")
    np.testing.assert_array_equal(picture.rgb, np.asarray(image.convert("RGB")))
    assert picture.alpha is None


def test_transparent_gif():
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    image.putpalette([200, 0, 0, 0, 200, 0])
    picture = decode(save(image, "GIF", transparency=1), "a.gif")
    np.testing.assert_array_equal(picture.rgb, [[[200, 0, 0], [255, 255, 255]]])
    np.testing.assert_array_equal(picture.alpha, [[255, 0]])


@pytest.mark.parametrize(
    ("image", "clear", "alpha"),
    [
        (Image.fromarray(np.array([[10, 20]], dtype=np.uint8)), 20, [[255, 0]]),
        (Image.fromarray(RGB[:1, :2]), tuple(RGB[0, 1].tolist()), [[255, 0]]),
        (Image.fromarray(np.array([[False, True]])), 255, [[255, 0]]),
    ],
    ids=["gray", "rgb", "bilevel"],
)
def test_one_transparent_color_in_a_png(image, clear, alpha):
    np.testing.assert_array_equal(
        decode(save(image, "PNG", transparency=clear), "a.png").alpha, alpha
    )


def test_one_transparent_level_in_a_16_bit_png():
    rows = b"\0" + struct.pack(">HH", 1000, 30000)
    picture = decode(png(2, 1, 16, 0, rows, (b"tRNS", struct.pack(">H", 1000))), "a.png")
    np.testing.assert_array_equal(picture.alpha, [[0, 255]])
    np.testing.assert_array_equal(picture.rgb, as_rgb([[255, 117]]))


def test_bilevel():
    bits = RNG.integers(0, 2, (5, 4)).astype(bool)
    picture = decode(save(Image.fromarray(bits), "PNG"), "a.png")
    np.testing.assert_array_equal(picture.rgb, as_rgb(bits * 255))


DEEP = np.array([[0, 1, 128, 129, 385, 386], [257, 32767, 32768, 65000, 65534, 65535]])


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits(file_format):
    """Pillow's own convert would cut every level above 255 to white."""
    picture = decode(save(Image.fromarray(DEEP.astype(np.uint16)), file_format), "a")
    np.testing.assert_array_equal(picture.rgb, as_rgb(np.rint(DEEP / 257)))
    assert picture.notes == ()


def test_big_endian_sixteen_bits():
    image = Image.frombytes("I;16B", (6, 2), DEEP.astype(">u2").tobytes())
    rgb, alpha, notes = to_srgb(image)
    np.testing.assert_array_equal(rgb, as_rgb(np.rint(DEEP / 257)))
    assert (alpha, notes) == (None, [])


@pytest.mark.parametrize(
    ("values", "levels", "noted"),
    [
        (np.array([[0, 257, 65535]], dtype=np.int32), [0, 1, 255], False),
        (np.array([[-100, 0, 100]], dtype=np.int32), [0, 128, 255], True),
        (np.array([[0, 500_000, 1_000_000]], dtype=np.int32), [0, 128, 255], True),
        (np.array([[-5, -5, -5]], dtype=np.int32), [0, 0, 0], True),
        (np.array([[0, 0.5, 1]], dtype=np.float32), [0, 128, 255], False),
        (np.array([[0, 100.4, 255]], dtype=np.float32), [0, 100, 255], True),
        (np.array([[-1, 0, 1]], dtype=np.float32), [0, 128, 255], True),
        (np.array([[np.nan, 0.2, np.inf]], dtype=np.float32), [51, 51, 51], False),
        (np.array([[np.nan, np.nan, np.nan]], dtype=np.float32), [0, 0, 0], False),
    ],
)
def test_numbers_as_pixels(values, levels, noted):
    picture = decode(save(Image.fromarray(values), "TIFF"), "a.tif")
    np.testing.assert_array_equal(picture.rgb, as_rgb([levels]))
    assert [note.startswith("its gray levels") for note in picture.notes] == [True] * noted


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "CMYK", "1", "L", "P"])
def test_opaque_modes(mode):
    image = Image.fromarray(RGB).convert(mode)
    rgb, alpha, notes = to_srgb(image)
    np.testing.assert_array_equal(rgb, np.asarray(image.convert("RGB")))
    assert (alpha, notes) == (None, [])
    if mode in ("YCbCr", "RGBX", "CMYK"):
        np.testing.assert_allclose(np.asarray(rgb, dtype=int), RGB, atol=4)


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "La", "PA"])
def test_modes_with_alpha(mode):
    gray = mode in ("LA", "La")
    pixels = np.array([[[80, 80, 80, 255], [160, 160, 160, 128], [8, 8, 8, 0]]], dtype=np.uint8)
    image = Image.fromarray(pixels)
    image = image.convert("LA") if gray else image
    if mode == "PA":
        image = Image.frombytes("PA", (3, 1), bytes((80, 255, 160, 128, 8, 0)))
        image.putpalette([level for level in range(256) for _ in "RGB"])
    image = image.convert(mode)
    rgb, alpha, _ = to_srgb(image)
    np.testing.assert_array_equal(alpha, pixels[..., 3])
    np.testing.assert_allclose(np.asarray(rgb, dtype=int)[:, :2], pixels[:, :2, :3], atol=1)


@pytest.mark.parametrize(
    ("file_format", "note"),
    [
        ("GIF", "only the first of 3 frames is used"),
        ("WEBP", "only the first of 3 frames is used"),
        ("PNG", "only the first of 3 frames is used"),
        ("TIFF", "only the first of 3 pages is used"),
    ],
)
def test_the_first_of_several_frames(file_format, note):
    colors = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    frames = [Image.new("RGB", (8, 8), color) for color in colors]
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = save(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    picture = decode(data, "a")
    np.testing.assert_array_equal(picture.rgb, np.asarray(frames[0]))
    assert picture.notes == (note,)


def test_a_damaged_later_frame_does_not_matter():
    frames = [Image.fromarray(RNG.integers(0, 256, (32, 32), dtype=np.uint8)) for _ in range(2)]
    data = save(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    last = struct.unpack("<I", data[4:8])[0]
    count = struct.unpack("<H", data[last : last + 2])[0]
    second = last + 2 + 12 * count
    broken = data[:second] + struct.pack("<I", len(data) - 1) + data[second + 4 :]
    picture = decode(broken, "a.tif")
    np.testing.assert_array_equal(picture.rgb, as_rgb(np.asarray(frames[0])))
    assert picture.notes == ("only the first of its pages is used; a later one is damaged",)


def test_further_pictures_in_a_phone_photo_are_no_news():
    image = Image.new("RGB", (8, 8), (100, 100, 100))
    data = save(image, "MPO", save_all=True, append_images=[image])
    assert decode(data, "phone.jpg").notes == ()


@pytest.mark.parametrize(
    ("file_format", "name", "note"),
    [
        ("PNG", "a.JPG", "it is a PNG file although its name ends in .jpg"),
        ("JPEG", "dir.x/a.png", "it is a JPEG file although its name ends in .png"),
        ("PNG", "a.dat", None),
        ("PNG", "a", None),
        ("JPEG", "a.JPEG", None),
    ],
)
def test_wrong_extension(file_format, name, note):
    picture = decode(save(Image.fromarray(RGB), file_format), name)
    assert picture.notes == ((note,) if note else ())


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_pictures(shape):
    pixels = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(save(Image.fromarray(pixels), "PNG"), "a").rgb, pixels)


def test_decoding_in_threads_leaves_pillow_as_it_was():
    before = Image.MAX_IMAGE_PIXELS
    data = save(Image.fromarray(RGB), "PNG")
    found: list[Picture] = []
    threads = [
        threading.Thread(target=lambda limit=limit: found.append(decode(data, "a", limit)))
        for limit in range(100, 120)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert before == Image.MAX_IMAGE_PIXELS


def test_extensions_cover_what_we_write():
    assert {".jpg", ".png", ".webp", ".tif", ".bmp", ".gif", ".avif", ".heic"} <= EXTENSIONS
    assert {suffix for suffixes in FORMATS.values() for suffix in suffixes} <= EXTENSIONS
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in EXTENSIONS)
