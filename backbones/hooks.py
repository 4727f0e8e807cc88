"""Read a network's activations at named layers, through forward hooks."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn

from backbones import weights
from backbones.spec import (
    Backbone,
    BackboneError,
    Layer,
    Preprocessing,
    Progress,
    WeightSet,
)


class _DeepestReachedError(Exception):
    """Raised by the hook of the last wanted layer, to spare the rest of the forward pass."""


class FeatureExtractor(nn.Module):
    """A frozen network as one function: image and layer names in, activations out.

    Images are RGB in [0, 1], of shape (N, 3, H, W); the preprocessing that the weights expect is
    applied here, so that nothing outside needs to know of it.
    """

    def __init__(self, backbone: Backbone, network: nn.Module, preprocessing: Preprocessing):
        super().__init__()
        self.backbone = backbone
        if backbone.simplify:
            backbone.simplify(network)
        self.network = network.eval().requires_grad_(False)
        self.preprocessing = preprocessing
        self._flip = preprocessing.channels == "bgr"
        # (scale · image − mean) / std, as one multiplication and one addition.
        mean, std = (
            torch.tensor(v).view(1, 3, 1, 1) for v in (preprocessing.mean, preprocessing.std)
        )
        self.gain: Tensor
        self.shift: Tensor
        self.register_buffer("gain", preprocessing.scale / std, persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.weights_sha256: str | None = None  # random ones have none
        self._dtype: torch.dtype | None = None
        self._dense = False
        self._borders: list[_Border] = []
        self._layout = torch.contiguous_format
        for module in network.modules():
            # An in-place activation overwrites the very tensor a hook before it has captured.
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]
        self._find_modules()

    @classmethod
    def load(
        cls,
        backbone: Backbone,
        weight_set: WeightSet,
        *,
        offline: bool = False,
        progress: Progress | None = None,
    ) -> Self:
        """Build a backbone with pretrained weights, downloading them when they are not cached.

        Raises:
            BackboneError: the weights cannot be had.
        """
        loaded = weights.load(backbone, weight_set, offline=offline, progress=progress)
        with torch.device("meta"):  # no time and memory for random values to be thrown away
            network = backbone.build()
        network.load_state_dict(loaded.tensors, assign=True)
        if any(buffer.is_meta for buffer in network.buffers()):
            # A buffer that no state dict holds has its value from the constructor.
            network = backbone.build()
            network.load_state_dict(loaded.tensors)
        extractor = cls(backbone, network, loaded.preprocessing)
        extractor.weights_sha256 = loaded.sha256
        return extractor

    def arrange(self, dtype: torch.dtype, layout: torch.memory_format) -> Self:
        """Run the network in this precision and memory layout from now on.

        Images stay as they are, and activations come out in `dtype`. A network that was in
        bfloat16 once has lost the digits that float32 would need.
        """
        self._dtype, self._layout = dtype, layout
        self.network.to(dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
        return self

    def pool_by(self, instead: Callable[[nn.MaxPool2d], nn.Module]) -> Self:
        """Swap every max pooling for what `instead` makes of it, from now on; see `POOLS`."""
        for parent in list(self.network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.MaxPool2d):
                    setattr(parent, name, instead(child))
        self._find_modules()
        return self

    def use_dense_stem(self) -> Self:
        """Let the backbone's stem, its strided first convolution, take every pixel from now on.

        What a stem skips, no loss can ask for. Taken densely, every layer keeps what it has
        learnt to look for and finds it in more places; all strides shrink by that of the stem.
        Nothing changes where there is none. The same idea, for all layers of a network: Chen et
        al. 2018 (DeepLab), who keep the field of the later ones by dilation; here it may shrink.
        """
        if self.backbone.stem:
            stem = self.network.get_submodule(self.backbone.stem.module)
            stem.stride = (1, 1)  # type: ignore[assignment]
            self._dense = True
        return self

    def layer(self, name: str) -> Layer:
        """Return the layer with this public name as it is in this network.

        Raises:
            BackboneError: there is none.
        """
        layer, stem = self.backbone.layer(name), self.backbone.stem
        return stem.dense(layer) if stem and self._dense else layer

    def pad_by(self, padding: str) -> Self:
        """Let every convolution and pool see beyond borders by a rule of `BEYOND`, from now on.

        However it padded before, each looks at as many places as its strides fit into its input,
        with its kernel's middle on them. So no border is left out, and under `circular` a picture
        that is moved round has activations that are moved round. `pool_by` comes before it.

        Raises:
            BackboneError: a convolution or pool pads by a rule of its own, in its forward pass.
        """
        if not self._borders:
            for module in self.network.modules():
                if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
                    self._refuse_own_padding(module)
                    self._borders.append(_Border(module))
        for border in self._borders:
            border.fold = BEYOND[padding]
        return self

    @property
    def wraps(self) -> bool:
        """Whether it sees, beyond a border of a picture, the border opposite."""
        return any(border.fold is _wrapped for border in self._borders)

    @contextmanager
    def seeing_no_tiles(self) -> Iterator[None]:
        """Mirror pictures for a while where padding is `circular`: for those that are no tiles.

        What is at opposite borders of such a picture would give edges that it has nowhere.
        """
        known = [border.fold for border in self._borders]
        if _wrapped in known:
            self.pad_by("reflect")
        try:
            yield
        finally:
            for border, fold in zip(self._borders, known, strict=True):
                border.fold = fold

    def forward(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Return the activations at `layers`, shallowest first.

        The forward pass ends at the deepest of them. Hooks are there only while it runs.

        Args:
            image: (N, 3, H, W), RGB in [0, 1].
            layers: public layer names, in any order.

        Raises:
            BackboneError: an unknown layer, or an image below the backbone's minimum size.
        """
        return self._activations(image, layers)

    def behind(self, neck: str | None, layers: Iterable[str]) -> list[str]:
        """Return those of some layers that come after another one; after None comes no layer."""
        if neck is None:
            return []
        order = [layer.name for layer in self.backbone.layers]
        return [name for name in layers if order.index(name) > order.index(neck)]

    def onward(self, x: Tensor, neck: str, layers: Iterable[str]) -> dict[str, Tensor]:
        """Do what `forward` does from a layer on, whose activations (N, C, h, w) are given.

        They stand for the picture: a layer that sees it past them has no numbers in what it
        returns; see `necks`.

        Args:
            x: activations at `neck`.
            neck: a layer.
            layers: some that come after it.

        Raises:
            BackboneError: an unknown layer.
        """
        module = self._modules_by_layer[self.backbone.layer(neck).name]
        with module.register_forward_hook(lambda *_: x.contiguous(memory_format=self._layout)):
            return self._activations(self._blank(x, math.nan), layers)

    @torch.no_grad()
    def necks(self, layers: Iterable[str]) -> list[str]:
        """List layers through each of which all that come after it, of those given, see a picture.

        Of each stride, from the smallest on, the one that has the fewest values for a pixel.
        """
        wanted = [*layers]
        found: dict[int, str] = {}
        named = [self.layer(layer.name) for layer in self.backbone.layers]
        for layer in sorted(named, key=lambda each: each.channels / each.stride**2):
            behind = self.behind(layer.name, wanted)
            if layer.stride == 1 or layer.stride in found or not behind:
                continue
            x = self(self._blank(self.gain, 0.5), [layer.name])[layer.name]
            seen = self.onward(x, layer.name, behind).values()
            if all(each.isfinite().all() for each in seen):
                found[layer.stride] = layer.name
        return [found[stride] for stride in sorted(found)]

    def _blank(self, like: Tensor, value: float) -> Tensor:
        """Make the smallest picture that there is, of one value."""
        edge = self.backbone.minimum_size
        return torch.full((1, 3, edge, edge), value, dtype=self.gain.dtype, device=like.device)

    def _activations(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Run the network until the deepest of some layers."""
        wanted = {self.backbone.layer(name).name for name in layers}
        if not wanted:
            return {}
        height, width = image.shape[-2:]
        self.backbone.check_size(width, height)
        found: dict[str, Tensor] = {}
        with ExitStack() as hooks:
            for name in wanted:
                hooks.enter_context(self._hook(name, found, len(wanted)))
            try:
                self.network(self._prepare(image))
            except _DeepestReachedError:
                return found
        raise BackboneError(
            f"backbone {self.backbone.name!r}: its forward pass never reaches "
            f"{', '.join(sorted(wanted - set(found)))}"
        )

    def _refuse_own_padding(self, module: nn.Module) -> None:
        """Refuse a kind of module as timm's Conv2dSame, which would be padded twice."""
        kind = type(module)
        if "Same" in kind.__name__ and kind.__module__.startswith("timm."):
            raise BackboneError(
                f"backbone {self.backbone.name!r} has a {kind.__name__}, which pads by a rule of "
                "its own; leave --padding at own"
            )

    def _find_modules(self) -> None:
        modules = dict(self.network.named_modules())
        for layer in self.backbone.layers:
            if layer.module not in modules:
                raise BackboneError(
                    f"backbone {self.backbone.name!r}: layer {layer.name!r} names the module "
                    f"{layer.module!r}, which the network does not have"
                )
        self._modules_by_layer = {
            layer.name: modules[layer.module] for layer in self.backbone.layers
        }

    def _hook(self, name: str, found: dict[str, Tensor], wanted: int) -> Any:
        def capture(module: nn.Module, inputs: Any, output: Tensor) -> None:
            found[name] = output
            if len(found) == wanted:
                raise _DeepestReachedError

        return self._modules_by_layer[name].register_forward_hook(capture)

    def _prepare(self, image: Tensor) -> Tensor:
        if self._flip:
            image = image.flip(1)
        prepared = torch.addcmul(self.shift, image, self.gain)
        return prepared.to(dtype=self._dtype, memory_format=self._layout)


def _replicated(place: int, edge: int) -> int:
    return min(max(place, 0), edge - 1)


def _reflected(place: int, edge: int) -> int:
    """Mirror at the first and the last pixel, which are not repeated; as often as it takes."""
    period = max(1, 2 * (edge - 1))
    return min(place % period, -place % period)


def _wrapped(place: int, edge: int) -> int:
    return place % edge


# What lies beyond a border: (place from the first pixel on, pixels that there are) -> the pixel
# that stands there. Each holds for any place, however small the picture.
BEYOND: Mapping[str, Callable[[int, int], int]] = {
    "replicate": _replicated,
    "reflect": _reflected,
    "circular": _wrapped,
}


class _Border:
    """What a convolution or a pool is given instead of its input (N, C, H, W): that, and more.

    Slices and no function of torch's: those for mirroring are not the same on every run of a GPU.
    """

    fold: Callable[[int, int], int]

    def __init__(self, module: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel, dilation = _both(module.kernel_size), _both(getattr(module, "dilation", 1))
        self._spans = [1 + d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        module.padding = (0, 0)
        if isinstance(module, nn.Conv2d):
            module.padding_mode = "zeros"
        else:
            module.ceil_mode = False
        module.register_forward_pre_hook(self)

    def __call__(self, module: Any, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the input of a module with as much around it as its places look at."""
        (x,) = inputs
        for dim, span, stride in zip((2, 3), self._spans, _both(module.stride), strict=True):
            edge, before = x.shape[dim], (span - 1) // 2
            places = math.ceil(edge / stride)
            after = (places - 1) * stride + span - before - edge
            x = self._extended(x, dim, [*range(-before, 0)], [*range(edge, edge + after)])
        return x

    def _extended(self, x: Tensor, dim: int, before: list[int], after: list[int]) -> Tensor:
        """Put lines before and behind those of a dimension: of the places that they are at."""
        if not before and not after:
            return x
        edge = x.shape[dim]
        first, last = (
            [x.narrow(dim, self.fold(place, edge), 1) for place in places]
            for places in (before, after)
        )
        return torch.cat([*first, x, *last], dim)


def _both(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return the height's and the width's of a value that may be one for both."""
    return value if isinstance(value, tuple) else (value, value)


class _Average(nn.AvgPool2d):
    """The average over the windows of a max pooling."""

    def __init__(self, pool: nn.MaxPool2d):
        sizes: Any = (pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode)
        super().__init__(*sizes)


class _ScaledAverage(_Average):
    """The average over the windows of a max pooling, scaled to about the size of the maximum.

    With 1.5, the mean of each block's first ReLU layer in VGG-16 and VGG-19 and of each fire module
    of SqueezeNet is 0.6 to 1.7 times that under max pooling (five photos of 384 px). With 2
    (K. Crowson's) it would grow by a third more at every pool.
    """

    def forward(self, x: Tensor) -> Tensor:
        return 1.5 * super().forward(x)


class _ScaledRoot(_Average):
    """The root of the mean square over the windows of a max pooling, scaled likewise.

    With 1.3, the layers named above have 0.8 to 1.2 times the mean that they have under max pooling
    (the deepest fire modules 0.7; six photos of 384 px).
    """

    def forward(self, x: Tensor) -> Tensor:
        return 1.3 * (super().forward(x.square()) + 1e-12).sqrt()  # 0 has no slope without


# What a max pooling may be swapped for. Others are smaller than maxima, so that they are scaled
# up, or deeper layers would fade.
POOLS: Mapping[str, Callable[[nn.MaxPool2d], nn.Module]] = {
    "avg": _ScaledAverage,  # as Gatys et al. had it
    "l2": _ScaledRoot,
}
