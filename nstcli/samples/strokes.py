"""Paint with a brush: one stroke after the other, each with its bristles and its own relief."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nstcli.samples.fields import Field, Shape

BRISTLES = 64
"""How many samples of paint thickness a brush has across its width."""


@dataclass(frozen=True)
class Stroke:
    """One touch of the brush.  Lengths are px, `angle` is radians from the x axis to the y axis."""

    y: float
    x: float
    angle: float
    length: float
    width: float
    colour: Field
    bend: float = 0.0
    """Curvature in 1/px: 0 is straight."""


class Panel:
    """A primed panel that takes strokes: `colour` is (H, W, 3) in [0, 1], `height` (H, W)."""

    def __init__(self, colour: Field, rng: np.random.Generator) -> None:
        self.colour = colour.copy()
        self.height = np.zeros(colour.shape[:2])
        brushes = rng.random((24, BRISTLES))
        # Neighbouring bristles carry similar loads of paint; without this the stroke is hairy.
        self._brushes = (brushes + np.roll(brushes, 1, axis=1) + np.roll(brushes, -1, axis=1)) / 3
        self._shape = colour.shape[0], colour.shape[1]
        self._rng = rng

    def paint(self, stroke: Stroke, grain: float = 0.25) -> None:
        """Lay `stroke` over what is there.

        `grain` is how far the bristles show, as a share of the colour's brightness.
        """
        window, along, across = self._local(stroke)
        if not along.size:
            return
        edge = 1 - np.hypot(np.maximum(np.abs(along) - stroke.length / 2, 0), across) * (
            2 / stroke.width
        )
        alpha = (edge * (stroke.width / 2)).clip(0, 1)
        brush = self._brushes[self._rng.integers(len(self._brushes))]
        at = ((across / stroke.width + 0.5) * (BRISTLES - 1)).astype(np.intp)
        load = brush[at.clip(0, BRISTLES - 1)]
        # Paint runs out along the stroke: the bristles bite through at its far end.
        tail = (along / stroke.length + 0.5).clip(0, 1)
        alpha *= (1.5 - tail * (1.4 - load * 1.2)).clip(0, 1)
        tone = stroke.colour * (1 + grain * (load - 0.5))[..., None]
        self.colour[window] += (tone - self.colour[window]) * alpha[..., None]
        body = (0.35 + 0.65 * load) * np.sqrt(edge.clip(0, 1)) * stroke.width
        self.height[window] += (body - self.height[window] * 0.75) * alpha

    def _local(self, stroke: Stroke) -> tuple[tuple[slice, slice], Field, Field]:
        """Return the window that `stroke` touches and its (along, across) coordinates in px."""
        reach = stroke.length / 2 + stroke.width
        high, wide = self._shape
        top, left = max(0, int(stroke.y - reach)), max(0, int(stroke.x - reach))
        bottom, right = min(high, int(stroke.y + reach) + 1), min(wide, int(stroke.x + reach) + 1)
        y = np.arange(top, max(top, bottom))[:, None] - stroke.y
        x = np.arange(left, max(left, right))[None, :] - stroke.x
        cos, sin = np.cos(stroke.angle), np.sin(stroke.angle)
        along, across = x * cos + y * sin, y * cos - x * sin
        if stroke.bend:
            across = across - stroke.bend / 2 * along**2
        return (slice(top, max(top, bottom)), slice(left, max(left, right))), along, across


def scatter(shape: Shape, spacing: float, rng: np.random.Generator) -> Field:
    """Return (N, 2) places (y, x), one per `spacing` px square, jittered, in random order.

    The order matters: painted row by row, every stroke would overlap its neighbour the same way.
    """
    rows, columns = int(shape[0] / spacing) + 2, int(shape[1] / spacing) + 2
    cells = np.argwhere(np.ones((rows, columns)))
    places: Field = (cells - 0.5 + rng.random(cells.shape)) * spacing
    inside = np.all((places >= 0) & (places < shape), axis=1)
    return rng.permutation(places[inside])
