"""The terms of the loss, a row each: what a recipe knows of them, without torch.

What a term computes is in the module that its row names; see `nstcli.engine.losses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# What for a picture is taken: `init` is one to start from; masks and maps are called like their
# options.
Role = Literal[
    "content",
    "style",
    "init",
    "content-mask",
    "style-mask",
    "content-regions",
    "style-regions",
    "style-strength-map",
    "content-weight-map",
]
# What most results are made of, in this order.
INPUTS: tuple[Role, ...] = ("content", "style")
Layers = Literal["content", "style", "nearest"]


@dataclass(frozen=True)
class Term:
    """A term of the loss.

    Attributes:
        name: its options are `NAME_weight` and, where it looks at layers, `NAME_layers`.
        module: where its statistic and its distances are.
        help: of the option that is its weight.
        weights: by convention (`--loss`), where the user gives none.
        layers: whose default layers of a backbone it looks at; None for the picture itself.
        target: the input that it comes near to, or its places that match those of the content;
            None for none.
        follows: the term whose weight its own is a multiple of, where the user gives none.
        norm: the option of a recipe that may name one of its distances instead of the convention.
    """

    name: str
    module: str
    help: str
    weights: Mapping[str, float]
    layers: Layers | None = None
    target: Literal["content", "style", "matched"] | None = None
    follows: str | None = None
    norm: str | None = None

    @property
    def weight_option(self) -> str:
        """The name of the option that is its weight."""
        return f"{self.name}_weight"

    @property
    def layers_option(self) -> str | None:
        """The name of the option that is its layers, None where it looks at none."""
        return f"{self.name}_layers" if self.layers else None


# In the order in which they are added up. The weights of `relative` hold for every network and
# size; the others were found by eye for vgg19:gatys at 256 px, with an L-BFGS that had curvature.
TERMS: Mapping[str, Term] = {
    term.name: term
    for term in (
        Term(
            "content",
            "nstcli.engine.losses.content",
            "Weight of the content term",
            {"relative": 1.0, "gatys": 1.0, "sum": 1.0, "mean": 1.0},
            layers="content",
            target="content",
        ),
        Term(
            "style",
            "nstcli.engine.losses.style",
            "Weight of the style term (30 for --loss relative)",
            {"relative": 30.0, "gatys": 4e6, "sum": 2e6, "mean": 1e5},
            layers="style",
            target="style",
        ),
        Term(
            "nearest",
            "nstcli.engine.losses.nearest",
            "Weight of the nearest term (half the style's for --loss relative)",
            {"relative": 0.5, "gatys": 0.0, "sum": 0.0, "mean": 0.0},
            layers="nearest",
            target="matched",
            follows="style",
        ),
        Term(
            "sliced",
            "nstcli.engine.losses.sliced",
            "Weight of the sliced term, which compares whole distributions",
            {"relative": 0.0, "gatys": 0.0, "sum": 0.0, "mean": 0.0},
            layers="style",
            target="style",
        ),
        Term(
            "tv",
            "nstcli.engine.losses.tv",
            "Weight of total variation",
            {"relative": 0.0, "gatys": 0.0, "sum": 0.0, "mean": 0.0},
            norm="tv",
        ),
    )
}
