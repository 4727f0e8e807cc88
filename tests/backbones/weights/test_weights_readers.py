import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Site, kept, tar

from backbones import BackboneError, weights
from backbones.weights import readers

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


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nested_arrays_are_read(tmp_path: Path, protocol: int) -> None:
    if protocol == 5:
        content = {"a": 1, "b": [2.0]}  # numpy's own form of protocol 5 is not needed by any file
        assert readers.read(pickled(tmp_path, content, protocol=protocol)) == content
        return
    path = pickled(tmp_path, NESTED if protocol > 2 else {"seed": 1}, protocol=protocol)
    content = readers.read(path)
    assert content["seed"] == 1
    if protocol > 2:
        np.testing.assert_array_equal(content["net"]["conv"][0], np.ones((2, 3), np.float32))


def test_numpy_s_old_layout_is_known(tmp_path: Path) -> None:
    path = pickled(tmp_path, NESTED)
    old = path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    path.write_bytes(old)
    assert b"numpy.core.multiarray" in old
    np.testing.assert_array_equal(readers.read(path)["net"]["conv"][1], np.zeros(3))


def test_flags_of_old_dtypes_are_numbers(tmp_path: Path) -> None:
    path = pickled(tmp_path, {"kind": Call(np.dtype, "f4", 0, 1)})
    assert readers.read(path) == {"kind": np.dtype("f4")}


@pytest.mark.parametrize("function", [os.system, eval, os.remove, np.load, np.frombuffer])
def test_a_pickle_that_asks_for_more_is_refused_and_not_run(tmp_path: Path, function: Any) -> None:
    witness = tmp_path / "witness"
    witness.touch()
    code = {os.system: f"rm {witness}", eval: f"__import__('os').remove({str(witness)!r})"}
    path = pickled(tmp_path, {"x": Call(function, code.get(function, str(witness)))})
    with pytest.raises(BackboneError, match=rf"w\.pkl asks for \w+.*\.{function.__name__} "):
        readers.read(path)
    assert witness.exists()


def test_a_package_with_such_a_pickle_is_refused(site: Site, cache: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    evil = pickle.dumps({"VGG16_0": Call(os.system, f"touch {witness}")})
    archive = tar({"tiny-1.0/w.pkl": evil})
    site.publish("tiny", {"tiny-1.0.tar.gz": archive})
    chosen = tiny.weight_set(tiny.package_file(archive, evil, member="tiny-1.0/w.pkl"))
    with pytest.raises(BackboneError, match=rf"asks for {os.name}\.system"):
        weights.pull(tiny.backbone(chosen), chosen)
    assert not witness.exists()
    assert kept(cache) == []


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
    with pytest.raises(BackboneError, match="array of object"):
        readers.read(path)


@pytest.mark.parametrize("suffix", [".pkl", ".ckpt", ".pth", ".pt", ".safetensors"])
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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a damaged name may be a retired one
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
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
