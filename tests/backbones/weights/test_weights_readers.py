import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbones import BackboneError, weights
from backbones.weights import readers
from tests.backbones.weights import weights_tiny as tiny
from tests.backbones.weights.weights_loopback import Site, kept, tar

NESTED = {"net": {"conv": [np.ones((2, 3), np.float32), np.zeros(3)]}, "seed": 1}


class Call:
    """Pickles as a call of `function`, made when the file is read."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def pickled(folder: Path, content: object, name: str = "w.pkl", protocol: int = 3) -> Path:
    path = folder / name
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4])
def test_nested_arrays_are_read(tmp_path: Path, protocol: int) -> None:
    content = readers.read(pickled(tmp_path, NESTED, protocol=protocol))
    assert content["seed"] == 1
    weight, bias = content["net"]["conv"]
    np.testing.assert_array_equal(weight, np.ones((2, 3), np.float32), strict=True)
    np.testing.assert_array_equal(bias, np.zeros(3), strict=True)


@pytest.mark.parametrize(
    ("protocol", "wanted"), [(2, "_codecs.encode"), (5, "numpy._core.numeric._frombuffer")]
)
def test_forms_that_need_other_globals_are_refused(
    tmp_path: Path, protocol: int, wanted: str
) -> None:
    with pytest.raises(BackboneError, match=wanted):
        readers.read(pickled(tmp_path, NESTED, protocol=protocol))


def test_numpy_s_old_layout_is_known(tmp_path: Path) -> None:
    path = pickled(tmp_path, NESTED)
    old = path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    path.write_bytes(old)
    assert b"numpy.core.multiarray" in old
    np.testing.assert_array_equal(readers.read(path)["net"]["conv"][1], np.zeros(3))


def test_old_dtypes_byte_orders_and_layouts_are_known(tmp_path: Path) -> None:
    turned = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    content = {"a": [turned, np.array(5, np.int64), np.array([True]), np.zeros((0, 3), "<u2")]}
    arrays = readers.read(pickled(tmp_path, content))["a"]
    for array, wanted in zip(arrays, content["a"], strict=True):
        np.testing.assert_array_equal(array, wanted, strict=True)


def test_a_pickle_cannot_change_numpy_s_own_dtypes(tmp_path: Path) -> None:
    """numpy would hand out its shared float64 here, and set whatever flags the file says."""
    state = (3, "<", None, None, None, -1, -1, 63)

    class Poison:
        def __reduce__(self) -> Any:
            return (np.dtype, ("f8", False, False), state)

    with pytest.raises(BackboneError, match="holds a _DtypeStandIn"):
        readers.read(pickled(tmp_path, {"kind": Poison()}))
    assert np.dtype("f8").flags == 0


@pytest.mark.parametrize("function", [os.system, eval, os.remove, np.load, np.frombuffer])
def test_a_pickle_that_asks_for_more_is_refused_and_not_run(tmp_path: Path, function: Any) -> None:
    witness = tmp_path / "witness"
    witness.touch()
    code = {os.system: f"rm {witness}", eval: f"__import__('os').remove({str(witness)!r})"}
    path = pickled(tmp_path, {"x": Call(function, code.get(function, str(witness)))})
    with pytest.raises(BackboneError, match=rf"w\.pkl asks for \w+.*\.{function.__name__} "):
        readers.read(path)
    assert witness.exists()


def test_a_package_with_such_a_pickle_is_refused(
    site: Site, nst_cache: Path, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    evil = pickle.dumps({"VGG16_0": Call(os.system, f"touch {witness}")})
    archive = tar({"tiny-1.0/w.pkl": evil})
    site.publish("tiny", {"tiny-1.0.tar.gz": archive})
    chosen = tiny.weight_set(tiny.package_file(archive, evil, member="tiny-1.0/w.pkl"))
    with pytest.raises(BackboneError, match=rf"asks for {os.name}\.system"):
        weights.pull(tiny.backbone(chosen), chosen)
    assert not witness.exists()
    assert kept(nst_cache) == []


@pytest.mark.parametrize("legacy", [False, True])
def test_a_torch_file_that_asks_for_more_is_refused_and_not_run(
    tmp_path: Path, legacy: bool
) -> None:
    witness, path = tmp_path / "witness", tmp_path / "w.pth"
    content = {"x": Call(os.system, f"touch {witness}")}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(BackboneError, match=rf"w\.pth asks for {os.name}\.system"):
        readers.read(path)
    assert not witness.exists()


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    path = pickled(tmp_path, {"a": [np.array([{}, "x"], dtype=object)]})
    with pytest.raises(BackboneError, match="array of 'O8'"):
        readers.read(path)


@pytest.mark.parametrize("suffix", [".pkl", ".ckpt", ".pth", ".pt", ".safetensors", ".onnx"])
@pytest.mark.parametrize("data", [b"", b"\x80\x02}q\x00(X", b"<html>404</html>", bytes(100)])
def test_a_damaged_file_is_named(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(data)
    with pytest.raises(BackboneError, match=rf"^w\{suffix} "):
        readers.read(path)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_cut_short_is_named(tmp_path: Path, name: str, keep: float) -> None:
    from safetensors.torch import save

    state = tiny.state()
    data = save(state) if name.endswith("tensors") else tiny.saved(state)
    path = tmp_path / name
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(BackboneError, match=name):
        readers.read(path)


@pytest.mark.parametrize("content", [[1, 2], {1: "x"}, "text"])
def test_a_file_that_is_no_mapping_of_names(tmp_path: Path, content: object) -> None:
    with pytest.raises(BackboneError, match="no mapping of names"):
        readers.read(pickled(tmp_path, content))


def test_an_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"end in \.pth, \.pt, \.safetensors"):
        readers.read(tmp_path / "w.h5")


def test_odd_escapes_in_a_pickle_are_nobody_s_business(tmp_path: Path) -> None:
    path = tmp_path / "w.pkl"
    path.write_bytes(b"(S'a'\nS'\\q'\nd.")
    assert readers.read(path) == {"a": "\\q"}


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_no_flipped_byte_makes_a_pickle_more_than_an_error(
    tmp_path: Path, place: int, value: int
) -> None:
    data = bytearray(pickle.dumps(NESTED, 3))
    data[place % len(data)] = value
    path = tmp_path / "w.pkl"
    path.write_bytes(data)
    try:
        readers.read(path)
    except BackboneError as error:
        assert str(error).startswith("w.pkl ")  # noqa: PT017
