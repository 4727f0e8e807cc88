from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor

import backbones
from backbones import BackboneError
from backbones.weights import builtin, convert
from tests.backbones.weights import weights_tiny as tiny

GATYS_FIRST = {
    "0.weight": torch.tensor([[0.0, 0, 255], [0, 255, 0], [255, 0, 0]])[:, :, None, None],
    "0.bias": -torch.tensor([103.939, 116.779, 123.68]),
}


def gatys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name tensors as Gatys' file does: plain numbers, the preprocessing in front."""
    return GATYS_FIRST | {name.replace("features.", "1"): t for name, t in state.items()}


def hwio(kernel: Tensor) -> np.ndarray:
    return kernel.permute(2, 3, 1, 0).numpy()


def test_gatys_layers_are_renamed_in_order() -> None:
    state = tiny.state()
    assert tiny.same(convert.gatys_vgg19(gatys(state), state), state)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("0.weight", torch.eye(3)[:, :, None, None] * 255, "BGR"),
        ("0.weight", GATYS_FIRST["0.weight"] / 255, "times 255"),
        ("0.weight", torch.zeros(64, 3, 3, 3), "times 255"),
        ("0.bias", torch.zeros(3), "does not subtract"),
        ("0.bias", GATYS_FIRST["0.bias"].flip(0), "does not subtract"),
    ],
)
def test_gatys_preprocessing_has_to_be_the_expected(name: str, value: Tensor, told: str) -> None:
    state = tiny.state()
    with pytest.raises(BackboneError, match=told):
        convert.gatys_vgg19(gatys(state) | {name: value}, state)


def test_gatys_without_the_preprocessing_layer() -> None:
    state = tiny.state()
    with pytest.raises(BackboneError, match=r"no '0\.weight'; it begins with features\.0\.weight"):
        convert.gatys_vgg19(state, state)


def test_lpips_kernels_are_turned() -> None:
    state = tiny.state()
    pairs = {
        f"Conv_{i}": {
            "kernel": hwio(state[f"features.{place}.weight"]),
            "bias": state[f"features.{place}.bias"].numpy(),
        }
        for i, place in enumerate((0, 2))
    }
    content = {"VGG16_0": dict(reversed(pairs.items())), "NetLinLayer_0": {}}
    assert tiny.same(convert.lpips_vgg16(content, state), state)
    del content["VGG16_0"]["Conv_0"]
    with pytest.raises(BackboneError, match="no 'Conv_0'"):
        convert.lpips_vgg16(content, state)


def test_squeezenet_layers_find_their_places() -> None:
    from torchvision.models import squeezenet1_1

    state = squeezenet1_1().state_dict()
    modules = {"conv1": "features.0", "conv10": "classifier.1"}
    for fire, index in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True):
        modules[f"fire{fire}/squeeze1x1"] = f"features.{index}.squeeze"
        modules[f"fire{fire}/expand1x1"] = f"features.{index}.expand1x1"
        modules[f"fire{fire}/expand3x3"] = f"features.{index}.expand3x3"
    content = {
        name: [hwio(state[f"{module}.weight"]), state[f"{module}.bias"].numpy()]
        for name, module in modules.items()
    }
    converted = convert.fit(convert.deepscale_squeezenet(content, state), state)
    assert tiny.same(converted, dict(state))
    del content["fire5/expand3x3"]
    with pytest.raises(BackboneError, match="no 'fire5/expand3x3'"):
        convert.deepscale_squeezenet(content, state)


def test_torchvision_s_mobilenet_is_timm_s() -> None:
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    theirs = mobilenet_v2().eval()
    backbone = backbones.get("mobilenet")
    template = convert.template(backbone)
    assert len(template) == 314
    ours = backbone.build().eval()
    state = theirs.state_dict()
    ours.load_state_dict(convert.fit(convert.torchvision_mobilenet(state, template), template))
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(theirs(image), ours(image))
    swapped = OrderedDict(reversed(state.items()))
    with pytest.raises(BackboneError, match=r"classifier\.1\.bias \(1000,\) stands where"):
        convert.torchvision_mobilenet(swapped, template)
    del swapped["classifier.1.bias"]
    with pytest.raises(BackboneError, match="313 tensors, the network 314"):
        convert.torchvision_mobilenet(swapped, template)


@pytest.mark.parametrize("name", ["vgg19", "vgg16", "squeezenet", "mobilenet"])
def test_templates_take_no_memory(name: str) -> None:
    template = convert.template(backbones.get(name))
    assert {tensor.device.type for tensor in template.values()} == {"meta"}


def test_fit_copies_and_widens() -> None:
    wanted = tiny.state()
    half = {name: tensor.half() for name, tensor in wanted.items()}
    extra = {"classifier.0.weight": torch.zeros(1)}
    fitted = convert.fit(half | extra, wanted)
    assert fitted.keys() == wanted.keys()
    assert {tensor.dtype for tensor in fitted.values()} == {torch.float32}
    again = convert.fit(wanted, wanted)
    assert all(again[name].data_ptr() != wanted[name].data_ptr() for name in wanted)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features.0.bias": None}, r"missing .*: features\.0\.bias$"),
        (dict.fromkeys(tiny.state()), "missing .* "),
        ({"features.7.bias": torch.zeros(1)}, r"unknown .*: features\.7\.bias"),
        ({"features.0.bias": torch.zeros(5)}, r"features\.0\.bias is \(5,\), not \(4,\)"),
        ({"features.0.bias": np.zeros(4)}, "wrong shape"),
        ({"features.0.bias": torch.zeros(4, dtype=torch.int64)}, r"torch\.int64"),
        ({"features.0.bias": torch.tensor([0, 0, 0, torch.nan])}, "not finite"),
    ],
)
def test_fit_names_what_does_not(changes: dict[str, object], told: str) -> None:
    wanted = tiny.state()
    content = {name: tensor for name, tensor in (wanted | changes).items() if tensor is not None}
    with pytest.raises(BackboneError, match=told):
        convert.fit(content, wanted)


def test_long_lists_of_names_are_cut() -> None:
    wanted = {f"features.{i}.bias": torch.zeros(1) for i in range(9)}
    with pytest.raises(BackboneError, match=r"features\.3\.bias and 5 more$"):
        convert.fit({}, wanted)


def test_the_default_sets_are_those_of_the_design() -> None:
    table = {
        name: [weight_set.name for weight_set in getattr(builtin, name)]
        for name in ("VGG19", "VGG16", "SQUEEZENET", "MOBILENET")
    }
    assert table == {
        "VGG19": ["gatys", "torchvision"],
        "VGG16": ["imagenet", "torchvision"],
        "SQUEEZENET": ["deepscale", "torchvision"],
        "MOBILENET": ["imagenet", "torchvision", "timm"],
    }
