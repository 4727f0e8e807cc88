"""The transformation network: the published layout, pictures of any size, wrong tensors named."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.networks.transformation import TransformationNetwork

# The parameters of PyTorch's fast_neural_style, which published checkpoints hold.
PUBLISHED = {
    "conv1.conv2d.weight": (32, 3, 9, 9),
    "in1.weight": (32,),
    "conv2.conv2d.weight": (64, 32, 3, 3),
    "conv3.conv2d.bias": (128,),
    "in3.bias": (128,),
    "res1.conv1.conv2d.weight": (128, 128, 3, 3),
    "res5.in2.bias": (128,),
    "deconv1.conv2d.weight": (64, 128, 3, 3),
    "in4.weight": (64,),
    "deconv2.conv2d.weight": (32, 64, 3, 3),
    "in5.weight": (32,),
    "deconv3.conv2d.weight": (3, 32, 9, 9),
    "deconv3.conv2d.bias": (3,),
}


def tiny(seed: int = 0, levels: float = 1.0) -> TransformationNetwork:
    torch.manual_seed(seed)
    return TransformationNetwork(2, 1, levels)


def test_the_layout_is_the_published_one() -> None:
    with torch.device("meta"):
        state = TransformationNetwork().state_dict()
    assert {name: tuple(state[name].shape) for name in PUBLISHED} == PUBLISHED
    assert len(state) == 62
    assert sum(each.numel() for each in state.values()) == 1_679_235


@given(st.integers(1, 23), st.integers(1, 23), st.integers(1, 2))
@settings(max_examples=40)
def test_a_picture_of_any_size_keeps_it(height: int, width: int, count: int) -> None:
    with torch.no_grad():
        painted = tiny()(torch.rand(count, 3, height, width))
    assert painted.shape == (count, 3, height, width)
    assert painted.isfinite().all()


def test_a_size_that_fits_is_seen_as_it_is() -> None:
    """What PyTorch's examples would do to the same pixels, written out."""
    network, image = tiny(levels=255.0), torch.rand(1, 3, 12, 16)
    state = network.state_dict()

    def convolved(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight, bias = state[f"{name}.conv2d.weight"], state[f"{name}.conv2d.bias"]
        edge = weight.shape[-1] // 2
        padded = torch.nn.functional.pad(x, (edge,) * 4, "reflect")
        return torch.nn.functional.conv2d(padded, weight, bias, stride)

    def normal(x: torch.Tensor, name: str) -> torch.Tensor:
        x = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), False, keepdim=True) + 1e-5).sqrt()
        weight, bias = (state[f"{name}.{each}"].view(1, -1, 1, 1) for each in ("weight", "bias"))
        return weight * x + bias

    x = image * 255
    for number, stride in ((1, 1), (2, 2), (3, 2)):
        x = normal(convolved(x, f"conv{number}", stride), f"in{number}").relu()
    inner = normal(convolved(x, "res1.conv1"), "res1.in1").relu()
    x = x + normal(convolved(inner, "res1.conv2"), "res1.in2")
    for number in (1, 2):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = normal(convolved(x, f"deconv{number}"), f"in{number + 3}").relu()
    wanted = convolved(x, "deconv3") / 255
    torch.testing.assert_close(network(image), wanted, atol=1e-5, rtol=1e-4)


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    network, images = tiny(), torch.rand(2, 3, 9, 14)
    alone = torch.cat([network(images[:1]), network(images[1:])])
    torch.testing.assert_close(network(images), alone, atol=1e-5, rtol=1e-4)


def test_shapes_tell_width_and_blocks() -> None:
    torch.manual_seed(0)
    trained = TransformationNetwork(3, 2)
    found = TransformationNetwork.of(trained.state_dict(), "a.pth", 255.0)
    assert (found.width, found.residuals, found.levels) == (3, 2, 255.0)
    assert not any(each.requires_grad for each in found.parameters())
    image = torch.rand(1, 3, 8, 8)
    found.levels = 1.0
    assert torch.equal(found(image), trained(image))


@pytest.mark.parametrize(
    ("name", "tensor", "problem"),
    [
        ("conv1.conv2d.weight", None, "no transformation network"),
        ("conv1.conv2d.weight", torch.zeros(2), "no transformation network"),
        ("in2.bias", None, r"missing .*: in2\.bias"),
        ("in2.bias", torch.zeros(5), r"in2\.bias is \(5,\), not \(4,\)"),
        (
            "res1.conv1.conv2d.weight",
            torch.zeros(8, 8, 1, 1),
            r"\(8, 8, 1, 1\), not \(8, 8, 3, 3\)",
        ),
        ("deconv3.conv2d.bias", torch.zeros(3, dtype=torch.int64), r"conv2d\.bias is torch\.int64"),
        ("in1.running_mean", torch.zeros(2), r"unknown .*: in1\.running_mean"),
        ("in1.bias", torch.full((2,), torch.nan), r"in1\.bias has values that are not finite"),
        ("res2.in1.weight", torch.zeros(8), r"missing .*: res2\.conv1\.conv2d\.weight"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(
    name: str, tensor: torch.Tensor | None, problem: str
) -> None:
    state = dict(tiny().state_dict())
    if tensor is None:
        del state[name]
    else:
        state[name] = tensor
    with pytest.raises(InputError, match=problem) as raised:
        TransformationNetwork.of(state, "candy.pth")
    assert str(raised.value).startswith("candy.pth: ")
