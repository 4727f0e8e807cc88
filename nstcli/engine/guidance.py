"""What holds where in a picture: regions with styles of their own, and how much terms weigh."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from nstcli.engine.masks import fitted
from nstcli.engine.targets import Style


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the picture, by a mask (1, 1, H, W) in [0, 1], and the style that it takes."""

    mask: Tensor
    style: Style


# eq=False: comparing tensors gives a tensor.
@dataclass(frozen=True, eq=False)
class Guidance:
    """What holds where in a picture of H × W pixels, of one pair at one scale.

    Every place feels the pull of a term as without guidance, times its weight there, whatever
    region it is in: a map of 0.5 everywhere halves a term's weight.

    Attributes:
        content: how much the content counts, (1, 1, H, W), not negative; None is 1 everywhere.
        style: how much of the style a place takes, likewise: that of all terms but the content's
            that aim at an input.
        regions: parts that have a style each; where there are none, one style holds everywhere.
            Where their masks sum to less than 1, there is so much less of any style.
    """

    content: Tensor | None = None
    style: Tensor | None = None
    regions: tuple[Region, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether everything holds everywhere."""
        return self.content is None and self.style is None and not self.regions

    def at(self, height: int, width: int) -> Guidance:
        """Carry all maps to another size of the picture."""
        return Guidance(
            _fitted(self.content, height, width),
            _fitted(self.style, height, width),
            tuple(replace(r, mask=fitted(r.mask, height, width)) for r in self.regions),
        )

    def times(self, content: Tensor | None = None, style: Tensor | None = None) -> Guidance:
        """Multiply the two maps by others, (1, 1, H, W)."""
        return replace(
            self, content=_product(self.content, content), style=_product(self.style, style)
        )

    def areas(self, style: Style) -> list[tuple[Tensor | None, Tensor | None, Style]]:
        """List every style with its region and how much of it each pixel takes.

        Args:
            style: what holds everywhere where there are no regions.
        """
        if not self.regions:
            return [(None, self.style, style)]
        return [(r.mask, _product(r.mask, self.style), r.style) for r in self.regions]


EVERYWHERE = Guidance()


def _fitted(mask: Tensor | None, height: int, width: int) -> Tensor | None:
    return None if mask is None else fitted(mask, height, width)


def _product(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one * other
