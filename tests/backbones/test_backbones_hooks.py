"""From an image to activations: preprocessing, order, the early end, and what is left behind."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

import backbones
from backbones import Backbone, BackboneError, Layer, Preprocessing
from backbones.hooks import BEYOND, POOLS, FeatureExtractor
from backbones.spec import CAFFE, IMAGENET
from tests.tiny import TINY

IMAGE = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
NAMES = [layer.name for layer in TINY.layers]


class Failing(nn.Module):
    """Nobody may come this far."""

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("reached")


def wrap(
    *modules: nn.Module, taps: tuple[int, ...] = (0,), preprocessing: Preprocessing = IMAGENET
) -> FeatureExtractor:
    """Make an extractor whose layer `tapI` is the I-th of `modules`."""
    layers = tuple(Layer(f"tap{index}", str(index), "any", 3, 1, 1) for index in taps)
    first = {layers[0].name: 1.0}
    sets = TINY.weight_sets
    backbone = Backbone("wrapped", "", nn.Identity, layers, first, first, sets, minimum_size=1)
    return FeatureExtractor(backbone, nn.Sequential(*modules), preprocessing)


def hook_count(extractor: FeatureExtractor) -> int:
    return sum(len(module._forward_hooks) for module in extractor.network.modules())


def test_preprocessing_of_imagenet_by_hand() -> None:
    seen = wrap(nn.Identity(), preprocessing=IMAGENET)(IMAGE, ["tap0"])["tap0"]
    red, green, blue = IMAGE.numpy()[:, 0], IMAGE.numpy()[:, 1], IMAGE.numpy()[:, 2]
    expected = [(red - 0.485) / 0.229, (green - 0.456) / 0.224, (blue - 0.406) / 0.225]
    np.testing.assert_allclose(seen.numpy(), np.stack(expected, 1), rtol=1e-5, atol=1e-6)


def test_preprocessing_of_caffe_by_hand() -> None:
    seen = wrap(nn.Identity(), preprocessing=CAFFE)(IMAGE, ["tap0"])["tap0"]
    red, green, blue = (
        255 * IMAGE.numpy()[:, 0],
        255 * IMAGE.numpy()[:, 1],
        255 * IMAGE.numpy()[:, 2],
    )
    expected = [blue - 103.939, green - 116.779, red - 123.68]
    np.testing.assert_allclose(seen.numpy(), np.stack(expected, 1), rtol=1e-5, atol=1e-3)


def test_preprocessing_uses_scale_mean_and_std_of_each_channel() -> None:
    odd = Preprocessing("bgr", 2.0, (1.0, 2.0, 3.0), (0.5, 0.25, 4.0))
    image = torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    seen = wrap(nn.Identity(), preprocessing=odd)(image, ["tap0"])["tap0"]
    expected = [(0.6 - 1) / 0.5, (0.4 - 2) / 0.25, (0.2 - 3) / 4]
    torch.testing.assert_close(seen.flatten(), torch.tensor(expected))


def test_image_is_left_as_it_was() -> None:
    image = IMAGE.clone()
    wrap(nn.ReLU(inplace=True), preprocessing=CAFFE)(image, ["tap0"])
    assert torch.equal(image, IMAGE)


def test_activations_are_those_of_the_network(extractor: FeatureExtractor) -> None:
    found = extractor(IMAGE, NAMES)
    mean = torch.tensor(IMAGENET.mean).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET.std).view(1, 3, 1, 1)
    x = (IMAGE - mean) / std
    assert isinstance(extractor.network, nn.Sequential)
    for name, module in zip(NAMES, extractor.network, strict=True):
        x = module(x)
        torch.testing.assert_close(found[name], x)


@pytest.mark.parametrize("asked", [["relu3", "conv1", "pool2"], ["conv1", "pool2", "relu3"]])
def test_shallowest_comes_first_whatever_was_asked(
    extractor: FeatureExtractor, asked: list[str]
) -> None:
    assert list(extractor(IMAGE, asked)) == ["conv1", "pool2", "relu3"]


def test_layer_asked_twice_is_given_once(extractor: FeatureExtractor) -> None:
    assert list(extractor(IMAGE, iter(["relu1", "conv1", "relu1"]))) == ["conv1", "relu1"]


def test_pass_ends_at_the_deepest_wanted_layer() -> None:
    extractor = wrap(nn.Identity(), nn.ReLU(), Failing(), taps=(0, 1, 2))
    assert list(extractor(IMAGE, ["tap1", "tap0"])) == ["tap0", "tap1"]
    with pytest.raises(RuntimeError, match="reached"):
        extractor(IMAGE, ["tap0", "tap2"])


def test_no_hook_is_left(extractor: FeatureExtractor) -> None:
    extractor(IMAGE, NAMES)
    assert hook_count(extractor) == 0
    failing = wrap(nn.Identity(), Failing(), taps=(0, 1))
    with pytest.raises(RuntimeError, match="reached"):
        failing(IMAGE, ["tap0", "tap1"])
    assert hook_count(failing) == 0
    assert list(failing(IMAGE, ["tap0"])) == ["tap0"]


def test_in_place_activation_leaves_the_layer_before_it_alone(extractor: FeatureExtractor) -> None:
    found = extractor(IMAGE, ["conv1", "relu1"])
    assert (found["conv1"] < 0).any()
    torch.testing.assert_close(found["relu1"], found["conv1"].clamp(min=0))


def test_network_is_frozen_and_in_eval_mode() -> None:
    extractor = wrap(nn.Conv2d(3, 3, 1), nn.Dropout(0.5), nn.BatchNorm2d(3), taps=(0, 1, 2))
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    found = extractor(IMAGE, ["tap0", "tap1", "tap2"])
    assert torch.equal(found["tap0"], found["tap1"])
    assert (extractor.network.get_buffer("2.running_mean") == 0).all()


def test_gradient_reaches_the_image(extractor: FeatureExtractor) -> None:
    image = IMAGE.clone().requires_grad_()
    extractor(image, ["relu3"])["relu3"].square().sum().backward()
    assert image.grad is not None
    assert (image.grad.flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize(("height", "width"), [(7, 32), (32, 7), (1, 1)])
def test_too_small_image_is_refused(extractor: FeatureExtractor, height: int, width: int) -> None:
    with pytest.raises(BackboneError) as error:
        extractor(torch.rand(1, 3, height, width), ["conv1"])
    assert f"{width}×{height} px is too small for tiny" in str(error.value)
    assert "at least 8 px" in str(error.value)


def test_image_of_the_minimum_size_is_taken(extractor: FeatureExtractor) -> None:
    assert extractor(torch.rand(1, 3, 8, 8), ["relu3"])["relu3"].shape == (1, 16, 2, 2)


def test_unknown_layer_suggests(extractor: FeatureExtractor) -> None:
    with pytest.raises(BackboneError, match=r"'rulu1' for tiny \(did you mean 'relu1'\?\)"):
        extractor(IMAGE, ["conv1", "rulu1"])
    assert hook_count(extractor) == 0


def test_unknown_module_is_refused_at_once() -> None:
    with pytest.raises(BackboneError, match=r"'wrapped'.*'tap5' names the module '5'"):
        wrap(nn.Identity(), nn.ReLU(), taps=(0, 5))


def test_layer_that_the_pass_never_reaches() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Identity(), nn.Identity()

        def forward(self, x: Tensor) -> Any:
            return self.used(x)

    layers = tuple(Layer(name, name, "any", 3, 1, 1) for name in ("used", "unused"))
    first = {"used": 1.0}
    backbone = Backbone("branching", "", Branching, layers, first, first, TINY.weight_sets)
    extractor = FeatureExtractor(backbone, Branching(), IMAGENET)
    image = torch.rand(1, 3, 32, 32)
    with pytest.raises(BackboneError, match=r"'branching': its forward pass never reaches unused$"):
        extractor(image, ["unused", "used"])
    assert list(extractor(image, ["used"])) == ["used"]


def test_average_pooling_takes_the_place_of_max_pooling() -> None:
    pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
    extractor = wrap(nn.Conv2d(3, 3, 1), pool, taps=(0, 1)).pool_by(POOLS["avg"])
    features = extractor(IMAGE, ["tap0", "tap1"])
    expected = 1.5 * nn.functional.avg_pool2d(features["tap0"], 3, 2, 1, ceil_mode=True)
    torch.testing.assert_close(features["tap1"], expected)


def test_roots_of_mean_squares_take_the_place_of_max_pooling() -> None:
    pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
    extractor = wrap(nn.Conv2d(3, 3, 1), pool, taps=(0, 1)).pool_by(POOLS["l2"])
    features = extractor(IMAGE, ["tap0", "tap1"])
    squares = nn.functional.avg_pool2d(features["tap0"].square(), 3, 2, 1, ceil_mode=True)
    torch.testing.assert_close(features["tap1"], 1.3 * squares.sqrt())


def test_the_root_of_nothing_has_a_slope() -> None:
    pool = POOLS["l2"](nn.MaxPool2d(2))
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    pool(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@given(
    st.sampled_from([("replicate", "edge"), ("reflect", "reflect"), ("circular", "wrap")]),
    st.integers(1, 5),
    st.integers(0, 7),
    st.integers(0, 7),
)
def test_what_lies_beyond_a_border_is_what_numpy_says(
    names: tuple[str, Any], edge: int, before: int, after: int
) -> None:
    padding, mode = names
    expected = np.pad(np.arange(edge), (before, after), mode=mode)
    found = [BEYOND[padding](place, edge) for place in range(-before, edge + after)]
    assert found == expected.tolist()


def test_what_pads_by_itself_is_not_padded_twice() -> None:
    extractor = wrap(nn.Identity(), Conv2dSame(3, 4, 3, stride=2), taps=(0, 1))
    with pytest.raises(BackboneError, match=r"has a Conv2dSame, .* leave --padding at own$"):
        extractor.pad_by("reflect")


@pytest.mark.parametrize(("padding", "mode"), [("reflect", "reflect"), ("replicate", "replicate")])
def test_a_convolution_sees_what_the_padding_says(padding: str, mode: str) -> None:
    conv = nn.Conv2d(3, 4, (3, 5), padding=(1, 2))
    seen = nn.functional.pad(IMAGE, (2, 2, 1, 1), mode)
    expected = nn.functional.conv2d(seen, conv.weight, conv.bias)
    found = wrap(nn.Identity(), conv, taps=(0, 1)).pad_by(padding)
    found.gain, found.shift = torch.ones(()), torch.zeros(())
    torch.testing.assert_close(found(IMAGE, ["tap1"])["tap1"], expected)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect"),
        nn.Conv2d(3, 4, 4, stride=2, padding=1),
        nn.Conv2d(3, 4, 3, stride=2, padding=2, dilation=2),
        nn.Conv2d(3, 4, 1, stride=4),
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d((3, 2), (2, 1), (1, 0)),
        nn.AvgPool2d(4, 4, 1),
    ],
    ids=repr,
)
def test_a_picture_that_is_moved_round_has_activations_that_are_moved_round(
    module: Any,
) -> None:
    extractor = wrap(module).pad_by("circular")
    found, moved = (extractor(x, ["tap0"])["tap0"] for x in (IMAGE, IMAGE.roll((4, 8), (2, 3))))
    down, right = 4 * found.shape[2] // 16, 8 * found.shape[3] // 24
    torch.testing.assert_close(found.roll((down, right), (2, 3)), moved)


def test_the_padding_that_came_last_holds_however_small_the_picture() -> None:
    conv = nn.Conv2d(3, 3, 5)
    one = IMAGE[..., :1, :1]
    extractor = wrap(nn.Identity(), conv, taps=(0, 1)).pad_by("circular").pad_by("replicate")
    found = extractor(one, ["tap0", "tap1"])
    expected = nn.functional.conv2d(found["tap0"].expand(-1, -1, 5, 5), conv.weight, conv.bias)
    torch.testing.assert_close(found["tap1"], expected)


class Residual(nn.Module):
    """A block whose output is also its input, past what is inside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        inside: Tensor = self.inside(x)
        return x + inside


def with_residual() -> FeatureExtractor:
    """Make an extractor: a pool, a residual block and a pool after it, the rest of stride 1."""
    layers = (
        Layer("pool1", "0", "pool", 3, 2, 2),
        Layer("inside", "1.inside", "conv", 1, 2, 6),  # so few that it would be the first choice
        Layer("block", "1", "residual", 3, 2, 6),
        Layer("pool2", "2", "pool", 3, 4, 8),
        Layer("last", "3", "conv", 3, 4, 16),
    )
    first = {"last": 1.0}
    backbone = Backbone("residual", "", nn.Identity, layers, first, first, TINY.weight_sets)
    network = nn.Sequential(
        nn.MaxPool2d(2), Residual(), nn.MaxPool2d(2), nn.Conv2d(3, 3, 3, padding=1)
    )
    return FeatureExtractor(backbone, network, IMAGENET)


def test_layers_after_another_one(extractor: FeatureExtractor) -> None:
    assert extractor.behind("pool1", NAMES) == NAMES[NAMES.index("pool1") + 1 :]
    assert extractor.behind(NAMES[-1], NAMES) == extractor.behind(None, NAMES) == []


@pytest.mark.parametrize("neck", ["conv1", "pool1", "pool2"])
def test_the_rest_of_the_network_goes_on_from_a_layer(
    extractor: FeatureExtractor, neck: str
) -> None:
    found = extractor(IMAGE, NAMES)
    behind = extractor.behind(neck, NAMES)
    onward = extractor.onward(found[neck], neck, behind)
    assert list(onward) == behind
    for name in behind:
        assert torch.equal(onward[name], found[name])
    assert not hook_count(extractor)


def test_gradient_goes_back_to_the_layer_it_went_on_from(extractor: FeatureExtractor) -> None:
    x = extractor(IMAGE, ["pool1"])["pool1"].requires_grad_()
    extractor.onward(x, "pool1", ["relu3"])["relu3"].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_a_neck_is_a_layer_of_each_stride_past_which_nothing_is_seen() -> None:
    extractor = with_residual()
    assert extractor.necks(["block", "last"]) == ["pool1", "pool2"]
    image = torch.rand(1, 3, 32, 32)
    inside = extractor(image, ["inside"])["inside"]
    assert extractor.onward(inside, "inside", ["last"])["last"].isnan().any()


def test_where_no_layer_comes_after_there_is_no_neck(extractor: FeatureExtractor) -> None:
    assert extractor.necks(["relu1"]) == []
    assert extractor.necks(["pool1"]) == []
    assert extractor.necks(NAMES) == ["pool1", "pool2"]


def test_a_dense_stem_has_strides_of_its_own() -> None:
    for dense in (False, True):
        backbone = backbones.get("squeezenet")
        extractor = FeatureExtractor(backbone, backbone.build(), IMAGENET)
        if dense:
            extractor.use_dense_stem()
        necks = extractor.necks(["conv1", "fire7"])
        strides = [extractor.layer(name).stride for name in necks]
        assert strides == ([2, 4, 8] if dense else [2, 4, 8, 16])
