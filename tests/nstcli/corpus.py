"""Broken and odd picture files, each with what the program shall see in it or say of it.

The files are made with Pillow or byte by byte; what they show is worked out with numpy alone.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.nstcli.images.profiles import (
    ADOBE_RGB,
    D50,
    DISPLAY_P3,
    cmyk_profile,
    gray_profile,
    ink_lab,
    rgb_profile,
    srgb_from_lab,
    srgb_from_xyz,
)

# For `--max-pixels`: less than one of the pictures has, more than the others.
MAX_PIXELS = 10_000


@dataclass(frozen=True, eq=False)
class Case:
    """One file of the corpus.

    Attributes:
        name: of the file.
        data: its bytes.
        pixels: what it shows, upright, in sRGB, over white, uint8 (H, W, 3); None if it is bad.
        alpha: uint8 (H, W), or None where it is opaque.
        tolerance: by how many levels a pixel may be off: lossy formats, colour profiles.
        notes: what is remarked on it.
        error: words of why it is bad; a sound picture has some only where a network wants more
            pixels than it has.
    """

    name: str
    data: bytes
    pixels: NDArray[np.uint8] | None = None
    alpha: NDArray[np.uint8] | None = None
    tolerance: int = 0
    notes: tuple[str, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        return self.name


# Six colours that every colour space and format here can hold, in blocks that JPEG keeps apart;
# no two of the eight ways to turn the picture give the same one.
_SIX = np.array(
    [
        [[180, 120, 90], [90, 140, 110], [110, 120, 170]],
        [[200, 190, 100], [60, 60, 70], [150, 90, 140]],
    ],
    dtype=np.uint8,
)
RGB = np.kron(_SIX, np.ones((8, 8, 1), dtype=np.uint8))
GRAY = RGB[..., 0]
ALPHA = np.kron(
    np.array([[0, 255, 128], [64, 255, 255]], dtype=np.uint8), np.ones((8, 8), dtype=np.uint8)
)
DEEP = np.linspace(0, 65535, GRAY.size).round().reshape(GRAY.shape)

_LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}
_LIKE_THE_ORIGINAL = {"quality": 100, "subsampling": 0}  # a JPEG
_SUFFIX = {"PNG": "png", "TIFF": "tif", "WEBP": "webp", "JPEG": "jpg"}


def over_white(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return what is seen of a picture on white paper."""
    if alpha is None:
        return rgb
    share = alpha[..., None] / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def as_rgb(gray: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.repeat(np.asarray(gray).astype(np.uint8)[..., None], 3, axis=-1)


def png(head: tuple[int, int, int, int], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG from width, height, bits and kind of colour, and its other chunks."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    start = (b"IHDR", struct.pack(">IIBBBBB", *head, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in (start, *chunks, (b"IEND", b"")))


_PICTURE = Image.fromarray(RGB)
_CLEAR = Image.fromarray(np.dstack((RGB, ALPHA)))

_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def _turned() -> Iterator[Case]:
    for orientation, upright in _UPRIGHT.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = saved(_PICTURE, "JPEG", exif=exif, **_LIKE_THE_ORIGINAL)
        yield Case(f"turned {orientation}.jpg", data, upright(RGB), tolerance=6)
        for kind, options in _LOSSLESS.items():
            yield Case(
                f"turned {orientation} {kind}.{_SUFFIX[kind]}",
                saved(_CLEAR, kind, exif=exif, **options),
                upright(over_white(RGB, ALPHA)),
                upright(ALPHA),
                tolerance=1,
            )


def _profiles() -> Iterator[Case]:
    for title, primaries, power in (
        ("Display P3", DISPLAY_P3, 2.2),
        ("Adobe RGB", ADOBE_RGB, 563 / 256),
    ):
        icc = rgb_profile(primaries, power)
        curved = (RGB / 255) ** (round(power * 256) / 256)
        pixels = srgb_from_xyz(curved @ primaries.T)
        for kind, options in {**_LOSSLESS, "JPEG": _LIKE_THE_ORIGINAL}.items():
            data = saved(_PICTURE, kind, icc_profile=icc, **options)
            tolerance = 8 if kind == "JPEG" else 2
            yield Case(f"{title}.{_SUFFIX[kind]}", data, pixels, None, tolerance)
    gray = saved(Image.fromarray(GRAY), "PNG", icc_profile=gray_profile(1.0))
    yield Case("gray profile.png", gray, srgb_from_xyz(GRAY[..., None] / 255 * D50), None, 2)
    for name, inks in (("magenta", (0, 1, 0, 0)), ("black", (0, 0, 0, 1))):
        ink = Image.new("CMYK", (24, 16), tuple(255 * share for share in inks))
        pixels = np.broadcast_to(srgb_from_lab(*ink_lab(inks)), (16, 24, 3))
        for kind in ("JPEG", "TIFF"):
            data = saved(ink, kind, icc_profile=cmyk_profile())
            yield Case(f"profile of {name}.{_SUFFIX[kind]}", data, pixels, None, 4)
    for title, icc, note in (
        ("junk", b"no profile", "its colour profile is damaged and was ignored"),
        ("cut", rgb_profile(ADOBE_RGB, 2.2)[:200], "its colour profile is damaged and was ignored"),
        (
            "foreign",
            cmyk_profile(),
            "its colour profile was ignored (a CMYK profile on RGB pixels)",
        ),
    ):
        data = saved(_PICTURE, "PNG", icc_profile=icc)
        yield Case(f"{title} profile.png", data, RGB, notes=(note,))


def _transparent() -> Iterator[Case]:
    for kind, options in _LOSSLESS.items():
        data = saved(_CLEAR, kind, **options)
        yield Case(f"clear.{kind}.{_SUFFIX[kind]}", data, over_white(RGB, ALPHA), ALPHA, 1)
    opaque = Image.fromarray(np.dstack((RGB, np.full_like(ALPHA, 255))))
    yield Case("opaque alpha.png", saved(opaque, "PNG"), RGB)
    gray = Image.fromarray(np.dstack((GRAY, ALPHA)))
    for kind in ("PNG", "TIFF"):
        pixels = over_white(as_rgb(GRAY), ALPHA)
        yield Case(f"LA.{_SUFFIX[kind]}", saved(gray, kind), pixels, ALPHA, 1)
    flat = _palette()
    numbers = np.asarray(flat)
    for title, given, levels in (
        ("one", 2, [255, 255, 0, 255, 255, 255]),
        ("all", bytes((9, 128, 255, 0, 80, 255)), [9, 128, 255, 0, 80, 255]),
    ):
        alpha = np.array(levels, dtype=np.uint8)[numbers]
        data = saved(flat, "PNG", transparency=given)
        yield Case(f"palette with {title} clear.png", data, over_white(RGB, alpha), alpha, 1)
    alpha = np.where(numbers == 2, 0, 255).astype(np.uint8)
    gif = saved(flat, "GIF", transparency=2)
    yield Case("clear.gif", gif, over_white(RGB, alpha), alpha)
    both = Image.merge("LA", (Image.fromarray(numbers), Image.fromarray(ALPHA)))
    pa = Image.frombytes("PA", both.size, both.tobytes())
    pa.putpalette(_SIX.tobytes())
    yield Case("PA.tif", saved(pa, "TIFF"), over_white(RGB, ALPHA), ALPHA, 1)
    clear = tuple(int(level) for level in _SIX[0, 1])
    alpha = np.where((clear == RGB).all(axis=-1), 0, 255).astype(np.uint8)
    data = saved(_PICTURE, "PNG", transparency=clear)
    yield Case("one colour clear.png", data, over_white(RGB, alpha), alpha)


def _palette() -> Image.Image:
    """The picture with the numbers of its six colours as pixels."""
    numbers = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3), np.ones((8, 8), dtype=np.uint8))
    image = Image.fromarray(numbers)
    image.putpalette(_SIX.tobytes())
    return image


def _modes() -> Iterator[Case]:
    bits = GRAY > 130
    yield Case("1.png", saved(Image.fromarray(bits), "PNG"), as_rgb(bits * 255))
    fax = saved(Image.fromarray(bits), "TIFF", compression="group4")
    yield Case("1 by fax.tif", fax, as_rgb(bits * 255))
    for kind, name in (("PNG", "L.png"), ("TIFF", "L.tif"), ("PPM", "L.pgm"), ("BMP", "L.bmp")):
        yield Case(name, saved(Image.fromarray(GRAY), kind), as_rgb(GRAY))
    yield Case("L.jpg", saved(Image.fromarray(GRAY), "JPEG", quality=100), as_rgb(GRAY), None, 3)
    for kind, name in (("PNG", "P.png"), ("GIF", "P.gif"), ("BMP", "P.bmp"), ("TIFF", "P.tif")):
        yield Case(name, saved(_palette(), kind), RGB)
    deep = Image.fromarray(DEEP.astype(np.uint16))
    for kind, name in (("PNG", "I;16.png"), ("TIFF", "I;16.tif"), ("PPM", "I;16.pgm")):
        yield Case(name, saved(deep, kind), as_rgb(np.rint(DEEP / 257)))
    big_endian = Image.frombytes("I;16B", deep.size, DEEP.astype(">u2").tobytes())
    yield Case("I;16B.tif", saved(big_endian, "TIFF"), as_rgb(np.rint(DEEP / 257)))
    level = int(DEEP[0, 5])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in DEEP)
    data = png((24, 16, 16, 0), (b"tRNS", struct.pack(">H", level)), (b"IDAT", zlib.compress(rows)))
    alpha = np.where(level == DEEP, 0, 255).astype(np.uint8)
    pixels = over_white(as_rgb(np.rint(DEEP / 257)), alpha)
    yield Case("I;16 with a clear level.png", data, pixels, alpha)
    yield from _numbers()
    for kind, name in (("TIFF", "YCbCr.tif"), ("JPEG", "YCbCr.jpg")):
        options = _LIKE_THE_ORIGINAL if kind == "JPEG" else {}
        yield Case(name, saved(_PICTURE.convert("YCbCr"), kind, **options), RGB, None, 8)
    yield from _inks()


def _numbers() -> Iterator[Case]:
    """Gray pixels of 32 bits, whose range nobody names."""
    ramp = DEEP / 65535
    for name, values, levels, note in (
        ("I", DEEP.astype(np.int32), DEEP / 257, ""),
        (
            "I large",
            (ramp * 1e6).astype(np.int32),
            np.floor(ramp * 1e6) / 1e6 * 255,
            "0..1e+06 were stretched to 0..255",
        ),
        ("F", ramp.astype(np.float32), ramp * 255, ""),
        (
            "F of levels",
            (ramp * 200).astype(np.float32),
            ramp * 200,
            "0..200 name no scale; 255 was taken for white",
        ),
        (
            "F below 0",
            (ramp * 2 - 1).astype(np.float32),
            ramp * 255,
            "-1..1 were stretched to 0..255",
        ),
    ):
        notes = (f"its gray levels {note}",) if note else ()
        data = saved(Image.fromarray(values), "TIFF")
        yield Case(f"{name}.tif", data, as_rgb(np.rint(levels)), None, 1, notes)
    data = saved(Image.fromarray(ramp.astype(np.float32)), "PPM")
    yield Case("F.pfm", data, as_rgb(np.rint(ramp * 255)), None, 1)


def _inks() -> Iterator[Case]:
    inks = np.dstack((255 - RGB, np.full_like(GRAY, 30)))
    pixels = np.rint(RGB * (225 / 255)).astype(np.uint8)
    for kind, name in (("TIFF", "CMYK.tif"), ("JPEG", "CMYK.jpg")):
        options = {"quality": 100} if kind == "JPEG" else {}
        data = saved(Image.frombytes("CMYK", (24, 16), inks.tobytes()), kind, **options)
        yield Case(name, data, pixels, None, 10)
    light, a, b = 60, 30, 20
    lab = Image.new("LAB", (24, 16), (round(light * 2.55), a + 128, b + 128))
    pixels = np.broadcast_to(srgb_from_lab(light, a, b), (16, 24, 3))
    yield Case("LAB.tif", saved(lab, "TIFF"), pixels, None, 5)


def _frames() -> Iterator[Case]:
    others = [Image.new("RGB", (24, 16), color) for color in ((200, 0, 0), (0, 0, 200))]
    for kind, suffix, unit, options in (
        ("GIF", "gif", "frames", {}),
        ("WEBP", "webp", "frames", {"lossless": True}),
        ("PNG", "png", "frames", {}),
        ("TIFF", "tif", "pages", {}),
    ):
        first = _palette() if kind == "GIF" else _PICTURE
        data = saved(first, kind, save_all=True, append_images=others, **options)
        note = f"only the first of 3 {unit} is used"
        yield Case(f"moving.{kind}.{suffix}", data, RGB, notes=(note,))
    phone = saved(_PICTURE, "MPO", save_all=True, append_images=others[:1], **_LIKE_THE_ORIGINAL)
    yield Case("phone.jpg", phone, RGB, None, 8)


def _formats() -> Iterator[Case]:
    for kind, suffix, options, tolerance in (
        ("JPEG", "JPG", _LIKE_THE_ORIGINAL, 6),
        ("JPEG", "jfif", {**_LIKE_THE_ORIGINAL, "progressive": True}, 6),
        ("BMP", "bmp", {}, 0),
        ("PPM", "ppm", {}, 0),
        ("JPEG2000", "jp2", {"irreversible": False}, 0),
        ("AVIF", "avif", {"quality": 100, "subsampling": "4:4:4"}, 8),
        ("QOI", "qoi", {}, 0),
        ("TIFF", "lzw.tiff", {"compression": "tiff_lzw"}, 0),
    ):
        yield Case(f"kind.{suffix}", saved(_PICTURE, kind, **options), RGB, None, tolerance)
    for name, kind in (("in truth a png.jpg", "PNG"), ("in truth a bmp.png", "BMP")):
        suffix = name[-4:]
        note = f"it is a {kind} file although its name ends in {suffix}"
        yield Case(name, saved(_PICTURE, kind), RGB, notes=(note,))
    data = saved(_PICTURE, "JPEG", **_LIKE_THE_ORIGINAL)
    note = "it is a JPEG file although its name ends in .png"
    yield Case("in truth a jpeg.png", data, RGB, None, 6, (note,))
    damaged_exif = saved(_PICTURE, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    yield Case("damaged exif.png", damaged_exif, RGB)


def _small() -> Iterator[Case]:
    """Sound pictures that no network can see anything in."""
    for width, height in ((1, 1), (1, 5000), (5000, 1), (40, 7)):
        pixels = np.full((height, width, 3), (90, 120, 60), dtype=np.uint8)
        scale = min(1.0, 512 / max(width, height))
        seen = f"{max(1, round(width * scale))}×{max(1, round(height * scale))}"
        error = f"{seen} px is too small for tiny, which needs at least 8 px"
        data = saved(Image.fromarray(pixels), "PNG")
        yield Case(f"small {width} by {height}.png", data, pixels, error=error)


def _disguised() -> Iterator[Case]:
    """What is no picture at all."""
    heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
    page = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
    install = "an HEIC photo; install pillow-heif, or convert it to JPEG or PNG"
    web = "not an image, it starts like a web page; download the picture itself"
    for name, data, error in (
        ("nothing.jpg", b"", "file is empty; copy or download it again"),
        ("text.jpg", b"Hello, I am no image\n", "not an image, it starts like a text"),
        ("html.jpg", page, web),
        ("html bom.png", b"\xef\xbb\xbf\r\n" + page.lower(), web),
        ("xml.webp", b"<?xml version='1.0'?><Error>AccessDenied</Error>", web),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        ("document.jpg", b"%PDF-1.7\n", "a PDF document; export the page as PNG"),
        ("archive.png", b"PK\x03\x04rest", "a ZIP archive; unpack it first"),
        ("pointer.png", b"version https://git-lfs.github.com/spec/v1\n", "run: git lfs pull"),
        ("clip.jpg", b"\x00\x00\x00\x20ftypisom\x00\x00", "not an image but a video"),
        ("xl.jpg", b"\xff\x0a\xfa\x1f", "JPEG XL, which is not supported"),
        ("zeros.png", b"\0" * 4096, "nothing but zero bytes"),
        ("noise.tif", bytes(range(7, 200)), "not an image that can be read"),
        ("photo.heic", heic, install),
        ("photo from a phone.jpg", heic, install),
    ):
        yield Case(name, data, error=error)


def _damaged() -> Iterator[Case]:
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    for kind, suffix, options in (
        ("JPEG", "jpg", {}),
        ("JPEG", "progressive.jpg", {"progressive": True}),
        ("PNG", "png", {}),
        ("GIF", "gif", {}),
        ("TIFF", "tif", {}),
        ("TIFF", "lzw.tif", {"compression": "tiff_lzw"}),
        ("TIFF", "deflate.tif", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", "jpeg.tif", {"compression": "jpeg"}),
        ("WEBP", "webp", {}),
        ("BMP", "bmp", {}),
        ("PPM", "ppm", {}),
        ("JPEG2000", "jp2", {}),
        ("AVIF", "avif", {}),
    ):
        data = saved(image, kind, **options)
        for share in (10, 50, 90):
            short = data[: len(data) * share // 100]
            yield Case(f"{share} percent.{suffix}", short, error="truncated")
    moving = saved(image, "GIF", save_all=True, append_images=[Image.new("RGB", (40, 40))])
    yield Case("half of a frame.gif", moving[: len(moving) // 3], error="truncated")
    for name, kind, suffix in (("PNG", "PNG", "png"), ("deflate", "TIFF", "tif")):
        options = {"compression": "tiff_adobe_deflate"} if kind == "TIFF" else {}
        flipped = bytearray(saved(image, kind, **options))
        flipped[len(flipped) // 2] ^= 0xFF
        yield Case(f"flipped {name}.{suffix}", bytes(flipped), error="damaged or truncated")
    for name, data in (
        ("head.jpg", b"\xff\xd8\xff\xe0"),
        ("head.png", b"\x89PNG\r\n\x1a\n"),
        ("head.gif", b"GIF89a"),
        ("head.tif", b"II*\x00\x08\x00\x00\x00"),
        ("head.webp", b"RIFF\x20\0\0\0WEBP"),
    ):
        yield Case(f"only {name}", data, error="truncated")


def _large() -> Iterator[Case]:
    bomb = png((60_000, 60_000, 8, 2), (b"IDAT", zlib.compress(b"\0")))
    yield Case("bomb.png", bomb, error="3,600,000,000 pixels, the limit is 10,000; shrink it")
    many = saved(Image.new("RGB", (101, 100)), "PNG")
    yield Case("many pixels.png", many, error="10,100 pixels, the limit is 10,000; shrink it")


GOOD = [*_turned(), *_profiles(), *_transparent(), *_modes(), *_frames(), *_formats()]
SMALL = [*_small()]
BAD = [*_disguised(), *_damaged(), *_large()]

# Names in a folder that are no pictures anybody means.
JUNK = (".DS_Store", "Thumbs.db", "desktop.ini", "._x.jpg", ".hidden.png")


def write(folder: Path, cases: list[Case]) -> None:
    """Write the files of a corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        (folder / case.name).write_bytes(case.data)


def write_odd(folder: Path) -> dict[str, str]:
    """Put what is no file at all among them, and junk; tell what shall be said of each."""
    sound = saved(_PICTURE, "PNG")
    for name in JUNK:
        (folder / name).write_bytes(sound)
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "circle.png").symlink_to("circle.png")
    os.mkfifo(folder / "pipe.png")
    return {
        "circle.png": "cannot be read: Too many levels of symbolic links",
        "gone.png": "is a broken link",
        "pipe.png": "is a pipe, a socket or a device, not a file",
    }


def seen_again(case: Case) -> Case:
    """What a result that keeps the pixels and the alpha of a sound picture shows."""
    assert case.pixels is not None
    return replace(case, tolerance=case.tolerance + 1, notes=())
