"""`Target`: what a term compares a statistic with, and the energy that errors are relative to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nstcli.engine.losses.statistics import full_precision


@dataclass(frozen=True)
class Target:
    """A tensor to come close to, and the energy that its errors are relative to.

    Attributes:
        value: (1 or N, …), compared with a tensor of the same trailing shape.
        energy: (1 or N,), Σ value², but never less than the floor given to `of`.
        weights: how much each position counts, (1 or N, 1, h, w), of a local statistic; None where
            all count alike.
    """

    value: Tensor
    energy: Tensor
    weights: Tensor | None = None

    @classmethod
    def of(cls, value: Tensor, floor: Tensor | float = 0.0) -> Target:
        """Measure a target once, so that no step has to.

        `floor` keeps an empty target (a black picture in a network without biases) from asking
        for a division by zero; it should be small against the energies usual at this layer.
        """
        value = full_precision(value)
        energy = value.square().flatten(1).sum(1).clamp(min=1e-30)  # both images may be empty
        return cls(value, energy.maximum(torch.as_tensor(floor, device=energy.device)))

    @classmethod
    def stacked(cls, targets: Sequence[Target]) -> Target:
        """Make one target for a batch of pictures, each of which has its own.

        A value that all of them share is not multiplied: most often, they have one content.
        """
        values = [target.value for target in targets]
        shared = all(value is values[0] for value in values)
        value = values[0] if shared else torch.cat(values)
        weights = stacked_weights([target.weights for target in targets])
        return cls(value, torch.cat([target.energy for target in targets]), weights)

    def squared_error(self, x: Tensor) -> Tensor:
        """Σ (x − value)² over all but the batch, as positions count: (N, …) -> (N,)."""
        squares = (x.to(self.value.dtype) - self.value).square()
        if self.weights is not None:
            squares = squares * self.weights
        return squares.flatten(1).sum(1)

    def relative_error(self, x: Tensor) -> Tensor:
        """‖x − value‖² / ‖value‖²: 0 when equal, 1 when x is nothing, at every layer alike.

        Cheng et al. 2021 (Style-Aware Normalized Loss) give the evidence for this normalisation.
        """
        return self.squared_error(x) / self.energy


def stacked_weights(weights: Sequence[Tensor | None]) -> Tensor | None:
    """Make one tensor of those (1, 1, h, w) of several pictures, whose None is 1 everywhere."""
    known = next((each for each in weights if each is not None), None)
    if known is None:
        return None
    return torch.cat([torch.ones_like(known) if each is None else each for each in weights])
