"""The grid of places: activations of any layer brought to one vector for every four pixels.

Activations finer than the grid come to it by means, coarser ones bilinearly. Kolkin et al. 2022
sample finer ones bilinearly, so that most activations of shallow layers count for nothing: dots at
the distance of the grid come of that.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

from nstcli.engine.losses.window import window, windows

# Pixels from one place to the next, each way.
STRIDE = 4


def places_along(edge: int) -> int:
    """Count the places along an edge of so many pixels."""
    return max(1, edge // STRIDE)


def on_grid(x: Tensor, height: int, width: int) -> Tensor:
    """Bring activations (N, C, H, W) to a grid: finer ones by means, coarser ones bilinearly."""
    if x.shape[-2] > height or x.shape[-1] > width:
        return adaptive_avg_pool2d(x, (height, width))
    if x.shape[-2:] == (height, width):
        return x
    return interpolate(x, (height, width), mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Stretch:
    """Some places along one axis, and the positions of a layer that they are made of.

    Attributes:
        positions: that the layer has along all of the axis.
        places: that the grid has there.
        wanted: which of them.
        means: whether they are means of positions, or else between two.
    """

    positions: int
    places: int
    wanted: range
    means: bool

    @property
    def needed(self) -> range:
        """The positions that are looked at."""
        first, last = self.wanted[0], self.wanted[-1]
        if self.means:
            return range(self._window(first)[0], self._window(last)[1])
        low, (at, high, share) = self._between(first)[0], self._between(last)
        return range(low, (high if share else at) + 1)

    def _window(self, place: int) -> tuple[int, int]:
        """Return the first position of a mean, and the one behind its last: as torch has them."""
        start = place * self.positions // self.places
        return start, -(-(place + 1) * self.positions // self.places)

    def _between(self, place: int) -> tuple[int, int, float]:
        """Return two positions, and how far from the first to the second a place is."""
        at = max(0.0, (place + 0.5) * self.positions / self.places - 0.5)
        low = min(math.floor(at), self.positions - 1)
        return low, min(low + 1, self.positions - 1), at - low

    def windows(self) -> Iterator[tuple[slice, int, int]]:
        """Part the means into runs of one length and step: (positions, length, step) of each."""
        start, stop = self._window(self.wanted[0])
        first, length, step = start, stop - start, 0
        for place in self.wanted[1:]:
            start_before, (start, stop) = start, self._window(place)
            regular = stop - start == length and start > start_before
            if regular and step in (0, start - start_before):
                step = start - start_before
                continue
            yield slice(first, start_before + length), length, step or 1
            first, length, step = start, stop - start, 0
        yield slice(first, start + length), length, step or 1

    @cached_property
    def shares(self) -> Tensor:
        """How much of each position needed is in each place, (places, positions)."""
        found = torch.zeros(len(self.wanted), len(self.needed), dtype=torch.float64)
        for row, place in enumerate(self.wanted):
            low, high, share = self._between(place)
            found[row, low - self.needed.start] += 1 - share
            if share:
                found[row, high - self.needed.start] += share
        return found

    @property
    def as_they_are(self) -> bool:
        """Whether each place is a position."""
        return self.positions == self.places


def part_on_grid(x: Tensor, rows: Stretch, columns: Stretch, first: tuple[int, int]) -> Tensor:
    """Do what `on_grid` does for some of the places.

    Args:
        x: activations (N, C, H, W) of at least the positions needed.
        rows: of places.
        columns: of places.
        first: the row and the column of positions that `x` begins with.
    """
    if not rows.means:
        if rows.as_they_are and columns.as_they_are:
            return window(x, *_needed(rows, columns, first))
        return _between_positions(x, rows, columns, first)
    down, across = [*rows.windows()], [*columns.windows()]
    wanted = [(_moved(i, first[0]), _moved(j, first[1])) for i, *_ in down for j, *_ in across]
    parts = iter(windows(x, wanted))
    lines = [
        [avg_pool2d(next(parts), (height, width), (below, right)) for _, width, right in across]
        for _, height, below in down
    ]
    return torch.cat([torch.cat(line, 3) for line in lines], 2)


def _between_positions(
    x: Tensor, rows: Stretch, columns: Stretch, first: tuple[int, int]
) -> Tensor:
    """Interpolate bilinearly, by products of matrices: places may be of any width."""
    down, right = _needed(rows, columns, first)
    # In the order in which activations are in memory, mostly.
    lines = window(x, down, right).permute(0, 2, 3, 1)
    n, height, width, channels = lines.shape
    by_row, by_column = (each.shares.to(x) for each in (rows, columns))
    lines = (by_row @ lines.reshape(n, height, -1)).view(n, len(by_row), width, channels)
    return (by_column @ lines).permute(0, 3, 1, 2)


def _needed(rows: Stretch, columns: Stretch, first: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of the positions needed, of those that begin with `first`."""
    found = (
        _moved(slice(each.needed.start, each.needed.stop), start)
        for each, start in zip((rows, columns), first, strict=True)
    )
    down, right = found
    return down, right


def _moved(positions: slice, first: int) -> slice:
    return slice(positions.start - first, positions.stop - first)
