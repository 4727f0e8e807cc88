"""Picture formats by suffix and by first bytes; no Pillow needed."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from nstcli.errors import InputError

# The formats that `encode` writes; the first suffix is the one that we give, the others are
# accepted from the user.
FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "png": (".png",),
        "jpg": (".jpg", ".jpeg"),
        "webp": (".webp",),
        "tiff": (".tiff", ".tif"),
    }
)

_SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpf", ".jpx"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "QOI": (".qoi",),
}

# Pillow's names for what we read. A closed list on purpose: among its other plugins are some that
# start Ghostscript (EPS) and some without a signature that take any bytes for a picture (TGA).
READABLE = (*_SUFFIXES_OF, "MPO", "DIB")

_FORMAT_OF = {suffix: name for name, suffixes in _SUFFIXES_OF.items() for suffix in suffixes}

EXTENSIONS = frozenset(_FORMAT_OF)

_ALIASES = {"MPO": "JPEG", "DIB": "BMP"}

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}

_LOST = "copy or download it again"

# (first bytes, what to say of them); the image signatures come last, because a file that has one
# and still cannot be opened was an image once.
_SIGNATURES = (
    (b"%PDF", "not an image but a PDF document; export the page as PNG"),
    (b"%!PS", "not an image but a PostScript drawing; export it as PNG"),
    (b"8BPS", "a Photoshop document; export it as PNG or TIFF"),
    (b"PK\x03\x04", "not an image but a ZIP archive; unpack it first"),
    (b"version https://git-lfs", "only a Git LFS pointer; run: git lfs pull"),
    (b"\xff\x0a", "JPEG XL, which is not supported; convert it to PNG or JPEG"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL, which is not supported; convert it to PNG or JPEG"),
    (b"\xff\xd8", f"image file is damaged or truncated (a broken JPEG); {_LOST}"),
    (b"\x89PNG", f"image file is damaged or truncated (a broken PNG); {_LOST}"),
    (b"GIF8", f"image file is damaged or truncated (a broken GIF); {_LOST}"),
    (b"RIFF", f"image file is damaged or truncated (a broken WebP); {_LOST}"),
    (b"II*\x00", f"image file is damaged or truncated (a broken TIFF); {_LOST}"),
    (b"MM\x00*", f"image file is damaged or truncated (a broken TIFF); {_LOST}"),
)


def format_of(path: Path, wanted: str | None = None) -> str:
    """Tell from the suffix of a name which of `FORMATS` the file is to have.

    Args:
        path: with the name; nothing need be there.
        wanted: the format that was asked for besides, if one was.

    Raises:
        InputError: the suffix is that of no format which `encode` writes, or not of the one wanted.
    """
    for name, suffixes in FORMATS.items():
        if path.suffix.lower() in suffixes and wanted in {None, name}:
            return name
    if wanted and any(path.suffix.lower() in suffixes for suffixes in FORMATS.values()):
        raise InputError(
            f"'{path}': --format {wanted} contradicts its name; leave that out, or end the name in "
            f"{FORMATS[wanted][0]}"
        )
    endings = ", ".join(suffixes[0] for suffixes in FORMATS.values())
    raise InputError(f"'{path}': end the name in one of {endings}")


def mismatch(suffix: str, file_format: str) -> str | None:
    """Say that a file with this lower-case suffix holds another format (Pillow's name), or None.

    A suffix that we do not know promises nothing, so that nothing is said of it.
    """
    actual = _ALIASES.get(file_format, file_format)
    if _FORMAT_OF.get(suffix, actual) == actual:
        return None
    return f"it is a {actual} file although its name ends in {suffix}"


def is_heic(data: bytes) -> bool:
    """Whether the bytes start like an HEIC photo, which Pillow reads only with a plugin."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def explain(data: bytes) -> str:
    """Why bytes that no decoder recognised are no usable image, and what to do."""
    if data[4:8] == b"ftyp":
        return _explain_container(data)
    for signature, meaning in _SIGNATURES:
        if data.startswith(signature):
            return meaning
    if not data.strip(b"\x00"):
        return f"not an image, it holds nothing but zero bytes; {_LOST}"
    return _explain_text(data[:512])


def _explain_container(data: bytes) -> str:
    if is_heic(data):
        return "an HEIC photo; install pillow-heif, or convert it to JPEG or PNG"
    if data[8:12] in _AVIF_BRANDS:
        return f"an AVIF image, truncated or unknown to this Pillow; {_LOST}, or convert it to PNG"
    return "not an image but a video; save one frame of it as PNG"


def _explain_text(start: bytes) -> str:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return "an SVG drawing; export it as PNG"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<?xml", b"<!--")):
        return "not an image, it starts like a web page; download the picture itself"
    if all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in text):
        return "not an image, it starts like a text; download the picture itself"
    return "not an image that can be read; convert it to PNG or JPEG"
