"""L-BFGS for pictures: bounded pixels, bounded steps, every picture of a batch on its own."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from nstcli.engine.coarse_first import coarse_first
from nstcli.engine.picture_optimizer import PictureOptimizer, power_of_two
from nstcli.recipe import Recipe

# Root mean square change of pixels in [0, 1] that the first and any later step may make.
_FIRST_STEP = 0.01
_LONGEST_STEP = 0.05
# Cosine between displacement and change of gradient below which there is no curvature to speak of.
_LEAST_COSINE = 1e-8
# Squares of both below which nothing can be learned from them: a little less, and float32 has no
# reciprocals of such products.
_LEAST_CHANGE = 1e-25
# Inverse curvature while none is known: so flat that every step is as long as it may be.
_UNKNOWN = 2.0**24


class _Pair(NamedTuple):
    """One curvature pair: displacement, change of gradient, 1 / their product; (N, D), (N, 1)."""

    s: Tensor
    y: Tensor
    rho: Tensor


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal 1980; Nocedal, Wright 2006, alg. 7.4), one evaluation a step.

    It departs from `torch.optim.LBFGS` where that one fails on pictures. Steps are bounded, since
    without a line search the first ones overshoot by so much that the content never comes back.
    The displacement is what really happened to the pixels, clamping by the caller included, not
    what was intended. There are no absolute tolerances to end it in silence. And every picture of a
    batch has its own curvature, as if it were alone.

    Where nothing is known of the curvature, it is that of `guess`, a symmetric, positive definite
    product with (N, …), times a number (their p. 178 has the identity in its place).

    Gradients are near 1 at the first step, as `PictureOptimizer` sees to, whatever the loss is
    counted in; the constants above are of that unit.
    """

    def __init__(
        self, image: Tensor, guess: Callable[[Tensor], Tensor] = lambda x: x, history: int = 10
    ):
        super().__init__([image], {})
        self._image = image
        self._guess = guess
        self._history: deque[_Pair] = deque(maxlen=history)
        self._before: tuple[Tensor, Tensor] | None = None
        # The size of an inverse curvature, of each picture: that of the last convex pair.
        self._gamma = image.new_full((len(image), 1), _UNKNOWN)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Evaluate once, and move the picture (N, …) along the quasi-Newton direction."""
        with torch.enable_grad():
            loss = closure()
        assert self._image.grad is not None  # noqa: S101 - the closure's part of the contract
        x, gradient = self._image.flatten(1), self._image.grad.flatten(1)
        if self._before:
            self._learn(x - self._before[0], gradient - self._before[1])
        self._before = x.clone(), gradient.clone()
        direction = -self._multiply(gradient)
        # Where the loss is all but straight, squares of the direction would overflow.
        unit = power_of_two(direction)
        direction /= unit
        length = direction.square().mean(1, keepdim=True).sqrt().clamp(min=1e-30)
        if self._history:
            direction *= (_LONGEST_STEP / length).minimum(unit)
        else:
            direction *= _FIRST_STEP / length
        self._image.add_(direction.view_as(self._image))
        return loss

    def _learn(self, s: Tensor, y: Tensor) -> None:
        """Keep a curvature pair; one without positive curvature counts for nothing."""
        product = (s * y).sum(1, keepdim=True)
        moved, square = s.square().sum(1, keepdim=True), y.square().sum(1, keepdim=True)
        convex = (
            (product > _LEAST_COSINE * moved.sqrt() * square.sqrt())
            & (moved > _LEAST_CHANGE)
            & (square > _LEAST_CHANGE)
        )
        guessed = (y * self._guessed(y)).sum(1, keepdim=True)
        self._gamma = torch.where(convex, product / guessed, self._gamma)
        self._history.append(_Pair(s, y, torch.where(convex, 1 / product, 0)))

    def _multiply(self, gradient: Tensor) -> Tensor:
        """Apply the inverse Hessian that the history stands for: (N, D) -> (N, D)."""
        q, alphas = gradient.clone(), []
        for s, y, rho in reversed(self._history):
            alphas.append(rho * (s * q).sum(1, keepdim=True))
            q -= alphas[-1] * y
        q = self._gamma * self._guessed(q)
        for (s, y, rho), alpha in zip(self._history, reversed(alphas), strict=True):
            q += (alpha - rho * (y * q).sum(1, keepdim=True)) * s
        return q

    def _guessed(self, x: Tensor) -> Tensor:
        """Multiply by the guess: (N, D) -> (N, D)."""
        return self._guess(x.view_as(self._image)).flatten(1)


def build(image: Tensor, steps: int, recipe: Recipe) -> PictureOptimizer:
    """Get ready to optimize pictures (N, 3, H, W): fewer steps to the same loss, more memory."""
    guess = partial(coarse_first, wraps=recipe.wraps)
    return PictureOptimizer(image, LBFGS(image, guess, recipe.history))
