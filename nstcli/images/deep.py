"""Files of 16 bits a sample, which Pillow cannot write: PNG by its standard, TIFF by tifffile."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import PngImagePlugin

from nstcli.images import metadata as texts
from nstcli.images.srgb import srgb_profile

_PNG = b"\x89PNG\r\n\x1a\n"
# Of a header: 16 bits, color type by the number of samples, deflate, filters, no interlace.
_COLOR_TYPE = {3: 2, 4: 6}
_UP = 2


def png(pixels: NDArray[np.uint16], metadata: Mapping[str, str]) -> bytes:
    """Encode (H, W, 3) or (H, W, 4), tagged as sRGB (PNG, third edition: 7.3, 9.2, 11.2)."""
    height, width, samples = pixels.shape
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    # Every row is written as what differs from the one above, modulo 256.
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOR_TYPE[samples], 0, 0, 0)
    to = io.BytesIO()
    to.write(_PNG)
    for kind, data in (
        (b"IHDR", header),
        (b"sRGB", b"\x00"),
        *(chunk[:2] for chunk in texts.as_png(metadata).chunks),
        (b"IDAT", zlib.compress(filtered.tobytes(), 6)),
        (b"IEND", b""),
    ):
        PngImagePlugin.putchunk(to, kind, data)
    return to.getvalue()


def tiff(pixels: NDArray[np.uint16], metadata: Mapping[str, str]) -> bytes:
    """Encode (H, W, 3) or (H, W, 4), with an sRGB profile, without loss."""
    tags = texts.as_tiff(metadata)
    to = io.BytesIO()
    tifffile.imwrite(
        to,
        pixels,
        photometric="rgb",
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        compression="adobe_deflate",
        predictor=True,
        iccprofile=srgb_profile(),
        description=tags.get(texts.IMAGE_DESCRIPTION),
        software=tags.get(texts.SOFTWARE, False),
        metadata=None,
    )
    return to.getvalue()


WRITERS = {"png": png, "tiff": tiff}


def levels_of(data: bytes) -> NDArray[np.uint16]:
    """Return the samples of a file that `png` or `tiff` wrote: (H, W, 3) or (H, W, 4).

    Raises:
        ValueError: it is none.
    """
    if not data.startswith(_PNG):
        found: NDArray[np.uint16] = tifffile.imread(io.BytesIO(data))
        return found
    chunks = list(_chunks(data))
    width, height, bits, color_type = struct.unpack(">IIBB", chunks[0][1][:10])
    samples = next((n for n, kind in _COLOR_TYPE.items() if kind == color_type), 0)
    filtered = np.frombuffer(
        zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")), np.uint8
    )
    if bits != 16 or filtered.size != height * (1 + 2 * samples * width):
        raise ValueError("not a PNG of 16 bits in RGB")
    rows = filtered.reshape(height, -1)
    if (rows[:, 0] != _UP).any():
        raise ValueError("a PNG of another program")
    levels = np.add.accumulate(rows[:, 1:], axis=0, dtype=np.uint8)
    return levels.view(">u2").reshape(height, width, samples).astype(np.uint16)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size
