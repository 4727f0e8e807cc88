"""Read the tensors of an ONNX file and nothing else of it: no graph is built and nothing is run.

Such a file is one protocol buffer (protobuf.dev/programming-guides/encoding), of which two fields
lead to the tensors and five tell of each; their numbers are those of `onnx.proto3`. The `onnx`
package would read them as well, and brings 35 MB with what it needs, to every user, for the sake of
one file that is pinned by its digest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# ModelProto.graph, GraphProto.initializer.
_GRAPH, _INITIALIZER = 7, 5
# Fields of TensorProto.
_DIMS, _TYPE, _NAME, _RAW, _WHERE = 1, 2, 8, 9, 14
# TensorProto.DataType, in numpy's words.
_TYPES = {1: "<f4", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# A number of a field, and its value: an integer, or a part of the buffer.
_Field = tuple[int, "int | memoryview"]


def tensors(data: bytes) -> dict[str, np.ndarray]:
    """Return the initializers of an ONNX model by name: its parameters and constants.

    Raises:
        ValueError: it is damaged, or has values in a form that is not read here: beside the file,
            or of a type that no weights have.
    """
    found: dict[str, np.ndarray] = {}
    for graph in _messages(memoryview(data), _GRAPH):
        for initializer in _messages(graph, _INITIALIZER):
            name, array = _tensor(initializer)
            found[name] = array
    if not found:
        raise ValueError("it holds no tensors")
    return found


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    import numpy as np

    shape: list[int] = []
    name, kind, raw, outside = "", 0, memoryview(b""), False
    for number, value in _fields(message):
        if number == _DIMS:  # packed or one by one
            shape += [value] if isinstance(value, int) else _integers(value)
        elif number == _TYPE and isinstance(value, int):
            kind = value
        elif number == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif number == _RAW and isinstance(value, memoryview):
            raw = value
        elif number == _WHERE:
            outside = bool(value)
    if kind not in _TYPES or outside:
        raise ValueError(f"its tensor {name!r} has values of a form that is not read")
    dtype = np.dtype(_TYPES[kind])
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"its tensor {name!r} of {shape} has {len(raw)} bytes")
    try:
        return name, np.frombuffer(raw, dtype).reshape(shape).copy()
    except (ValueError, OverflowError) as error:  # many edges, or beyond all memory beside a 0
        raise ValueError(f"its tensor {name!r} has an impossible shape") from error


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """Yield the parts of a message that are messages of one number."""
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"it has a field of the unknown kind {wire}")
        if size > len(message) - at:
            raise ValueError("it is cut short")
        yield number, message[at : at + size]
        at += size


def _integers(packed: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        found.append(value)
    return found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, seven bits a byte, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it is cut short")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it has a number without end")
