"""The steps at one scale of a batch of pictures: keep the best of each, notice divergence."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from nstcli.engine.cuda_graph import replayed
from nstcli.engine.objective import Objective, weighted
from nstcli.engine.picture_optimizer import build
from nstcli.recipe import Recipe

# A loss this many times those of the first steps does not come back.
_EXPLODED = 1e4
_FIRST_STEPS = 3
# Reading a loss waits for the device; a GPU is left alone for so many steps.
_READ_EVERY = {"cpu": 1}
_READ_EVERY_OTHERWISE = 10
# Progress is measured over so many steps.
_WINDOW = 20

# (number of the step, losses, terms, pictures; each by picture) -> whether to stop here.
Watch = Callable[[int, Sequence[float], Mapping[str, Sequence[float]], Tensor], bool]


def descend(
    objective: Objective,
    image: Tensor,
    recipe: Recipe,
    steps: int,
    watch: Watch,
) -> "Best":
    """Take that many steps from `image` (N, 3, H, W), or fewer when there is cause to stop.

    Causes are a true answer of `watch`, and that no picture goes on: each ends on its own when its
    loss becomes NaN, infinite or explodes, or makes less progress than the recipe's tolerance.
    """
    image = image.detach().clone().requires_grad_()
    optimizer = build(image, steps, recipe)
    best = Best(image, steps)
    every = _READ_EVERY.get(image.device.type, _READ_EVERY_OTHERWISE)
    progress: deque[list[float]] = deque(maxlen=_WINDOW // every + 1)

    def evaluated() -> Tensor:
        terms = objective.terms(image)
        loss = weighted(terms, recipe)
        best.offer(image, loss, terms)
        return loss

    def evaluation() -> None:
        # Times the number of values: that of a mean over a large picture would come near to the
        # least numbers that float32 has, where weights are small.
        scaled = evaluated().sum() * image[0].numel()
        (image.grad,) = torch.autograd.grad(scaled, image)

    # In tiles, kernels are large, and what a graph records would stay.
    closure = evaluation if objective.tiles else replayed(evaluation, image.device)
    for number in range(1, steps + 1):
        optimizer.step(closure)
        if number % every and number < steps:
            continue
        losses, terms = best.read(number)
        if not best.open:
            break
        if watch(number, losses, terms, image):
            best.close(best.open, number)
            break
        best.close(_stalled(progress, best, recipe.tolerance), number)
        if not best.open:
            break
    del closure  # and the memory that a recorded graph has to itself
    with torch.no_grad():
        evaluated()
    best.read(steps)
    return best


def _stalled(progress: deque[list[float]], best: "Best", tolerance: float) -> set[int]:
    """Return the pictures whose best loss fell by less than that share over the last steps."""
    if not tolerance:
        return set()
    progress.append(best.loss.tolist())
    if len(progress) < (progress.maxlen or 0):
        return set()
    pairs = enumerate(zip(progress[0], progress[-1], strict=True))
    # Also where there is nothing to win, both being 0.
    return {index for index, (first, last) in pairs if last >= first * (1 - tolerance)}


class Best:
    """The best of every picture so far, kept on its device without waiting for it.

    Attributes:
        image: (N, 3, H, W).
        loss: of each, (N,).
        first: what each began with, (N,).
        open: numbers of the pictures that still go on.
        steps: taken by each.
        diverged: (step, loss) of those whose loss became NaN, infinite or exploded.
    """

    def __init__(self, image: Tensor, steps: int):
        self.image = image.detach().clone()
        self.loss = torch.full((len(image),), math.inf, device=image.device)
        self.first = self.loss.clone()
        self.open = set(range(len(image)))
        self.steps = [steps] * len(image)
        self.diverged: dict[int, tuple[int, float]] = {}
        self._latest = self.loss.clone()
        self._terms: Mapping[str, Tensor] = {}
        self._ceiling = torch.zeros_like(self.loss)
        # Pictures that take no more, and those that take none after the next.
        self._closed = torch.zeros_like(self.loss, dtype=torch.bool)
        self._closing = self._closed.clone()
        self._offers = 0

    @torch.no_grad()
    def offer(self, image: Tensor, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Take each picture whose loss is the least yet.

        Everything happens in the same tensors, since a recorded graph knows no others.
        """
        better = (loss < self.loss) & ~self._closed
        torch.where(better.view(-1, 1, 1, 1), image, self.image, out=self.image)
        self.loss.copy_(torch.where(better, loss, self.loss))
        self._latest.copy_(loss)
        self._terms = terms
        self._closed.logical_or_(self._closing)
        # The first loss alone is no measure: that of the content image itself may be next to 0.
        if not self._offers:
            self.first.copy_(loss)
        if self._offers < _FIRST_STEPS:
            self._ceiling.copy_(self._ceiling.maximum(_EXPLODED * self._latest))
        self._offers += 1

    def close(self, pictures: set[int], step: int) -> None:
        """Let pictures end with what they are after this step, which is yet to be offered."""
        for index in sorted(pictures & self.open):
            self._closing[index] = True
            self.steps[index] = step
        self.open = self.open - pictures

    def read(self, step: int) -> tuple[list[float], dict[str, list[float]]]:
        """Return the losses offered last and their terms, by picture; end those that diverged.

        Those of a picture that ended before mean nothing any more: its loss is NaN.
        """
        rows = torch.stack([self._latest, self._ceiling, *self._terms.values()]).tolist()
        losses, ceilings, *terms = rows
        for index in sorted(self.open):
            loss = losses[index]
            if not math.isfinite(loss) or loss > ceilings[index]:
                self.diverged[index] = (step, loss)
                self.close({index}, step)
                self._closed[index] = True
        losses = [loss if index in self.open else math.nan for index, loss in enumerate(losses)]
        return losses, dict(zip(self._terms, terms, strict=True))
