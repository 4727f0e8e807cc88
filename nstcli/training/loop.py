"""The steps of a training: Adam, a rate that falls, an average of the weights."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Adam

from nstcli.errors import DivergedError
from nstcli.networks.transformation import TransformationNetwork
from nstcli.training.objective import Objective
from nstcli.training.recipe import TrainingRecipe

# The share of a training in which the rate rises to what it is to be, and what of it is left at
# the end of the cosine after that.
_RISE = 0.02
_LEFT = 0.02
# The share of a training in which the style's weight grows to what it is to be, and the factor that
# it begins with. A network that has learnt to give photos back before it learns to paint them keeps
# what they show: after 1000 steps with all of the weight from the start, a cat had no face yet.
_GROWTH = 0.3
_BEGINNING = 0.003
# The weights of the file are an average over the steps, each counting less by this factor than the
# next; the first steps, which nobody wants to keep, fade faster.
_FADE = 0.998
# A gradient is cut to so many times the usual norm: one odd photo shall not undo what was learnt.
_CUT = 3.0
_USUAL = 0.99
# Reading a loss waits for the device; a GPU is left alone for so many steps.
_READ_EVERY = {"cpu": 1}
_READ_EVERY_OTHERWISE = 20


@dataclass
class State:
    """How far a training is: all that its next step depends on, beside the recipe and the photos.

    Attributes:
        network: as the optimizer has it.
        average: of the network's weights over the steps: what becomes the file.
        optimizer: Adam over `network`.
        step: that were taken.
        seconds: that they took, of all runs together.
        usual: the mean norm of the gradient; 0 before the first step.
        losses: of each step, (steps, 1 + terms): the loss and the terms unweighted, means over
            the batch.
        terms: names of the columns after the first.
        samples: what the average made of the sample photo, (3, H, W) uint8, by the step.
    """

    network: TransformationNetwork
    average: TransformationNetwork
    optimizer: Adam
    step: int = 0
    seconds: float = 0.0
    usual: Tensor = field(default_factory=lambda: torch.zeros(()))
    losses: Tensor = field(default_factory=lambda: torch.zeros(0, 1))
    terms: tuple[str, ...] = ()
    samples: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def begun(cls, recipe: TrainingRecipe, device: str) -> State:
        """Return that of a training before its first step, drawn by the recipe's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.loss.seed)
            network = TransformationNetwork(recipe.width)
        layout = torch.contiguous_format if device == "cpu" else torch.channels_last
        network = network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        average = copy.deepcopy(network).requires_grad_(False)
        optimizer = Adam(network.parameters(), lr=recipe.learning_rate)
        return cls(network, average, optimizer, usual=torch.zeros((), device=device))

    def progress(self, recipe: TrainingRecipe) -> float:
        """Return how much of the training is done, 0 to 1."""
        if recipe.steps is not None:
            return min(1.0, self.step / recipe.steps)
        return min(1.0, self.seconds / (60 * (recipe.minutes or 1)))

    @property
    def recent(self) -> Tensor:
        """The means of `losses` over the last steps, at most a hundred: (1 + terms,)."""
        return self.losses[-100:].mean(0)


@dataclass(frozen=True)
class Step:
    """An event: a step that was taken.

    Attributes:
        number: 1 for the first.
        progress: how much of the training is done, 0 to 1.
        loss: the weighted sum, a mean over the batch.
        terms: each unweighted, likewise.
        seconds: that all steps took.
        remaining: that the others will take, by those so far.
    """

    number: int
    progress: float
    loss: float
    terms: Mapping[str, float]
    seconds: float
    remaining: float


def train(
    state: State,
    objective: Objective,
    recipe: TrainingRecipe,
    batches: Iterator[Tensor],
    on_step: Callable[[Step], bool | None],
    *,
    half: bool = False,
) -> None:
    """Take the steps that are left, until all are taken or `on_step` returns true.

    `state` is that of its last step whenever `on_step` is called, and at the end.

    Args:
        state: which is changed.
        objective: what the network is trained for.
        recipe: of the training.
        batches: of the steps that are left; see `nstcli.training.photos.batches`.
        on_step: hears of steps whose losses were read; on a GPU, not of all.
        half: let the network compute in bfloat16, its weights staying in float32.

    Raises:
        DivergedError: a loss became NaN or infinite; the state is of no use then.
    """
    device = next(state.network.parameters()).device
    every = _READ_EVERY.get(device.type, _READ_EVERY_OTHERWISE)
    unread: list[Tensor] = []
    began, before = time.perf_counter(), state.seconds
    while (progress := state.progress(recipe)) < 1:
        photos = next(batches).to(device, non_blocking=True)
        _set_rate(state.optimizer, recipe.learning_rate * rate(progress))
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            painted = state.network(photos)
        terms = objective.terms(painted.float(), photos)
        state.optimizer.zero_grad(set_to_none=True)
        aim = objective.weighted(terms, style_share(progress)).mean()
        aim.backward()  # type: ignore[no-untyped-call]
        _cut(state)
        state.optimizer.step()
        state.step += 1
        _add_to_average(state)
        with torch.no_grad():
            means = [objective.weighted(terms), *terms.values()]
            unread.append(torch.stack([each.mean() for each in means]))
        state.seconds = before + time.perf_counter() - began
        if state.step % every and state.progress(recipe) < 1:
            continue
        state.terms = tuple(terms)
        _read(state, unread)
        unread.clear()
        if on_step(_told(state, recipe)):
            return


def rate(progress: float) -> float:
    """Return what of the learning rate there is at a progress from 0 to 1: up, and along a cosine.

    Adam's first steps are as large as any, though its gradients say little yet.
    """
    if progress < _RISE:
        return _LEFT + (1 - _LEFT) * progress / _RISE
    falling = (progress - _RISE) / (1 - _RISE)
    return _LEFT + (1 - _LEFT) * (1 + math.cos(math.pi * falling)) / 2


def style_share(progress: float) -> float:
    """Return what of the style's weight counts at a progress from 0 to 1: it grows evenly in ratio.

    The losses that are told and drawn count all of it.
    """
    return float(_BEGINNING ** max(0.0, 1 - progress / _GROWTH))


def _set_rate(optimizer: Adam, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value


@torch.no_grad()
def _cut(state: State) -> None:
    """Cut the gradient to a few times its usual norm, without waiting for the device."""
    gradients = [each.grad for each in state.network.parameters() if each.grad is not None]
    norm = torch.stack([each.norm() for each in gradients]).norm()
    usual = torch.where(state.usual > 0, state.usual, norm)
    kept = norm.minimum(_CUT * usual)
    factor = kept / norm.clamp(min=1e-30)
    for gradient in gradients:
        gradient.mul_(factor)
    state.usual.copy_(_USUAL * usual + (1 - _USUAL) * kept)


@torch.no_grad()
def _add_to_average(state: State) -> None:
    kept = min(_FADE, (1 + state.step) / (10 + state.step))
    pairs = zip(state.average.parameters(), state.network.parameters(), strict=True)
    for average, value in pairs:
        average.lerp_(value, 1 - kept)


def _read(state: State, unread: list[Tensor]) -> None:
    """Take the losses of steps to the CPU.

    Raises:
        DivergedError: one is NaN or infinite.
    """
    losses = torch.stack(unread).float().cpu()
    if len(state.losses) == 0:
        state.losses = losses
    else:
        state.losses = torch.cat([state.losses, losses])
    bad = [number for number, row in enumerate(losses) if not row.isfinite().all()]
    if bad:
        step = state.step - len(losses) + bad[0] + 1
        raise DivergedError(f"the training diverged at step {step}: its loss is no number any more")


def _told(state: State, recipe: TrainingRecipe) -> Step:
    loss, *terms = state.losses[-1].tolist()
    progress = state.progress(recipe)
    remaining = state.seconds * (1 - progress) / progress
    named = dict(zip(state.terms, terms, strict=True))
    return Step(state.step, progress, loss, named, state.seconds, remaining)
