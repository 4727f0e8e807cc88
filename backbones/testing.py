"""The contract of a backbone. A plugin's own test suite is one call: `check_backbone(MINE)`."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from backbones.hooks import POOLS, FeatureExtractor
from backbones.spec import IMAGENET, Backbone, BackboneError

_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish)


def check_backbone(backbone: Backbone) -> None:
    """Build the network with random weights and hold every statement of the record against it.

    Checked for every layer: it is reached, in the order declared; its channels, stride and
    receptive field are as declared; an image of the minimum size suffices; a gradient comes back
    to the image; the simplified network, if there is one, computes the same; and the stem, if there
    is one, is as declared, and strides and receptive fields are what it says when it is dense.
    Needs no download.

    Raises:
        BackboneError: the first statement found wrong.
    """
    extractor = FeatureExtractor(backbone, backbone.build(), IMAGENET)
    names = [layer.name for layer in backbone.layers]
    small = backbone.minimum_size
    with torch.no_grad():
        try:
            features = extractor(_noise(small), names)
        except RuntimeError as error:
            raise BackboneError(
                f"backbone {backbone.name!r}: fails at its minimum size of {small} px: {error}"
            ) from error
    _expect(backbone, "order of layers", list(features), names)
    strides = _strides(extractor)
    for layer in backbone.layers:
        shape = features[layer.name].shape
        where = f"{layer.name!r}: "
        _expect(backbone, f"{where}(batch, channels)", tuple(shape[:2]), (2, layer.channels))
        _expect(backbone, f"{where}is empty at the minimum size", min(shape) < 1, False)
        _expect(backbone, f"{where}stride", strides[layer.name], float(layer.stride))
    _check_gradients(backbone, extractor)
    _check_simplified(backbone)
    _check_stem(backbone)
    _check_receptive_fields(backbone, dense=False)
    if backbone.stem:
        _check_receptive_fields(backbone, dense=True)


def _strides(extractor: FeatureExtractor) -> dict[str, float]:
    """Measure the stride of every layer; 0 where an activation does not grow with the image."""
    layers, small = extractor.backbone.layers, extractor.backbone.minimum_size
    names = [layer.name for layer in layers]
    # Growing the image by k strides grows the activation by exactly k, whatever the padding.
    step = max(layer.stride for layer in layers) * 4
    with torch.no_grad():
        features, larger = (extractor(_noise(edge), names) for edge in (small, small + step))
    grown = {name: larger[name].shape[-1] - features[name].shape[-1] for name in names}
    return {name: step / by if by else 0.0 for name, by in grown.items()}


def _check_gradients(backbone: Backbone, extractor: FeatureExtractor) -> None:
    image = _noise(backbone.minimum_size).requires_grad_()
    for name, feature in extractor(image, [layer.name for layer in backbone.layers]).items():
        reached = feature.requires_grad
        if reached:
            (gradient,) = torch.autograd.grad(feature.square().sum(), image, retain_graph=True)
            reached = bool(gradient.isfinite().all()) and bool(gradient.abs().sum() > 0)
        _expect(backbone, f"{name!r}: finite gradient reaches the image", reached, True)


def _check_simplified(backbone: Backbone) -> None:
    """Compare the simplified network with the plain one, with statistics unlike a new network's."""
    if not backbone.simplify:
        return
    plain = backbone.build().double()  # so that no more than the arithmetic can differ
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                values.data.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    simplified = copy.deepcopy(plain)
    names = [layer.name for layer in backbone.layers]
    image = _noise(backbone.minimum_size).double()
    with torch.no_grad():
        expected = FeatureExtractor(replace(backbone, simplify=None), plain, IMAGENET).double()
        found = FeatureExtractor(backbone, simplified, IMAGENET).double()(image, names)
        for name, feature in expected(image, names).items():
            same = torch.allclose(found[name], feature, rtol=1e-6, atol=1e-6)
            _expect(backbone, f"{name!r}: equal in the simplified network", same, True)


def _check_stem(backbone: Backbone) -> None:
    """See that the stem has a stride, which all layers lose when it takes every pixel."""
    declared = backbone.stem
    if not declared:
        return
    network = backbone.build()
    stem = dict(network.named_modules()).get(declared.module)
    found = (stem.kernel_size, stem.stride) if isinstance(stem, nn.Conv2d) else None
    wanted = ((declared.kernel,) * 2, (declared.stride,) * 2)
    _expect(backbone, f"stem {declared.module!r}: (kernel, stride)", found, wanted)
    strides = _strides(FeatureExtractor(backbone, network, IMAGENET).use_dense_stem())
    for layer in backbone.layers:
        what = f"{layer.name!r}: stride with a dense stem"
        _expect(backbone, what, strides[layer.name], layer.stride / declared.stride)


def _check_receptive_fields(backbone: Backbone, dense: bool) -> None:
    """Measure them on a linear twin: all weights positive, no activation, pools that average.

    In such a network nothing cancels and nothing is dropped, so the gradient of one activation
    covers exactly its receptive field.
    """
    network = backbone.build()
    _linearise(network)
    extractor = FeatureExtractor(backbone, network, IMAGENET).pool_by(POOLS["avg"]).double()
    if dense:
        extractor.use_dense_stem()
    wide = max(layer.receptive_field + 2 * layer.stride for layer in backbone.layers)
    edge = max(backbone.minimum_size, wide)
    image = torch.rand(1, 3, backbone.minimum_size, edge, dtype=torch.float64, requires_grad=True)
    features = extractor(image, [layer.name for layer in backbone.layers])
    for layer in backbone.layers_with(dense):
        feature = features[layer.name]
        middle = feature[0, :, :, feature.shape[-1] // 2].sum()
        (gradient,) = torch.autograd.grad(middle, image, retain_graph=True)
        seen = gradient.abs().sum(dim=(0, 1, 2)).nonzero()
        width = int(seen.max() - seen.min()) + 1
        what = f"{layer.name!r}: receptive field" + (" with a dense stem" if dense else "")
        _expect(backbone, what, width, layer.receptive_field)


def _linearise(network: nn.Module) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            # Biases stay out of gradients; equal positive weights keep every product above zero.
            parameter.fill_(1.0 / max(1, parameter[0].numel()))
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _ACTIVATIONS):
                setattr(parent, name, nn.Identity())


def _noise(edge: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, edge, edge, generator=generator)


def _expect(backbone: Backbone, what: str, got: object, declared: object) -> None:
    if got != declared:
        raise BackboneError(f"backbone {backbone.name!r}: {what} is {got}, declared {declared}")
