"""ONNX files: their tensors are read, whatever stands around them, and nothing else is."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backbones import BackboneError
from backbones.weights import onnx, readers

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "count": np.array(5, np.int64),
    "half": np.array([0.5, -2], np.float16),
}
TYPES = {"float32": 1, "int64": 7, "float16": 10}


def varint(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: str, array: NDArray[np.generic], *, packed: bool = False) -> bytes:
    dims = [varint(edge) for edge in array.shape]
    shape = field(1, b"".join(dims)) if packed else b"".join(field(1, e) for e in array.shape)
    kind = field(2, TYPES[str(array.dtype)])
    return shape + kind + field(8, name.encode()) + field(9, array.tobytes())


def model(*initializers: bytes) -> bytes:
    node = field(4, b"Conv")
    graph = field(1, node) + b"".join(field(5, each) for each in initializers) + field(2, b"net")
    # A version, a fixed number of 8 bytes and one of 4 that nobody knows, and the graph.
    return (
        field(1, 8)
        + varint(99 << 3 | 1)
        + bytes(8)
        + varint(98 << 3 | 5)
        + bytes(4)
        + (field(7, graph))
    )


WHOLE = model(*(tensor(name, array) for name, array in ARRAYS.items()))


@pytest.mark.parametrize("packed", [False, True])
def test_tensors_are_read_by_name(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model(*(tensor(n, a, packed=packed) for n, a in ARRAYS.items())))
    found = readers.read(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (model(), "no tensors"),
        (model(field(1, 2) + field(2, 1) + field(9, bytes(4))), "has 4 bytes"),
        (model(field(2, 3) + field(8, b"zero") + field(9, b"\0")), "'zero' has values of a form"),
        (model(tensor("w", ARRAYS["half"]) + field(14, 1)), "'w' has values of a form"),
        (model(field(1, 0) + field(1, 2**62) * 2 + field(2, 1)), "impossible shape"),
        (model(field(1, 0) + field(1, 2**63) + field(2, 1)), "impossible shape"),
        (model(field(1, 1) * 99 + field(2, 1) + field(9, bytes(4))), "impossible shape"),
        (WHOLE[:-40], "cut short"),
        (b"\x0b", "unknown kind 3"),
        (b"\xff" * 11, "a number without end"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(BackboneError, match=rf"^net\.onnx .*{problem}"):
        readers.read(path)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_byte_that_is_another_is_an_error_or_a_value(place: int, value: int) -> None:
    data = WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :]
    try:
        found = onnx.tensors(data)
    except ValueError:
        return
    assert sum(each.nbytes for each in found.values()) <= len(WHOLE)
