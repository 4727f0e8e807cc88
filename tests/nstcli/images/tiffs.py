"""TIFF files byte by byte: every depth and number format, whether Pillow can write it or not."""

import struct
from collections.abc import Sequence

import numpy as np

# Kinds of tag values: their number in the file, and how `struct` packs one.
_KINDS = {"short": (3, "H"), "long": (4, "I"), "double": (12, "d")}


def packed(rows: Sequence[Sequence[int]], bits: int) -> bytes:
    """Pack unsigned samples of so many bits, the highest bit first; each row ends with a byte."""
    data = b""
    for row in rows:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        data += int(text, 2).to_bytes(len(text) // 8, "big")
    return data


def tiff(
    data: bytes,
    width: int,
    height: int,
    bits: int,
    *,
    samples: int = 1,
    photometric: int = 1,
    sample_format: int = 1,
    order: str = "<",
    compression: int = 1,
    more: dict[int, tuple[str, Sequence[float]]] | None = None,
) -> bytes:
    """One strip with these bytes; `more` maps further tags to (kind, values)."""
    tags: dict[int, tuple[str, Sequence[float]]] = {
        256: ("short", [width]),
        257: ("short", [height]),
        258: ("short", [bits] * samples),
        259: ("short", [compression]),
        262: ("short", [photometric]),
        273: ("long", [0]),  # the strip; put in below
        277: ("short", [samples]),
        278: ("short", [height]),
        279: ("long", [len(data)]),
        339: ("short", [sample_format] * samples),
        **(more or {}),
    }
    after = 8 + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        code, letter = _KINDS[kind]
        value = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(value) > 4:
            place = struct.pack(f"{order}I", after + len(values))
            values += value + b"\0" * (len(value) % 2)
        else:
            place = value.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, code, len(numbers)) + place
    strip = struct.pack(f"{order}I", after + len(values))
    one = struct.pack(f"{order}HHI", 273, 4, 1)
    entries = entries.replace(one + b"\0\0\0\0", one + strip)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values + data


def gray(values: np.ndarray, **options) -> bytes:
    """A gray TIFF of an array (H, W) of any number format that has 8 bits or more."""
    order = options.get("order", "<")
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    height, width = values.shape
    return tiff(data, width, height, 8 * values.itemsize, sample_format=kind, **options)
