"""`Target`: what a term compares a statistic with, and the energy that errors are relative to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from nstcli.engine.losses.statistics import full_precision

# Values that are squared at a time.
_BLOCK = 2**24


@dataclass(frozen=True)
class Target:
    """A tensor to come close to, and the energy that its errors are relative to.

    Attributes:
        value: (1 or N, …), compared with a tensor of the same trailing shape.
        energy: (1 or N,), Σ value², but never less than the floor given to `of`.
        weights: how much each position counts, (1 or N, 1, h, w), of a local statistic; None where
            all count alike.
        count: of how many values a mean is taken. A target may be that of a tile: its energy and
            its count are those of the whole.
        rows: where the value is a list of vectors, (M, C), instead: which of them stands where,
            (1 or N, h, w).
        squares: of the lengths of these vectors, (M,).
    """

    value: Tensor
    energy: Tensor
    weights: Tensor | None = None
    count: int = 1
    rows: Tensor | None = None
    squares: Tensor | None = None

    @classmethod
    def of_rows(cls, vectors: Tensor, rows: Tensor, weights: Tensor) -> Target:
        """Aim at vectors of a list, (M, C), of which `rows` tells which stand where, (h, w)."""
        squares = full_precision(vectors).square().sum(1)
        energy = squares[rows].sum().view(1).clamp(min=1e-30)
        count = vectors.shape[1] * rows.numel()
        return cls(vectors, energy, weights, count, rows[None], squares)

    @classmethod
    def of(cls, value: Tensor, floor: Tensor | float = 0.0) -> Target:
        """Measure a target once, so that no step has to.

        `floor` keeps an empty target (a black picture in a network without biases) from asking
        for a division by zero; it should be small against the energies usual at this layer.
        """
        energy = energy_of(value).clamp(min=1e-30)  # both images may be empty
        least = torch.as_tensor(floor, device=energy.device)
        return cls(value, energy.maximum(least), count=value[0].numel())

    @classmethod
    def flat(cls, count: int) -> Target:
        """Aim at no image, but at differences of 0, of so many."""
        return replace(cls.of(torch.zeros(1, 1)), count=count)

    def by_rows(self) -> Target:
        """Return the same as a list of vectors, each at its own place where it was a map."""
        if self.rows is not None:
            return self
        n, channels, height, width = self.value.shape
        vectors = self.value.permute(0, 2, 3, 1).reshape(-1, channels)
        rows = torch.arange(len(vectors), device=vectors.device).view(n, height, width)
        squares = full_precision(vectors).square().sum(1)
        return replace(self, value=vectors, rows=rows, squares=squares)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of a local target."""
        height, width = (self.value if self.rows is None else self.rows).shape[-2:]
        return height, width

    def of_tile(self, rows: slice, columns: slice) -> Target:
        """Return the part of a local target at these positions."""
        weights = None if self.weights is None else self.weights[..., rows, columns]
        if self.rows is None:
            return replace(self, value=self.value[..., rows, columns], weights=weights)
        return replace(self, rows=self.rows[..., rows, columns], weights=weights)

    @classmethod
    def stacked(cls, targets: Sequence[Target]) -> Target:
        """Make one target for a batch of pictures, each of which has its own.

        A value that all of them share is not multiplied: most often, they have one content.
        """
        if len(targets) == 1:
            return targets[0]
        values = [target.value for target in targets]
        shared = all(value is values[0] for value in values)
        value = values[0] if shared else torch.cat(values)
        weights = stacked_weights([target.weights for target in targets])
        energies = torch.cat([target.energy for target in targets])
        found = cls(value, energies, weights, targets[0].count)
        rows = [target.rows for target in targets if target.rows is not None]
        if not rows:
            return found
        squares = [target.squares for target in targets if target.squares is not None]
        if shared:
            return replace(found, rows=torch.cat(rows), squares=squares[0])
        # The lists stand one after the other.
        starts = [0, *accumulate(len(each) for each in values[:-1])]
        moved = [each + start for each, start in zip(rows, starts, strict=True)]
        return replace(found, rows=torch.cat(moved), squares=torch.cat(squares))

    def squared_error(self, x: Tensor) -> Tensor:
        """Σ (x − value)² over all but the batch, as positions count: (N, …) -> (N,)."""
        value = full_precision(self.value)
        squares = (x.to(value.dtype) - value).square()
        if self.weights is not None:
            squares = squares * self.weights
        return squares.flatten(1).sum(1)

    def relative_error(self, x: Tensor) -> Tensor:
        """‖x − value‖² / ‖value‖²: 0 when equal, 1 when x is nothing, at every layer alike.

        Cheng et al. 2021 (Style-Aware Normalized Loss) give the evidence for this normalisation.
        """
        return self.squared_error(x) / self.energy


def energy_of(x: Tensor) -> Tensor:
    """Sum the squares of all but the batch: (N, …) -> (N,), float32 or better.

    Stretch by stretch: squares of half precision take four times its memory.
    """
    if x.dim() < 3:
        return full_precision(x).square().flatten(1).sum(1)
    rows = max(1, _BLOCK * x.shape[-2] // max(1, x.numel()))
    sums = [full_precision(part).square().flatten(1).sum(1) for part in torch.split(x, rows, -2)]
    return torch.stack(sums).sum(0)


def stacked_weights(weights: Sequence[Tensor | None]) -> Tensor | None:
    """Make one tensor of those (1, 1, h, w) of several pictures, whose None is 1 everywhere."""
    known = next((each for each in weights if each is not None), None)
    if known is None:
        return None
    return torch.cat([torch.ones_like(known) if each is None else each for each in weights])
