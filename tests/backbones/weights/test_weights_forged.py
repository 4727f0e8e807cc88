"""Cached files that say of themselves what is not so: the record of the weight set counts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save, save_file

import backbones
from backbones import BackboneError, WeightSet, weights
from backbones.spec import CAFFE
from backbones.weights import State, builtin, cachefile
from backbones.weights.hashing import content_sha256
from backbones.weights.sources import PackageFile, TorchvisionWeights
from tests.backbones.weights import weights_tiny as tiny
from tests.backbones.weights.test_weights_cache import STATE, Given


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    return content_sha256({name: tensor.numpy() for name, tensor in tensors.items()})


UNPINNED = tiny.weight_set(Given(STATE))
BY_FILE = replace(UNPINNED, source=Given(STATE, sha256="5" * 64))
PINNED = replace(BY_FILE, content_sha256=digest(STATE))
EVERY = {"pinned": PINNED, "its file pinned": BY_FILE, "unpinned": UNPINNED}


def forge(
    path: Path, tensors: Mapping[str, torch.Tensor] | None = None, notes: object = None, **told: Any
) -> None:
    """Write another file, whose own digest is right unless `told` says otherwise."""
    tensors = load_file(path) if tensors is None else dict(tensors)
    fields: dict[str, Any] = asdict(cachefile.check(path))
    simple = all(t.dtype is not torch.bfloat16 for t in tensors.values())
    fields |= {"content_sha256": digest(tensors) if simple else "0" * 64} | told
    text = notes if isinstance(notes, str) else json.dumps(fields)
    path.write_bytes(save(dict(tensors), {"nst": text}))


def random(path: Path) -> None:
    forge(path, tiny.state(1))


def another_sha256(path: Path) -> None:
    forge(path, sha256="6" * 64)


def another_preprocessing(path: Path) -> None:
    forge(path, preprocessing=asdict(CAFFE))


def impossible_preprocessing(path: Path) -> None:
    forge(path, preprocessing=asdict(CAFFE) | {"channels": "cmyk"})


def numbers_beyond_floats(path: Path) -> None:
    forge(path, preprocessing=asdict(CAFFE) | {"mean": [10**400] * 3})


def a_number_for_a_digest(path: Path) -> None:
    forge(path, sha256=5)


def of_another_backbone(path: Path) -> None:
    forge(path, backbone="vgg19")


def a_tensor_less(path: Path) -> None:
    forge(path, dict(list(load_file(path).items())[1:]))


def a_tensor_more(path: Path) -> None:
    forge(path, load_file(path) | {"more": torch.zeros(1)})


def of_another_shape(path: Path) -> None:
    forge(path, load_file(path) | {"features.0.bias": torch.zeros(5)})


def in_double(path: Path) -> None:
    forge(path, {name: tensor.double() for name, tensor in load_file(path).items()})


def in_bfloat16(path: Path) -> None:
    forge(path, {name: tensor.bfloat16() for name, tensor in load_file(path).items()})


def in_fp8(path: Path) -> None:
    half = {name: t.to(torch.float8_e4m3fn) for name, t in load_file(path).items()}
    save_file(half, path, {"nst": json.dumps(asdict(cachefile.check(path)))})


def nested_notes(path: Path) -> None:
    forge(path, notes="[" * 50_000)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


# Only a pin can tell these from what was fetched.
OF_TENSORS = [random]
OF_THE_FILE = [another_sha256, another_preprocessing]
OF_ANY = [
    impossible_preprocessing, numbers_beyond_floats, a_number_for_a_digest, of_another_backbone,
    a_tensor_less, a_tensor_more, of_another_shape, in_double, in_bfloat16, in_fp8, nested_notes,
]  # fmt: skip
CASES = [
    *(("pinned", each) for each in OF_TENSORS),
    *((kind, each) for kind in ("pinned", "its file pinned") for each in OF_THE_FILE),
    *((kind, each) for kind in EVERY for each in OF_ANY),
]


@pytest.mark.parametrize(("kind", "act"), CASES, ids=lambda x: getattr(x, "__name__", x))
def test_what_is_loaded_is_what_was_pinned(kind: str, act: Callable[[Path], None]) -> None:
    chosen = EVERY[kind]
    owner = tiny.backbone(chosen)
    path = weights.pull(owner, chosen)
    whole = path.read_bytes()
    act(path)
    assert weights.verify(owner, chosen) is State.DAMAGED
    with pytest.raises(BackboneError, match=rf"(?s){path} is damaged.*weights pull tiny:first"):
        weights.load(owner, chosen, offline=True)
    assert weights.pull(owner, chosen) == path
    assert path.read_bytes() == whole
    act(path)
    loaded = weights.load(owner, chosen)
    assert tiny.same(loaded.tensors, STATE)
    assert loaded.preprocessing == chosen.preprocessing
    assert loaded.sha256 == "5" * 64
    assert path.read_bytes() == whole


def test_a_folder_in_its_place_is_told() -> None:
    owner = tiny.backbone(PINNED)
    a_folder(weights.pull(owner, PINNED))
    assert weights.verify(owner, PINNED) is State.DAMAGED
    with pytest.raises(BackboneError, match="cannot be written"):
        weights.load(owner, PINNED)


def test_the_hubs_files_have_no_say_in_the_preprocessing() -> None:
    """They never had: what their notes say was the record's when they were written."""
    chosen = replace(UNPINNED, source=TorchvisionWeights("nowhere:A.B"))
    owner = tiny.backbone(chosen)
    path = weights.cached_path(owner, chosen)
    path.parent.mkdir(parents=True)
    notes = cachefile.Notes("tiny", "first", "hub", "5" * 64, digest(STATE), chosen.preprocessing)
    cachefile.write(path, STATE, notes)
    assert weights.verify(owner, chosen) is State.GOOD
    cachefile.write(path, STATE, replace(notes, preprocessing=CAFFE))
    assert weights.verify(owner, chosen) is State.DAMAGED


def test_a_source_with_other_tensors_than_pinned_is_refused(nst_cache: Path) -> None:
    other = replace(PINNED, source=replace(PINNED.source, content=tiny.state(1)))
    with pytest.raises(BackboneError, match=r"this test has other weights than were pinned"):
        weights.pull(tiny.backbone(other), other)
    assert not list(nst_cache.rglob("*.safetensors"))


@pytest.mark.parametrize("wrong", ["", "abc", "X" * 64])
def test_a_pin_is_a_sha256(wrong: str) -> None:
    with pytest.raises(BackboneError, match="no sha256 of its tensors"):
        replace(PINNED, content_sha256=wrong)


def test_all_that_we_package_is_pinned_as_converted() -> None:
    """All but what the hubs alone have, whose tensors nobody here has seen."""
    ours = [backbones.get(entry.name) for entry in backbones.registry.BUILTIN]
    owners = (*ours, *builtin.COMPANIONS)
    sets: list[WeightSet] = [each for owner in owners for each in owner.weight_sets]
    assert {each.name for each in sets if each.content_sha256 is None} == {"torchvision", "timm"}
    packaged = [each for each in sets if isinstance(each.source, PackageFile)]
    assert len(packaged) == 12
    assert all(each.content_sha256 for each in packaged)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_change_of_a_pinned_file_is_more_than_damage(data: st.DataObject) -> None:
    """Bytes that are changed, cut or put in: the file is refused, or what it holds is the same."""
    owner = tiny.backbone(PINNED)
    path = weights.pull(owner, PINNED)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(place, min(len(whole), place + 9)))
    path.write_bytes(bytes(whole[:place]) + data.draw(st.binary(max_size=9)) + bytes(whole[end:]))
    if weights.verify(owner, PINNED) is State.GOOD:
        loaded = weights.load(owner, PINNED, offline=True)
        assert tiny.same(loaded.tensors, STATE)
        assert loaded.preprocessing == PINNED.preprocessing
        assert loaded.sha256 == "5" * 64
