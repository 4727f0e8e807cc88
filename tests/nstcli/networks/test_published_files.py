"""Files of other programs: what they hold is found out, read safely, and else told."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nstcli.errors import InputError
from nstcli.networks import file
from nstcli.networks.cyclegan import ResnetGenerator
from nstcli.networks.transformation import TransformationNetwork

State = dict[str, Tensor]
IMAGE = torch.rand(1, 3, 12, 8)


def transformation() -> TransformationNetwork:
    torch.manual_seed(0)
    return TransformationNetwork(2, 5, levels=255.0)


def generator() -> ResnetGenerator:
    torch.manual_seed(0)
    return ResnetGenerator(2, 6)


def with_old_statistics(state: State) -> State:
    """As PyTorch 0.3 wrote it, where normalisations kept means of their training."""
    stem = "model.2" if "model.1.weight" in state else "in1"
    kept = {"running_mean": torch.zeros(2), "running_var": torch.ones(2)}
    return {**{f"{stem}.{name}": each for name, each in kept.items()}, **state}


def of_several_cards(state: State) -> State:
    return {f"module.{name}": each for name, each in state.items()}


def in_a_checkpoint(state: State) -> dict[str, Any]:
    return {"epoch": 3, "state_dict": state}


@pytest.mark.parametrize("form", [dict, with_old_statistics, of_several_cards, in_a_checkpoint])
@pytest.mark.parametrize(
    ("made", "kind"), [(transformation, "transformation"), (generator, "cyclegan")]
)
def test_published_layouts_are_read(
    tmp_path: Path, made: Callable[[], nn.Module], kind: str, form: Callable[[State], Any]
) -> None:
    path, trained = tmp_path / "candy.pth", made()
    torch.save(form(trained.state_dict()), path)
    found, notes = file.read(path)
    assert (notes.style, notes.kind, notes.levels) == ("candy", kind, 255)
    with torch.no_grad():
        assert torch.equal(found(IMAGE), trained(IMAGE))
    assert file.read_notes(path) == notes


def test_tensors_without_notes_are_told_by_their_names(tmp_path: Path) -> None:
    path, trained = tmp_path / "candy.safetensors", transformation()
    save_file(with_old_statistics(trained.state_dict()), path)
    found, notes = file.read(path)
    with torch.no_grad():
        assert torch.equal(found(IMAGE), trained(IMAGE))
    known = file.read_notes(path)
    assert (known.style, known.kind) == (notes.style, notes.kind) == ("candy", "transformation")


@pytest.mark.parametrize(
    ("made", "method", "problem"),
    [
        (generator, "network", "it holds a CycleGAN generator; --method cyclegan takes it"),
        (transformation, "cyclegan", "it holds a transformation network; --method network takes"),
    ],
)
def test_a_network_for_another_method_says_which(
    tmp_path: Path, made: Callable[[], nn.Module], method: str, problem: str
) -> None:
    path = tmp_path / "a.pth"
    torch.save(made().state_dict(), path)
    with pytest.raises(InputError, match=rf"a\.pth: {problem}"):
        file.read(path, method)


class Call:
    """Pickles as a call, made when the file is read by whoever makes it."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_a_file_that_asks_for_more_is_refused_and_not_run(tmp_path: Path) -> None:
    witness, path = tmp_path / "witness", tmp_path / "candy.pth"
    torch.save({**transformation().state_dict(), "x": Call(f"touch {witness}")}, path)
    with pytest.raises(InputError, match=rf"candy\.pth: asks for {os.name}\.system.*refused"):
        file.read(path)
    assert not witness.exists()


def test_what_is_no_network_says_what_would_be_one(tmp_path: Path) -> None:
    path = tmp_path / "vgg.pth"
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"vgg\.pth: it holds no network .*conv1\.conv2d\.weight"):
        file.read(path)
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(InputError, match=r"vgg\.pth: is no state dict"):
        file.read(path)
    with pytest.raises(InputError, match=r"gone\.pth: no such file"):
        file.read(tmp_path / "gone.pth")


def test_a_wrong_shape_names_the_layer(tmp_path: Path) -> None:
    path, state = tmp_path / "monet.pth", generator().state_dict()
    state["model.7.bias"] = torch.zeros(9)
    torch.save(state, path)
    with pytest.raises(InputError, match=r"monet\.pth: .*model\.7\.bias is \(9,\), not \(8,\)"):
        file.read(path)
