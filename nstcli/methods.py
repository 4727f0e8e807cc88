"""The methods that make pictures, a row each: what a recipe knows of them, without torch.

How one makes them is in the module that its row names; see `nstcli.engine.methods`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from nstcli.terms import Role

OPTIMIZE = "optimize"
# By networks as `nst train` makes them.
NETWORK = "network"


@dataclass(frozen=True)
class Method:
    """A way to make pictures.

    Attributes:
        module: where it is.
        own: the recipe's options that mean something to it alone.
        shared: those of the others that mean something to it; None for all that no other method
            has alone.
        only: of such an option, the values that it can do, where it cannot do all.
        backbone: its backbone and the weight set, where users choose none; "" for no backbone.
        companions: the networks that it has besides, by their names among weights.
        networks: the suffixes of its style inputs, where these are files of networks and no
            pictures.
        inputs: what a picture may be made of.
        stepwise: whether it takes steps at scales, along which a loss falls; else a picture is made
            at once.
    """

    module: str
    own: frozenset[str] = frozenset()
    shared: frozenset[str] | None = None
    only: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    backbone: str = ""
    companions: tuple[str, ...] = ()
    networks: frozenset[str] = frozenset()
    inputs: frozenset[Role] = frozenset(get_args(Role))
    stepwise: bool = False

    def heeds(self, option: str) -> bool:
        """Tell whether an option of the recipe, by the name of its field, means something to it."""
        if option in self.own:
            return True
        if self.shared is None:
            return not any(option in other.own for other in METHODS.values())
        return option == "method" or option in self.shared

    @property
    def sees(self) -> bool:
        """Whether it looks at pictures through a backbone."""
        return bool(self.backbone) or self.heeds("model")


# Of files that hold networks.
NETWORK_SUFFIXES = frozenset({".safetensors", ".pth", ".pt"})

# How photos are looked at and results are finished, whatever paints in between.
_FRAME = frozenset({"size", "center_crop", "keep_size", "colors", "keep_faces"})


def _by_networks() -> Method:
    """Return a method whose styles are networks that paint in one pass."""
    return Method(
        "nstcli.engine.methods.network",
        shared=_FRAME | {"alpha"},
        only={"colors": ("style", "luminance")},
        networks=NETWORK_SUFFIXES,
        inputs=frozenset({"content", "style", "content-mask", "style-strength-map"}),
    )


METHODS: Mapping[str, Method] = {
    OPTIMIZE: Method("nstcli.engine.methods.optimize", stepwise=True),
    "adain": Method(
        "nstcli.engine.methods.adain",
        own=frozenset({"alpha"}),
        shared=_FRAME | {"style_scale", "fit"},
        backbone="vgg19:gatys",
        companions=("adain",),
        inputs=frozenset(get_args(Role)) - {"init"},
    ),
    NETWORK: _by_networks(),
    "cyclegan": _by_networks(),
}
