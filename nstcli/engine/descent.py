"""One scale of one pair: take steps, keep the best picture, notice when it goes wrong."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.objective import Part, evaluate
from nstcli.engine.optimizers import OPTIMIZERS
from nstcli.errors import DivergedError
from nstcli.recipe import Recipe

# A loss this many times those of the first steps does not come back.
_EXPLODED = 1e4
_FIRST_STEPS = 3
# Reading a loss waits for the device; a GPU is left alone for so many steps.
_READ_EVERY = {"cpu": 1}
_READ_EVERY_OTHERWISE = 10
# Progress is measured over so many steps.
_WINDOW = 20

# (number of the step, its loss, its terms) -> whether to stop here.
Watch = Callable[[int, float, Mapping[str, float]], bool]


def descend(
    extractor: FeatureExtractor,
    image: Tensor,
    objective: Sequence[Part],
    recipe: Recipe,
    steps: int,
    watch: Watch,
) -> "Best":
    """Take that many steps from `image` (N, 3, H, W), or fewer when there is cause to stop.

    Causes are a true answer of `watch`, and progress below the recipe's tolerance.

    Raises:
        DivergedError: the loss became NaN or infinite, or exploded.
    """
    image = image.detach().clone().requires_grad_()
    weights = recipe.weights_of_terms
    descent = OPTIMIZERS[recipe.optimizer](image, steps)
    best = Best(image)
    every = _READ_EVERY.get(image.device.type, _READ_EVERY_OTHERWISE)
    progress: deque[float] = deque(maxlen=_WINDOW // every + 1)

    def evaluated() -> Tensor:
        terms = evaluate(extractor, image, objective)
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
        best.offer(image, loss, terms)
        return loss

    def closure() -> Tensor:
        # Times the number of values, because optimizers have absolute thresholds that a gradient
        # of 1e-6 per pixel would fall below.
        scaled = evaluated().sum() * image.numel()
        (image.grad,) = torch.autograd.grad(scaled, image)
        return scaled.detach()

    for number in range(1, steps + 1):
        descent.step(closure)
        if number % every and number < steps:
            continue
        loss, terms = best.latest(number, steps)
        if watch(number, loss, terms) or _stalled(progress, best, recipe.tolerance):
            break
    with torch.no_grad():
        evaluated()
    best.latest(steps, steps)
    return best


def _stalled(progress: deque[float], best: "Best", tolerance: float) -> bool:
    """Tell whether the best loss fell by less than that share over the last readings."""
    if not tolerance:
        return False
    progress.append(best.loss.sum().item())
    return len(progress) == progress.maxlen and progress[-1] > progress[0] * (1 - tolerance)


class Best:
    """The best picture so far, kept on its device without waiting for it."""

    def __init__(self, image: Tensor):
        self.image = image.detach().clone()
        self.loss = torch.full((len(image),), math.inf, device=image.device)
        self._loss = self.loss
        self._terms: Mapping[str, Tensor] = {}
        self._ceiling = torch.zeros_like(self.loss)
        self._offers = 0

    @torch.no_grad()
    def offer(self, image: Tensor, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Take the picture where its loss is the least yet."""
        better = loss < self.loss
        self.image = torch.where(better.view(-1, 1, 1, 1), image, self.image)
        self.loss = torch.where(better, loss, self.loss)
        self._loss, self._terms = loss.detach(), terms
        # The first loss alone is no measure: that of the content image itself may be next to 0.
        if self._offers < _FIRST_STEPS:
            self._ceiling = self._ceiling.maximum(_EXPLODED * self._loss)
        self._offers += 1

    def latest(self, number: int, steps: int) -> tuple[float, dict[str, float]]:
        """Return the loss offered last, and its terms.

        Raises:
            DivergedError: it is not finite, or hopelessly above the first ones.
        """
        loss = self._loss.sum().item()
        if not math.isfinite(loss) or loss > self._ceiling.sum().item():
            raise DivergedError(
                f"the optimization diverged at step {number} of {steps}: its loss went to "
                f"{loss:.3g}; try --optimizer adam, a smaller --style-weight or another --seed",
                self.image,
            )
        return loss, {name: term.sum().item() for name, term in self._terms.items()}
