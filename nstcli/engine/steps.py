"""Steps of a batch of pictures, counted through all scales and passed on as events."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise
from statistics import quantiles

from torch import Tensor

from nstcli.engine.pyramid import resized

# So many points draw the curve of a loss.
_POINTS = 100


@dataclass(frozen=True)
class Step:
    """An event: the loss that one step of the optimizer started from.

    Attributes:
        number: 1 for the first step of the coarsest scale, `steps` for the last of the finest.
        loss: the weighted sum; NaN for a picture that ended before the others of its batch.
        terms: each term, unweighted.
        done: share of the pair's work that is done, in (0, 1]; steps at small scales are cheap.
        picture: returns a copy of what this step left, (1, 3, H, W) in [0, 1], enlarged to the size
            of the last scale; to be asked while the step is told of, since nothing is copied
            before. None where the step comes from another process.
    """

    number: int
    steps: int
    loss: float
    terms: Mapping[str, float]
    done: float
    picture: Callable[[], Tensor] | None = field(default=None, compare=False, repr=False)


# One event for each picture of a batch. What it returns tells whether to stop; None means no.
OnSteps = Callable[[Sequence[Step]], bool | None]


class Progress:
    """Follows a batch of pictures through its scales.

    `sizes` and `shares` are (H, W) and the steps of each scale.
    """

    def __init__(
        self, sizes: Sequence[tuple[int, int]], shares: Sequence[int], on_steps: OnSteps | None
    ):
        self.stopped = False
        self._on_steps = on_steps
        self._last = sizes[-1]
        self._costs = costs = [height * width for height, width in sizes]
        self._steps = sum(shares)
        self._steps_before = [0, *accumulate(shares)]
        work = [cost * steps for cost, steps in zip(costs, shares, strict=True)]
        self._work_before = [0, *accumulate(work)]
        self._scale = 0
        self._curves: list[list[tuple[int, float]]] = []
        self._times: list[tuple[int, float]] = []

    def watch(
        self,
        number: int,
        losses: Sequence[float],
        terms: Mapping[str, Sequence[float]],
        pictures: Tensor,
    ) -> bool:
        """Tell the listener of a step at this scale; return whether it wants no more.

        After the last of all steps it can want nothing less: the picture is complete.
        """
        self._times.append((number, time.perf_counter()))
        at = self.number(number)
        done = self._work_before[self._scale] + self._costs[self._scale] * number
        steps = [
            Step(
                at,
                self._steps,
                loss,
                {name: values[index] for name, values in terms.items()},
                done / self._work_before[-1],
                partial(self._picture, pictures[index : index + 1].detach()),
            )
            for index, loss in enumerate(losses)
        ]
        self._curves = self._curves or [[] for _ in steps]
        for curve, step in zip(self._curves, steps, strict=True):
            if not math.isnan(step.loss):  # of a picture that has ended
                curve.append((at, step.loss))
        if self._on_steps:
            self.stopped = bool(self._on_steps(steps)) and at < self._steps
        return self.stopped

    def _picture(self, image: Tensor) -> Tensor:
        """Copy a picture in the size of the last scale."""
        return image.clone() if image.shape[-2:] == self._last else resized(image, *self._last)

    def number(self, step: int) -> int:
        """Count a step of this scale from the first of all."""
        return self._steps_before[self._scale] + step

    def next_scale(self) -> None:
        """Go on to the next finer scale, if there is one."""
        self._scale += 1
        if self._scale < len(self._costs):
            self._times = []

    def pace(self) -> tuple[float, float]:
        """Return the median seconds of a step at this scale, and those between its quartiles.

        Both are 0 where fewer than two steps were looked at.
        """
        paces = sorted(
            (after - before) / (number - earlier)
            for (earlier, before), (number, after) in pairwise(self._times)
        )
        if len(paces) < 2:
            return (paces[0] if paces else 0.0), 0.0
        low, middle, high = quantiles(paces, n=4, method="inclusive")
        return middle, high - low

    def curve(self, picture: int) -> tuple[tuple[int, float], ...]:
        """Return (step, loss) of a picture, at most a hundred of them, both ends included."""
        points = self._curves[picture]
        last = len(points) - 1
        count = min(_POINTS, len(points))
        return tuple(points[round(n * last / max(1, count - 1))] for n in range(count))
