"""The optimizers on quadratics, whose minima are known: speed, bounds, independence, thrift."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from nstcli.engine.lbfgs import LBFGS
from nstcli.engine.memory import TensorBytes
from nstcli.engine.picture_optimizer import build
from nstcli.optimizers import OPTIMIZERS
from tests.nstcli.engine.scene import recipe

SHAPE = (1, 3, 6, 8)
NAMES = list(OPTIMIZERS)


def uniform(low: float, high: float, seed: int, shape: Sequence[int] = SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


@dataclass
class Bowl:
    """½ Σ stiffness (x − bottom)², counting how often it is evaluated."""

    bottom: Tensor
    stiffness: Tensor
    image: Tensor
    losses: list[float] = field(default_factory=list)

    def values(self) -> Tensor:
        return (self.stiffness * (self.image - self.bottom).square()).flatten(1).sum(1) / 2

    def closure(self) -> Tensor:
        loss = self.values().sum()
        (self.image.grad,) = torch.autograd.grad(loss, self.image)
        self.losses.append(loss.item())
        return loss.detach()


def bowl(condition: float = 1000.0, seed: int = 0, low: float = 0.2, high: float = 0.8) -> Bowl:
    """Make one whose curvatures spread evenly over the orders of magnitude of `condition`."""
    stiffness = torch.logspace(0, torch.tensor(condition).log10().item(), 3 * 6 * 8)
    image = torch.full(SHAPE, 0.5, dtype=torch.float64).requires_grad_()
    return Bowl(uniform(low, high, seed), stiffness.double().view(SHAPE), image)


def run(name: str, problem: Bowl, steps: int) -> list[Tensor]:
    """Return the picture after every step."""
    optimizer = build(problem.image, steps, recipe(optimizer=name))
    path = []
    for _ in range(steps):
        optimizer.step(problem.closure)
        path.append(problem.image.detach().clone())
    return path


def test_lbfgs_beats_the_best_gradient_descent_where_it_is_hard() -> None:
    problem, plain = bowl(), bowl()
    for _ in range(150):
        plain.closure()
        assert plain.image.grad is not None
        with torch.no_grad():  # the best of all constant rates, 2 / (largest + least curvature)
            plain.image -= 2 / 1001 * plain.image.grad
    run("lbfgs", problem, 150)
    assert plain.values().item() > 5e-3 * plain.losses[0]
    assert problem.values().item() < 3e-7 * plain.values().item()  # a history of 1: 2e-6


@pytest.mark.parametrize("name", NAMES)
def test_comes_close_to_the_minimum(name: str) -> None:
    problem = bowl(condition=10.0)
    run(name, problem, 100)
    assert problem.values().item() < 1e-3 * problem.losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_pixels_stay_in_range_and_the_rest_still_converges(name: str) -> None:
    problem = bowl(condition=10.0, low=-1.0, high=2.0)
    for image in run(name, problem, 150):
        assert image.min() >= 0
        assert image.max() <= 1
    error = (problem.image.detach() - problem.bottom.clamp(0, 1)).abs().max().item()
    assert error < 0.02


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1.0, 1e-6])
def test_every_step_evaluates_once_and_moves(name: str, factor: float) -> None:
    problem = bowl()
    problem.stiffness *= factor
    path = run(name, problem, 30)
    assert len(problem.losses) == 30
    for before, after in pairwise(path):
        assert not torch.equal(before, after)


@pytest.mark.parametrize("name", NAMES)
def test_closure_runs_with_gradients_on_and_nothing_else_does(name: str) -> None:
    problem = bowl()
    with torch.no_grad():
        optimizer = build(problem.image, 1, recipe(optimizer=name))
    optimizer.step(problem.closure)
    assert problem.image.requires_grad
    assert problem.image.is_leaf


@pytest.mark.parametrize(("name", "history"), [*((name, 10) for name in NAMES), ("lbfgs", 3)])
def test_what_is_remembered_is_foretold(name: str, history: int) -> None:
    """Beside the picture, a gradient that is new and the one before, which memory knows of."""
    image = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
    picture = image.nbytes
    with TensorBytes() as there:
        optimizer = build(image, 30, recipe(optimizer=name, history=history))

        def closure() -> None:
            image.grad = (image.detach() - 0.3).pow(3)

        for _ in range(30):
            optimizer.step(closure)
    foretold = OPTIMIZERS[name].pictures(history)
    assert 0.7 * foretold < there.peak / picture - 2 < foretold + 0.01


@pytest.mark.parametrize("factor", [1e-12, 1.0, 1e12])
def test_lbfgs_bounds_its_steps_whatever_the_gradients_scale(factor: float) -> None:
    problem = bowl(low=-50.0, high=50.0)  # so far away that every bound is met
    problem.stiffness *= factor
    optimizer = LBFGS(problem.image)
    lengths = []
    for _ in range(12):
        before = problem.image.detach().clone()
        optimizer.step(problem.closure)
        lengths.append((problem.image.detach() - before).square().mean().sqrt().item())
    assert lengths[0] == pytest.approx(0.01)
    assert max(lengths[1:]) == pytest.approx(0.05)


def waves(image: Tensor) -> Tensor:
    """A loss with curvature of both signs."""
    return (12 * image).cos().flatten(1).sum(1)


def flat(image: Tensor) -> Tensor:
    """A loss that has nothing to say: its gradient is zero."""
    return 0 * image.flatten(1).sum(1)


def steep(image: Tensor) -> Tensor:
    return 100 * (image - uniform(0, 1, seed=7)).square().flatten(1).sum(1)


def stretched(image: Tensor) -> Tensor:
    stiffness = torch.logspace(0, 3, 3 * 6 * 8, dtype=torch.float64).view(SHAPE)
    return (stiffness * (image - uniform(0, 1, seed=8)).square()).flatten(1).sum(1)


PerPicture = Callable[[Tensor], Tensor]


def trajectory(name: str, losses: Sequence[PerPicture], starts: Tensor, steps: int) -> Tensor:
    """Optimize `starts` (N, …), the n-th by the n-th loss: (steps, N, …)."""
    image = starts.clone().requires_grad_()
    optimizer = build(image, steps, recipe(optimizer=name))

    def closure() -> Tensor:
        parts = [loss(image[n : n + 1]) for n, loss in enumerate(losses)]
        loss = torch.cat(parts).sum()
        (image.grad,) = torch.autograd.grad(loss, image)
        return loss.detach()

    path = []
    for _ in range(steps):
        optimizer.step(closure)
        path.append(image.detach().clone())
    return torch.stack(path)


@pytest.mark.parametrize("loss", [waves, stretched])
@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_lbfgs_path_does_not_depend_on_the_losss_scale(loss: PerPicture, factor: float) -> None:
    start = uniform(0.2, 0.8, seed=3)
    path = trajectory("lbfgs", [loss], start, 40)
    scaled = trajectory("lbfgs", [lambda image: factor * loss(image)], start, 40)
    torch.testing.assert_close(path, scaled, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", [waves, flat, steep])
def test_pictures_of_a_batch_do_not_know_of_each_other(name: str, other: PerPicture) -> None:
    starts = uniform(0.2, 0.8, seed=3, shape=(2, *SHAPE[1:]))
    together = trajectory(name, [stretched, other], starts, 25)
    for n, loss in enumerate([stretched, other]):
        alone = trajectory(name, [loss], starts[n : n + 1], 25)
        torch.testing.assert_close(together[:, n : n + 1], alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_do_moves_nothing(name: str) -> None:
    starts = uniform(0.2, 0.8, seed=3)
    for image in trajectory(name, [flat], starts, 5):
        assert torch.equal(image, starts)


@pytest.mark.parametrize("name", NAMES)
def test_zero_gradient_on_the_way_is_survived(name: str) -> None:
    """Flat, then steep, then flat again: as when a picture has reached its minimum."""
    calls = 0

    def sometimes(image: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return flat(image) if calls in {1, 2, 8, 9} else steep(image)

    path = trajectory(name, [sometimes], uniform(0.2, 0.8, seed=3), 30)
    assert path.isfinite().all()
    assert steep(path[-1]).item() < 0.2 * steep(path[0]).item()


def test_lbfgs_goes_downhill_where_the_curvature_is_negative() -> None:
    starts = 0.51 + 0.02 * uniform(-1, 1, seed=4)  # cos(12 x) is near its top here
    losses = [waves(image).item() for image in trajectory("lbfgs", [waves], starts, 40)]
    assert all(after < before for before, after in pairwise(losses[:6]))
    assert losses[-1] < -0.9 * 3 * 6 * 8


def test_adam_cools_down_to_a_tenth_along_a_cosine() -> None:
    problem = bowl()
    optimizer = build(problem.image, 20, recipe(optimizer="adam"))
    rates = [optimizer.optimizer.param_groups[0]["lr"]]
    for _ in range(20):
        optimizer.step(problem.closure)
        rates.append(optimizer.optimizer.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(0.05)
    assert rates[10] == pytest.approx(0.0275)
    assert rates[20] == pytest.approx(0.005)
    assert rates == sorted(rates, reverse=True)


def test_adam_drops_to_a_thirtieth_for_the_last_tenth() -> None:
    problem = bowl()
    asked = recipe(optimizer="adam", learning_rate=0.6, schedule="drop")
    optimizer = build(problem.image, 20, asked)
    rates = []
    for _ in range(20):
        rates.append(optimizer.optimizer.param_groups[0]["lr"])
        optimizer.step(problem.closure)
    assert rates == pytest.approx([0.6] * 18 + [0.02] * 2)


@pytest.mark.parametrize("change", [1e-30, 1e-22, 1e-15, 1e-12])
def test_lbfgs_survives_gradients_that_hardly_change(change: float) -> None:
    """As in a picture that is all but stuck, whose products float32 cannot hold."""
    image = torch.full((1, 8), 0.5, requires_grad=True)
    optimizer = LBFGS(image)

    def closure() -> None:
        image.grad = torch.full((1, 8), 0.1)
        image.grad[0, 0] = change * image[0, 0].item()

    for _ in range(5):
        optimizer.step(closure)
        with torch.no_grad():
            image.copy_(torch.full((1, 8), 0.5))  # held by the caller, but for one pixel
            image[0, 0] = torch.rand(())
        assert image.isfinite().all()
        optimizer.step(closure)
        assert image.isfinite().all()
