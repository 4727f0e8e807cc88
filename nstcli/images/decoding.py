"""Decode picture files: their bytes -> Picture, or one line that says why not."""

import importlib
import io
import struct
import zlib
from pathlib import PurePath

import numpy as np
from PIL import Image, UnidentifiedImageError

from nstcli.errors import InputError
from nstcli.images import formats
from nstcli.images.levels import bits_of, note_of_color
from nstcli.images.picture import Picture, opaque_as_none
from nstcli.images.pillow_settings import reading
from nstcli.images.quirks import mend, unknown_samples
from nstcli.images.srgb import laid_over, to_srgb

# 200 million pixels: the largest sensors of phones; about 1 GB while an image is being decoded.
DEFAULT_MAX_PIXELS = 200_000_000

# Whatever Pillow's plugins let through when a file is broken: they parse as they go.
BROKEN = (
    OSError,
    RuntimeError,  # AVIF
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    struct.error,
    zlib.error,
)

# The EXIF orientation -> what puts the picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Not MPO: its further frames are depth maps, previews and the like of one photo.
_WITH_FRAMES = {"GIF", "WEBP", "PNG", "TIFF", "AVIF", "HEIF"}


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) as the file's header has them, or None if it has none to read."""
    with reading():
        try:
            with open_image(data) as image:
                return image.size
        except BROKEN:
            return None


def decode(data: bytes, name: str, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decode a picture file of any format in EXTENSIONS; its first frame if it has several.

    The result is upright (EXIF orientation), in sRGB (through the file's colour profile) and 8
    bits deep, by the scale that the file states or, with a note, hints at (`levels`); transparency
    is laid over white and kept in `alpha`. `name` stands in messages, and its suffix is compared
    with the contents. Raises InputError, one line that starts with the
    name, for everything that is no usable image or has more than `max_pixels` pixels.
    """
    return _decoded(data, name, max_pixels, is_map=False)


def decode_map(data: bytes, name: str, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decode a picture file whose levels are numbers and not colours: a mask, a map of regions.

    As `decode` does, but levels are as they stand in the file, whatever its colour profile, and
    what is transparent is black: nothing was painted there.
    """
    return _decoded(data, name, max_pixels, is_map=True)


def _decoded(data: bytes, name: str, max_pixels: int, *, is_map: bool) -> Picture:
    if not data:
        raise InputError(f"{name}: file is empty; copy or download it again")
    with reading():
        image = _open(data, name, max_pixels)
        mended = _load(image, name)
        notes = [formats.mismatch(PurePath(name).suffix.lower(), image.format or "")]
        notes.append(_frames_note(data, image.format or ""))
        notes += [*mended, note_of_color(image, _bits(image, data))]
        rgb, alpha, color_notes = to_srgb(image, profiled=not is_map)
        if alpha is not None:
            rgb = laid_over(rgb, alpha, "black" if is_map else "white")
        if is_map:
            alpha = None
        turn = _turn(image)
        if turn is not None:
            rgb = rgb.transpose(turn)
            alpha = None if alpha is None else alpha.transpose(turn)
    return Picture(
        # np.array copies: torch warns of arrays that it may not write.
        rgb=np.array(rgb, dtype=np.uint8),
        alpha=None if alpha is None else opaque_as_none(np.array(alpha, dtype=np.uint8)),
        notes=(*(note for note in notes if note), *color_notes),
    )


def open_image(data: bytes) -> Image.Image:
    """Recognise an image and read its header; raises what Pillow raises."""
    if formats.is_heic(data):
        _register_heic()
    Image.init()  # else asking for a format that this Pillow was built without is a KeyError
    known = [name for name in formats.READABLE if name in Image.OPEN]
    return Image.open(io.BytesIO(data), formats=known)


def _register_heic() -> None:
    """Use pillow-heif where the user has it; it is no dependency of ours."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return


def _open(data: bytes, name: str, max_pixels: int) -> Image.Image:
    try:
        image = open_image(data)
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: {_unknown(data) or formats.explain(data)}") from error
    except BROKEN as error:
        raise _broken(name, error) from error
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise InputError(
            f"{name}: image has {pixels:,} pixels, the limit is {max_pixels:,};"
            " shrink it, or allow more with --max-pixels"
        )
    return image


def _load(image: Image.Image, name: str) -> list[str]:
    """Decode the pixels -> notes.

    Opening reads the header only, and `verify` misses a truncated file.
    """
    try:
        notes = mend(image)
        image.load()
    except MemoryError as error:
        size = f"{image.width} × {image.height}"
        raise InputError(f"{name}: not enough memory to open {size} pixels; shrink it") from error
    except NotImplementedError as error:
        raise InputError(f"{name}: it cannot be read ({error}); save it as PNG") from error
    except BROKEN as error:
        raise _broken(name, error) from error
    return notes


def _unknown(data: bytes) -> str | None:
    """Say of a TIFF that its pixels are of a kind that cannot be read; None if that is not it."""
    try:
        found = unknown_samples(data)
    except BROKEN:
        return None
    return f"a TIFF of {found}, which cannot be read; save it as 8-bit RGB" if found else None


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits a sample of a PNG or TIFF; 0 of others, which are 8 or scaled to that."""
    return data[24] if image.format == "PNG" else bits_of(image)


def _broken(name: str, error: Exception) -> InputError:
    advice = "copy or download it again"
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return InputError(f"{name}: image file is truncated; {advice}")
    # Some of Pillow's messages quote the file; nothing of it may reach the terminal as a control.
    reason = "".join(c for c in str(error) if c.isprintable()) or type(error).__name__
    return InputError(f"{name}: image file is damaged or truncated ({reason}); {advice}")


def _frames_note(data: bytes, file_format: str) -> str | None:
    """Say how many frames are left out; None for a single one.

    Counted on a second handle, because counting walks through the file and a broken later frame
    must not disturb the first.
    """
    if file_format not in _WITH_FRAMES:
        return None
    unit = "pages" if file_format == "TIFF" else "frames"
    try:
        count = getattr(open_image(data), "n_frames", 1)
    except BROKEN:
        return f"only the first of its {unit} is used; a later one is damaged"
    return f"only the first of {count} {unit} is used" if count > 1 else None


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Find the transposition that puts a loaded image upright; None if it is, or nobody knows."""
    if image.format == "TIFF":
        return None  # Pillow turns TIFF itself while loading
    try:
        return _UPRIGHT.get(image.getexif().get(0x0112, 1))
    except BROKEN:
        return None  # unreadable EXIF: the picture as it lies in the file
