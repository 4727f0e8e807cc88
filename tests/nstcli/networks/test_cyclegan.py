"""CycleGAN's generator: the authors' layout, its variants, and what is none."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nstcli.errors import InputError
from nstcli.networks.cyclegan import ResnetGenerator

# Parameters of the authors' generator with nine blocks, trained for years by many.
PUBLISHED = {
    "model.1.weight": (64, 3, 7, 7),
    "model.1.bias": (64,),
    "model.4.weight": (128, 64, 3, 3),
    "model.7.weight": (256, 128, 3, 3),
    "model.10.conv_block.1.weight": (256, 256, 3, 3),
    "model.18.conv_block.5.bias": (256,),
    "model.19.weight": (256, 128, 3, 3),
    "model.22.weight": (128, 64, 3, 3),
    "model.26.weight": (3, 64, 7, 7),
    "model.26.bias": (3,),
}


def tiny(blocks: int = 1, *, affine: bool = False) -> ResnetGenerator:
    torch.manual_seed(0)
    return ResnetGenerator(2, blocks, affine=affine)


def renamed(state: dict[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {name.replace(old, new): each for name, each in state.items()}


def test_the_layout_is_the_published_one() -> None:
    with torch.device("meta"):
        state = ResnetGenerator().state_dict()
    assert {name: tuple(state[name].shape) for name in PUBLISHED} == PUBLISHED
    assert len(state) == 2 * (6 + 2 * 9)
    assert sum(each.numel() for each in state.values()) == 11_378_179


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("blocks", [6, 9])
def test_parameters_tell_width_and_blocks(blocks: int, affine: bool) -> None:
    trained = tiny(blocks, affine=affine)
    found = ResnetGenerator.of(trained.state_dict(), "monet.pth")
    image = torch.rand(1, 3, 8, 12)
    with torch.no_grad():
        assert torch.equal(found(image), trained(image))
    assert not any(each.requires_grad for each in found.parameters())


@given(st.integers(1, 23), st.integers(1, 23))
@settings(max_examples=20)
def test_a_picture_of_any_size_keeps_it(height: int, width: int) -> None:
    with torch.no_grad():
        made = tiny()(torch.rand(1, 3, height, width))
    assert made.shape == (1, 3, height, width)
    assert made.min() >= 0
    assert made.max() <= 1


@pytest.mark.parametrize("affine", [False, True])
def test_generators_of_others_are_read(affine: bool) -> None:
    """Whose blocks are called otherwise, and those that were trained with dropout."""
    trained, image = tiny(affine=affine), torch.rand(1, 3, 8, 8)
    state = dict(trained.state_dict())
    dropped = renamed(renamed(state, "block.6.", "block.7."), "block.5.", "block.6.")
    assert dropped.keys() != state.keys()
    for other in (renamed(state, ".conv_block.", ".block."), dropped):
        with torch.no_grad():
            assert torch.equal(ResnetGenerator.of(other, "x.pth")(image), trained(image))


@pytest.mark.parametrize(
    ("name", "tensor", "problem"),
    [
        ("model.1.weight", None, "no CycleGAN generator"),
        ("model.1.bias", None, "batch normalisation"),
        ("model.10.conv_block.1.bias", None, r"missing .*: model\.10\.conv_block\.1\.bias"),
        ("model.7.weight", torch.zeros(8, 4, 3, 2), r"\(8, 4, 3, 2\), not \(8, 4, 3, 3\)"),
        ("model.20.bias", torch.zeros(4), r"unknown .*: model\.20\.bias"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(name: str, tensor: Tensor | None, problem: str) -> None:
    state = dict(tiny().state_dict())
    if tensor is None:
        del state[name]
    else:
        assert name not in state or state[name].shape != tensor.shape
        state[name] = tensor
    with pytest.raises(InputError, match=problem) as raised:
        ResnetGenerator.of(state, "monet.pth")
    assert str(raised.value).startswith("monet.pth: ")
