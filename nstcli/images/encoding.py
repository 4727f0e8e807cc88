"""Encode arrays as picture files; the same input always gives the same bytes."""

import io
import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nstcli.errors import InputError
from nstcli.images import metadata as texts
from nstcli.images.picture import Levels
from nstcli.images.pillow_settings import writing
from nstcli.images.srgb import srgb_profile

# The longest edge that a format can hold: libjpeg's and WebP's own limits.
_MAX_EDGE = {"jpg": 65_500, "webp": 16_383}

_NO_METADATA: Mapping[str, str] = {}


def encode(
    rgb: Levels,
    alpha: NDArray[np.uint8] | None = None,
    format: str = "png",
    quality: int = 95,
    metadata: Mapping[str, str] = _NO_METADATA,
) -> bytes:
    """Encode sRGB pixels, (H, W, 3), in one of FORMATS, tagged as sRGB.

    They are uint8, or uint16 for a png or tiff of 16 bits a sample. `alpha`, uint8 (H, W), goes
    into the formats that hold it; jpg shows `rgb` as it is, which `decode` laid over white.
    `quality` (1 to 100) counts for jpg and webp, the others lose nothing. `metadata` comes
    back from `read_metadata`; its keys are 1 to 79 Latin-1 characters, and a jpg holds about 64 kB
    of it. Raises InputError when the format cannot hold so large an image, ValueError for an
    unknown format or arrays of another shape or type.
    """
    if format not in _WRITERS:
        raise ValueError(f"unknown format {format!r}; one of {', '.join(_WRITERS)}")
    deep = rgb.dtype == np.uint16
    if (
        rgb.dtype not in (np.uint8, np.uint16)
        or rgb.ndim != 3
        or rgb.shape[2] != 3
        or rgb.size == 0
    ):
        raise ValueError(f"rgb must be uint8 or uint16 (H, W, 3), not {rgb.dtype} {rgb.shape}")
    if alpha is not None and (alpha.dtype != np.uint8 or alpha.shape != rgb.shape[:2]):
        raise ValueError(f"alpha must be uint8 {rgb.shape[:2]}, not {alpha.dtype} {alpha.shape}")
    check_edges(format, *rgb.shape[:2])
    if alpha is None or format == "jpg":
        pixels = np.ascontiguousarray(rgb)
    else:
        pixels = np.dstack((rgb, alpha.astype(rgb.dtype) * (np.iinfo(rgb.dtype).max // 255)))
    if deep:
        from nstcli.images.deep import WRITERS  # tifffile takes its time to import

        if format not in WRITERS:
            raise ValueError(f"{format} has no 16 bits a sample")
        return WRITERS[format](pixels.astype(np.uint16, copy=False), metadata)
    buffer = io.BytesIO()
    _WRITERS[format](Image.fromarray(pixels), buffer, quality, metadata)
    return buffer.getvalue()


def check_edges(format: str, height: int, width: int) -> None:
    """Raise InputError when a format of FORMATS cannot hold so large an image, in pixels."""
    limit = _MAX_EDGE.get(format, math.inf)
    if max(height, width) > limit:
        size = f"{width} × {height}"
        raise InputError(f"{format} holds at most {limit} pixels per edge, not {size}; use png")


def _png(image: Image.Image, to: io.BytesIO, quality: int, metadata: Mapping[str, str]) -> None:
    info = texts.as_png(metadata)
    # The tag that the format has for it: 13 bytes instead of a profile. 0 = perceptual intent.
    info.add(b"sRGB", b"\x00")
    image.save(to, "PNG", pnginfo=info)


def _jpg(image: Image.Image, to: io.BytesIO, quality: int, metadata: Mapping[str, str]) -> None:
    # optimize saves 10 to 20 % here, but needs the whole file in one buffer, and Pillow's guess
    # (1 or 2 bytes per pixel) fails for noisy pictures without chroma subsampling.
    with writing(4 * image.width * image.height + 2**17):
        image.save(
            to,
            "JPEG",
            quality=quality,
            subsampling="4:4:4",
            optimize=True,
            icc_profile=srgb_profile(),
            exif=texts.as_exif(metadata),
        )


def _webp(image: Image.Image, to: io.BytesIO, quality: int, metadata: Mapping[str, str]) -> None:
    exif = texts.as_exif(metadata)
    image.save(to, "WEBP", quality=quality, method=4, icc_profile=srgb_profile(), exif=exif)


def _tiff(image: Image.Image, to: io.BytesIO, quality: int, metadata: Mapping[str, str]) -> None:
    tags = {317: 2, **texts.as_tiff(metadata)}  # 317 = 2: horizontal differences, then deflate
    image.save(
        to, "TIFF", compression="tiff_adobe_deflate", tiffinfo=tags, icc_profile=srgb_profile()
    )


_WRITERS: dict[str, Callable[[Image.Image, io.BytesIO, int, Mapping[str, str]], None]] = {
    "png": _png,
    "jpg": _jpg,
    "webp": _webp,
    "tiff": _tiff,
}
