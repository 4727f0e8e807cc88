"""Turn the contents of weights files into state dicts of our networks, and check that they fit.

A converter gets the file's content and the network's own state dict on the meta device (names
and shapes, no values) and returns a new state dict; `fit` then holds it against the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backbones.spec import CAFFE, BackboneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from backbones.spec import Backbone, Companion

# How many names an error lists before it only counts.
_SHOWN = 4

# Number of SqueezeNet's fire module -> its place in torchvision's `features`.
_FIRES = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}


def template(backbone: Backbone | Companion) -> dict[str, Tensor]:
    """Return the network's state dict on the meta device: names, shapes and types, no memory."""
    import torch

    with torch.device("meta"):
        return dict(backbone.build().state_dict())


def gatys_vgg19(content: Mapping[str, Any], template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the 16 convolutions of Gatys' normalised VGG-19, dropping the preprocessing layer.

    The file's first convolution, 1×1, turns RGB in [0, 1] into what Caffe's networks expect.
    Here that is the weight set's preprocessing, so it has to say exactly the same.
    """
    import torch

    weight, bias = _entry(content, "0.weight"), _entry(content, "0.bias")
    # Row i of the matrix makes output channel i (blue, green, red) from RGB.
    expected = torch.eye(3).flip(0) * CAFFE.scale
    if weight.shape != (3, 3, 1, 1) or not torch.equal(weight[:, :, 0, 0], expected):
        raise BackboneError("the first layer of the file is not RGB to BGR times 255")
    if not torch.allclose(bias, -torch.tensor(CAFFE.mean), atol=1e-3, rtol=0.0):
        raise BackboneError(f"the first layer of the file does not subtract {CAFFE.mean}")
    rest = {name: value for name, value in content.items() if name.partition(".")[0] != "0"}
    return _in_order(rest, template)


def lpips_vgg16(content: Mapping[str, Any], template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take VGG-16's 13 convolutions from the flax parameters of the LPIPS metric."""
    return _flax_convolutions(_entry(content, "VGG16_0"), template)


def lpips_alexnet(content: Mapping[str, Any], template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take AlexNet's 5 convolutions from the flax parameters of the LPIPS metric."""
    return _flax_convolutions(_entry(content, "AlexNet_0"), template)


def _flax_convolutions(
    network: Mapping[str, Any], template: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    pairs = (_entry(network, f"Conv_{i}") for i in range(len(network)))
    converted: dict[str, Tensor] = {}
    for number, pair in enumerate(pairs):
        converted[f"{number}.weight"] = _from_hwio(_entry(pair, "kernel"))
        converted[f"{number}.bias"] = _tensor(_entry(pair, "bias"))
    return _in_order(converted, template)


def lpips_heads(content: Mapping[str, Any], template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the five 1×1 convolutions of LPIPS after the layers that they weigh."""
    return _in_order(content, template)


def adain_decoder(content: Mapping[str, Any], template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the nine convolutions of AdaIN's decoder; the file counts their padding, too."""
    return _in_order(content, template)


def deepscale_squeezenet(
    content: Mapping[str, Any], template: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Rename the layers of DeepScale's SqueezeNet 1.1, each a pair of HWIO kernel and bias."""
    places = {"conv1": "features.0", "conv10": "classifier.1"}
    for fire, index in _FIRES.items():
        places[f"fire{fire}/squeeze1x1"] = f"features.{index}.squeeze"
        for part in ("expand1x1", "expand3x3"):
            places[f"fire{fire}/{part}"] = f"features.{index}.{part}"
    converted: dict[str, Tensor] = {}
    for name, place in places.items():
        kernel, bias = _entry(content, name)
        converted[f"{place}.weight"] = _from_hwio(kernel)
        converted[f"{place}.bias"] = _tensor(bias)
    return converted


def torchvision_mobilenet(
    content: Mapping[str, Any], template: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Rename torchvision's MobileNetV2 to timm's: the same parameters in the same order."""
    return _in_order(content, template)


def fit(content: Mapping[str, Any], template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors the network needs, in its own types, after checking every one.

    Parts that the network does not have at all are left out (torchvision's VGG files carry a
    classifier); a strange name inside a part that it has means another network.

    Raises:
        BackboneError: tensors are missing, unknown, of other shapes or kinds, or not finite.
    """
    import torch

    parts = {name.partition(".")[0] for name in template}
    missing = [name for name in template if name not in content]
    unknown = [n for n in content if n not in template and n.partition(".")[0] in parts]
    for what, names in (("missing", missing), ("unknown", unknown)):
        if names:
            raise BackboneError(f"{what} in the file's tensors: {_few(names)}")
    wrong = [
        f"{name} is {_odd(content[name]) or _shape(content[name])}, not {_shape(wanted)}"
        for name, wanted in template.items()
        if _odd(content[name]) or _shape(content[name]) != _shape(wanted)
    ]
    if wrong:
        raise BackboneError(f"tensors of the wrong shape or kind: {_few(wrong)}")
    fitted: dict[str, Tensor] = {}
    for name, wanted in template.items():
        tensor = content[name].detach()
        if tensor.is_floating_point() != wanted.is_floating_point():
            raise BackboneError(f"{name} is {tensor.dtype}, not {wanted.dtype}")
        if not torch.isfinite(tensor).all():
            raise BackboneError(f"{name} has values that are not finite")
        # A copy: tensors of one file may share memory, which cannot be saved again.
        fitted[name] = tensor.to("cpu", wanted.dtype, copy=True).contiguous()
    return fitted


def misfit(tensors: Mapping[str, Any], template: Mapping[str, Tensor]) -> str | None:
    """Say in what tensors, of torch or numpy, differ from a network's state dict; None if not.

    Compared are their names, shapes and types, as `fit` gives them.
    """
    if tensors.keys() != template.keys():
        return f"not the network's tensors: {_few(sorted(tensors.keys() ^ template.keys()))}"
    for name, wanted in template.items():
        found = tensors[name]
        layouts = [(tuple(t.shape), str(t.dtype).removeprefix("torch.")) for t in (found, wanted)]
        if layouts[0] != layouts[1]:
            return f"{name} is {layouts[0]}, not {layouts[1]}"
    return None


def _in_order(content: Mapping[str, Any], template: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the n-th tensor of the file the n-th name of the network, if kinds and shapes agree."""
    if len(content) != len(template):
        raise BackboneError(f"the file has {len(content)} tensors, the network {len(template)}")
    renamed: dict[str, Tensor] = {}
    for (old, tensor), (name, wanted) in zip(content.items(), template.items(), strict=True):
        same_kind = old.rpartition(".")[2] == name.rpartition(".")[2]
        if not same_kind or _shape(tensor) != _shape(wanted):
            raise BackboneError(
                f"{old} {_shape(tensor)} stands where {name} {_shape(wanted)} should be"
            )
        renamed[name] = tensor
    return renamed


def _entry(content: Mapping[str, Any], name: str) -> Any:
    if name not in content:
        raise BackboneError(f"the file has no {name!r}; it begins with {_few(list(content))}")
    return content[name]


def _from_hwio(kernel: Any) -> Tensor:
    """(height, width, in, out), as TensorFlow and flax order it, -> (out, in, height, width)."""
    return _tensor(kernel).permute(3, 2, 0, 1)


def _tensor(array: Any) -> Tensor:
    import numpy as np
    import torch

    return torch.tensor(np.asarray(array, dtype=np.float32))


def _shape(value: Any) -> tuple[int, ...] | None:
    """Return a tensor's shape; None stands for what is no tensor and so fits nowhere."""
    import torch

    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _odd(value: Any) -> str | None:
    """Say what a value is if it is no plain tensor of numbers in memory; None if it is one.

    Of the others, torch refuses this or that operation, each with an error of its own.
    """
    import torch

    if not isinstance(value, torch.Tensor):
        return f"a {type(value).__name__}"
    if type(value) not in {torch.Tensor, torch.nn.Parameter} or value.is_nested:
        return "a nested tensor" if value.is_nested else f"a {type(value).__name__}"
    if value.layout is not torch.strided:
        return f"a sparse tensor ({value.layout})"
    if value.is_meta:
        return "a tensor without values (of the device meta)"
    plain = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
    if value.is_quantized or (value.is_floating_point() and value.dtype not in plain):
        return f"a tensor of {value.dtype}"
    return None


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
