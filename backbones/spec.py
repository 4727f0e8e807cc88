"""The records a backbone is made of. They are data, and check themselves on construction."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from backbones.hints import closest

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
SHA256 = re.compile(r"[0-9a-f]{64}")


class BackboneError(Exception):
    """A backbone, layer or weight set that does not exist, is wrong, or cannot be had.

    The message is written for the user: what is wrong, where, and what to do.
    """


class Tracker(Protocol):
    """Receives the number of bytes of every chunk as it arrives (pypi-simple's protocol)."""

    def update(self, increment: int, /) -> None:
        """Count `increment` more bytes."""


# Given the length of a download in bytes, or None when the server does not tell it.
Progress = Callable[[int | None], AbstractContextManager[Tracker]]


@dataclass(frozen=True)
class Preprocessing:
    """What a weight set expects of its input: (`scale` x image - mean) / std, per channel.

    `mean` and `std` stand in the order of `channels`; images outside are RGB in [0, 1].
    """

    channels: Literal["rgb", "bgr"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.channels not in {"rgb", "bgr"}:
            raise BackboneError(f"channel order must be 'rgb' or 'bgr', not {self.channels!r}")
        for what, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(map(math.isfinite, values)):
                raise BackboneError(f"{what} needs three finite values, not {values}")
        if min(self.std) <= 0:
            raise BackboneError(f"std must be positive, not {self.std}")
        if not 0 < self.scale < math.inf:
            raise BackboneError(f"scale must be positive and finite, not {self.scale}")


IMAGENET = Preprocessing("rgb", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = Preprocessing("bgr", 255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
# By the names that users choose them by, for files that do not say what they expect.
PREPROCESSINGS: Mapping[str, Preprocessing] = {"imagenet": IMAGENET, "caffe": CAFFE}


@dataclass(frozen=True)
class Layer:
    """One place in a network where its activations can be read.

    Attributes:
        name: public name, in the literature's words (`relu4_2`, `fire5`, `stage3`).
        module: dotted path of the module whose output it is.
        kind: what the module is (`conv`, `relu`, `pool`, `fire`, `block`, …).
        channels: number of feature maps.
        stride: image pixels from one activation to the next.
        receptive_field: edge of the square of image pixels that one activation sees.
    """

    name: str
    module: str
    kind: str
    channels: int
    stride: int
    receptive_field: int

    def __post_init__(self) -> None:
        for what in ("name", "module", "kind"):
            if not getattr(self, what):
                raise BackboneError(f"a layer needs a {what}: {self}")
        for what in ("channels", "stride", "receptive_field"):
            value = getattr(self, what)
            if value < 1:
                raise BackboneError(f"layer {self.name!r}: {what} must be at least 1, not {value}")


@dataclass(frozen=True)
class Stem:
    """A first convolution that skips pixels; see `FeatureExtractor.use_dense_stem`.

    Attributes:
        module: its dotted path.
        kernel: its edge in pixels.
        stride: from one of its places to the next, in pixels.
    """

    module: str
    kernel: int
    stride: int

    def __post_init__(self) -> None:
        if not self.module or self.kernel < 1 or self.stride < 2:
            raise BackboneError(f"a stem needs a module, a kernel and a stride above 1: {self}")

    def dense(self, layer: Layer) -> Layer:
        """Return a layer behind it as it is when the stem takes every pixel."""
        beyond = layer.receptive_field - self.kernel
        return replace(
            layer,
            stride=layer.stride // self.stride,
            receptive_field=self.kernel + beyond // self.stride,
        )


@dataclass(frozen=True)
class Fetched:
    """A weights file as its source had it: nested mappings of arrays or tensors, and its sha256."""

    content: Mapping[str, Any]
    sha256: str
    # A file that knows the preprocessing it wants says so here.
    preprocessing: Preprocessing | None = None


class Source(Protocol):
    """Where a weight set comes from; the implementations are in `backbones.weights.sources`."""

    @property
    def size(self) -> int | None:
        """Bytes to download, if known."""

    @property
    def sha256(self) -> str | None:
        """Digest of the weights file, if it is pinned and so known before any download."""

    def describe(self) -> str:
        """Say in a few words where the file comes from, for listings and errors."""

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        """Get the file, check it and read it. `folder` is scratch space that is removed later.

        Raises:
            BackboneError: it cannot be had, or is not what it should be.
        """


# (content of the file, the network's own state dict on the meta device) -> a new state dict.
Convert = Callable[[Mapping[str, Any], "Mapping[str, Tensor]"], "dict[str, Tensor]"]


@dataclass(frozen=True)
class WeightSet:
    """Pretrained parameters for one backbone: where they come from and what input they expect.

    `convert` turns the file into the network's state dict; without it the file is one already.
    `content_sha256` pins what comes out (`weights.hashing.content_sha256`): a cached file is held
    against it. Without it, nobody but the cached file itself can say whether its tensors are the
    right ones; that they fit the network is all that is known.
    """

    name: str
    source: Source
    preprocessing: Preprocessing
    licence: str
    description: str
    convert: Convert | None = None
    content_sha256: str | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise BackboneError("a weight set needs a name")
        if self.content_sha256 is not None and not SHA256.fullmatch(self.content_sha256):
            raise BackboneError(
                f"weight set {self.name!r}: {self.content_sha256!r} is no sha256 of its tensors"
            )


@dataclass(frozen=True)
class Backbone:
    """A pretrained network and the names of the places where it can be read.

    Attributes:
        name: what users call it (`--model NAME`).
        description: one line for listings.
        build: makes the network with random weights; torch is imported only inside of it.
        layers: every useful layer, in forward order; strides and receptive fields are those of
            the network as it was trained.
        content_layers: default layers of the content term, name to relative weight.
        style_layers: default layers of the style term, name to relative weight.
        weight_sets: the first is the default.
        nearest_layers: default layers of the nearest term, name to relative weight; those of both
            other terms where there are none.
        structure_layer: where a judge looks for what belongs together, the last style layer where
            none is given: deep enough to know things, and not so deep that it forgets where.
        minimum_size: shortest edge in pixels that the deepest layer can still be read of.
        simplify: turns a network that has its weights into an equal one that runs faster, in
            place; every layer keeps its module path.
        stem: its first convolution, if that has a stride.
        usual_activation: what `backbones.activations.typical` measures with its usual weights, by
            which files of other preprocessing are noticed; None where nobody has measured it.
    """

    name: str
    description: str
    build: Callable[[], nn.Module]
    layers: tuple[Layer, ...]
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    weight_sets: tuple[WeightSet, ...]
    nearest_layers: Mapping[str, float] = field(default_factory=dict)
    minimum_size: int = 32
    simplify: Callable[[nn.Module], None] | None = None
    stem: Stem | None = None
    usual_activation: float | None = None
    structure_layer: str = ""
    _by_name: Mapping[str, Layer] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BackboneError(f"backbone name {self.name!r}: use lower-case letters and digits")
        if self.minimum_size < 1:
            raise BackboneError(
                f"backbone {self.name!r}: minimum_size must be at least 1, not {self.minimum_size}"
            )
        self._check_unique("layer name", (layer.name for layer in self.layers))
        self._check_unique("module path", (layer.module for layer in self.layers))
        self._check_unique("weight set", (weights.name for weights in self.weight_sets))
        object.__setattr__(self, "_by_name", {layer.name: layer for layer in self.layers})
        for role in ("content", "style", "nearest"):
            chosen = self.usual_layers(role)
            if not chosen:
                raise BackboneError(f"backbone {self.name!r} has no default {role} layer")
            for name, weight in chosen.items():
                self.layer(name)
                if not 0 < weight < math.inf:
                    raise BackboneError(
                        f"backbone {self.name!r}: {role} layer {name!r} needs a positive, finite "
                        f"weight, not {weight}"
                    )
        self.layer(self.usual_structure_layer)

    def layer(self, name: str) -> Layer:
        """Return the layer with this public name.

        Raises:
            BackboneError: there is none; the message suggests the closest.
        """
        if name not in self._by_name:
            raise BackboneError(
                f"unknown layer {name!r} for {self.name}{closest(name, self._by_name)}; "
                f"see: nst layers --model {self.name}"
            )
        return self._by_name[name]

    @property
    def usual_structure_layer(self) -> str:
        """Where a judge looks for what belongs together."""
        return self.structure_layer or list(self.style_layers)[-1]

    def usual_layers(self, term: str) -> Mapping[str, float]:
        """Return the default layers of the term `content`, `style` or `nearest`."""
        chosen: Mapping[str, float] = getattr(self, f"{term}_layers")
        if term == "nearest" and not chosen:
            both = {**self.content_layers, **self.style_layers}
            return {layer.name: 1.0 for layer in self.layers if layer.name in both}
        return chosen

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture of so many pixels of which the deepest layer cannot be read.

        Raises:
            BackboneError: it is below the minimum size.
        """
        if min(width, height) < self.minimum_size:
            raise BackboneError(
                f"{width}×{height} px is too small for {self.name}, "
                f"which needs at least {self.minimum_size} px on the shorter edge"
            )

    def layers_with(self, dense: bool) -> tuple[Layer, ...]:
        """Return the layers as they are with a dense stem, or as the network was trained."""
        stem = self.stem
        return tuple(map(stem.dense, self.layers)) if dense and stem else self.layers

    def weight_set(self, name: str | None = None) -> WeightSet:
        """Return the weight set with this name, or the default one for None.

        Raises:
            BackboneError: there is none; the message lists those there are.
        """
        known = {weights.name: weights for weights in self.weight_sets}
        if name is None:
            return self.weight_sets[0]
        if name not in known:
            raise BackboneError(
                f"unknown weight set {name!r} for {self.name}{closest(name, known)}; "
                f"there are: {', '.join(known)}, or the path of a .pth or .safetensors file"
            )
        return known[name]

    def _check_unique(self, what: str, values: Iterable[str]) -> None:
        values = list(values)
        if not values:
            raise BackboneError(f"backbone {self.name!r} has no {what}")
        for value in values:
            if values.count(value) > 1:
                raise BackboneError(f"backbone {self.name!r}: {what} {value!r} is there twice")


@dataclass(frozen=True)
class Companion:
    """A small network that works beside a backbone: no picture is stylized with it.

    Attributes:
        name: what `nst weights` calls it.
        build: makes it with random weights; torch is imported only inside of it.
        weight_sets: the first is the default.
    """

    name: str
    build: Callable[[], nn.Module]
    weight_sets: tuple[WeightSet, ...]
