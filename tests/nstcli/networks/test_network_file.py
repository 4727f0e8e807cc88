"""Files of networks: notes come back, and what is no network of ours says what it is."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nstcli.errors import InputError
from nstcli.networks import file
from nstcli.networks.transformation import TransformationNetwork

NOTES = file.Notes(
    style="ink [/b] „wave“",
    recipe={"style_weight": 30.0, "style_layers": {"relu1_1": 1.0}},
    licence="CC0",
    thumbnail=b"\xff\xd8 a picture",
    steps=7,
    photos=3,
    seconds=1.5,
    loss=0.25,
)


@pytest.fixture
def network() -> TransformationNetwork:
    torch.manual_seed(0)
    return TransformationNetwork(2, 1)


def test_what_is_known_comes_back(tmp_path: Path, network: TransformationNetwork) -> None:
    path = tmp_path / "ink.safetensors"
    file.write(path, network, NOTES)
    found, notes = file.read(path)
    known = replace(notes, content_sha256="")
    assert known == replace(NOTES, width=2, residuals=1)
    assert file.read_notes(path) == notes
    for name, tensor in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name


def test_the_same_gives_the_same_bytes(tmp_path: Path, network: TransformationNetwork) -> None:
    for name in ("a", "b"):
        file.write(tmp_path / name, network, NOTES)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_loss_that_nobody_knows_is_none(tmp_path: Path, network: TransformationNetwork) -> None:
    file.write(tmp_path / "n", network, replace(NOTES, loss=math.nan))
    assert math.isnan(file.read(tmp_path / "n")[1].loss)


def told(path: Path, **changes: Any) -> None:
    """Write the notes of a file anew, with some changed."""
    said = {**NOTES.dump(), **changes}
    save_file(load_file(path), path, {"nst-network": json.dumps(said)})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "unheard", "version": "9.0"}, "of the kind 'unheard'.*nst 9.0 trained it"),
        ({"levels": 0}, "levels is 0"),
        ({"levels": math.nan}, "levels is nan"),
        ({"width": "wide"}, "width is 'wide'"),
        ({"style": 3}, "style is no text"),
        ({"recipe": []}, "recipe is no mapping"),
        ({"thumbnail": "%"}, "notes cannot be read"),
        ({"content_sha256": "0" * 64}, "not those that were written"),
    ],
)
def test_notes_that_cannot_be_are_refused(
    tmp_path: Path, network: TransformationNetwork, changes: dict[str, Any], problem: str
) -> None:
    path = tmp_path / "n.safetensors"
    file.write(path, network, NOTES)
    told(path, **changes)
    with pytest.raises(InputError, match=problem):
        file.read(path)


def test_notes_of_a_later_program_are_read(tmp_path: Path, network: TransformationNetwork) -> None:
    path = tmp_path / "n.safetensors"
    file.write(path, network, NOTES)
    told(path, invented_later=1)
    assert file.read_notes(path).style == NOTES.style


def test_what_is_no_network_says_what_it_is(tmp_path: Path, network: TransformationNetwork) -> None:
    whole = tmp_path / "whole.safetensors"
    file.write(whole, network, NOTES)
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff" * 100)
    (tmp_path / "empty").touch()
    save_file({"a": torch.zeros(1)}, tmp_path / "plain")
    save_file({"a": torch.zeros(1)}, tmp_path / "weights", {"nst": "{}"})
    save_file({"a": torch.zeros(1)}, tmp_path / "broken", {"nst-network": "{"})
    for name, problem in {
        "gone": "no such file",
        ".": "is a folder",
        "cut": "no network, or a damaged one",
        "photo.jpg": "no safetensors file",
        "empty": "no safetensors file",
        "plain": "no network that is known",
        "weights": "weights of a backbone",
        "broken": "damaged; its notes",
    }.items():
        for reads in (file.read, file.read_notes):
            with pytest.raises(InputError, match=problem) as raised:
                reads(tmp_path / name)
            assert str(raised.value).startswith(str(tmp_path / name)), name


def test_a_wrong_shape_names_the_layer(tmp_path: Path, network: TransformationNetwork) -> None:
    path = tmp_path / "n.safetensors"
    network.in3.bias = torch.nn.Parameter(torch.zeros(9))
    file.write(path, network, NOTES)
    with pytest.raises(InputError, match=r"n\.safetensors: .* in3\.bias is \(9,\), not \(8,\)"):
        file.read(path)
