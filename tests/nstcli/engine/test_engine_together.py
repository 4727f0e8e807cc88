"""Several pairs in one forward pass: each has the result that it would have alone."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from backbones.hooks import FeatureExtractor
from nstcli.engine import descent
from nstcli.engine.init import STARTS
from nstcli.engine.losses import Target, distances_of
from nstcli.engine.objective import batched, parts
from nstcli.engine.steps import Step
from nstcli.engine.stylize import Result, Scale, stylize, stylize_together
from nstcli.errors import DivergedError
from nstcli.optimizers import OPTIMIZERS
from nstcli.recipe import Recipe
from tests import tiny
from tests.nstcli.engine import scene
from tests.nstcli.engine.scene import recipe, scales

SIZES = [(20, 28), (32, 24), (24, 40)]  # of styles; they need not agree


@pytest.fixture
def extractor(extractor: FeatureExtractor) -> FeatureExtractor:
    """In float64: what sums in another order round, L-BFGS makes visible within twelve steps."""
    return extractor.double()


def picture(height: int = 24, width: int = 32, seed: int = 0) -> Tensor:
    """Make a picture (1, 3, H, W) in float64."""
    return scene.picture(height, width, seed).double()


def three_pairs(extractor: FeatureExtractor, asked: Recipe) -> list[list[Scale]]:
    """Three contents of one shape, the last two of them the same picture."""
    contents = [picture(40, 48, seed=1), picture(40, 48, seed=2)]
    contents.append(contents[1])
    styles = [picture(*size, seed=10 + n) for n, size in enumerate(SIZES)]
    return [scales(extractor, asked, *pair) for pair in zip(contents, styles, strict=True)]


def assert_same(outcome: Result | DivergedError, alone: Result) -> None:
    assert isinstance(outcome, Result)
    torch.testing.assert_close(outcome.image, alone.image, rtol=0, atol=1e-6)
    assert (outcome.steps, outcome.stopped) == (alone.steps, alone.stopped)
    for name in ("loss", "content_error", "style_error", "style_error_before"):
        assert getattr(outcome, name) == pytest.approx(getattr(alone, name), rel=1e-6), name
    assert [at for at, _ in outcome.curve] == [at for at, _ in alone.curve]
    assert [loss for _, loss in outcome.curve] == pytest.approx(
        [loss for _, loss in alone.curve], rel=1e-6
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("loss", distances_of("content"))
def test_together_is_as_alone(
    extractor: FeatureExtractor, optimizer: str, init: str, loss: str
) -> None:
    # In a flat picture, some gradients are nothing but rounding, which Adam makes whole steps of.
    choices = {"init": init, "init_noise": 0.1 * (init == "gray"), "loss": loss, "tv_weight": 0.5}
    asked = recipe(steps=6, scales=2, optimizer=optimizer, **choices)
    pairs = three_pairs(extractor, asked)
    made = stylize_together(extractor, pairs, asked)
    for outcome, pair in zip(made, pairs, strict=True):
        assert_same(outcome, stylize(extractor, pair, asked))


def test_a_picture_without_progress_ends_on_its_own(extractor: FeatureExtractor) -> None:
    # Adam, since curvature learnt over fifty steps tells the rounding of sums apart.
    asked = recipe(steps=120, scales=1, tolerance=0.2, optimizer="adam")
    pairs = three_pairs(extractor, asked)
    # Its style is its content: there is nothing to win.
    same = picture(40, 48, seed=3)
    pairs.append(scales(extractor, asked, same, same))
    alone = [stylize(extractor, pair, asked) for pair in pairs]
    assert alone[3].steps == 21 < min(result.steps for result in alone[:3])
    made = stylize_together(extractor, pairs, asked)
    assert [outcome.steps for outcome in made if isinstance(outcome, Result)] == [
        result.steps for result in alone
    ]
    for outcome, result in zip(made[:3], alone[:3], strict=True):
        assert_same(outcome, result)
    for outcome in (made[3], alone[3]):  # what both go through is rounding, and differs
        assert isinstance(outcome, Result)
        torch.testing.assert_close(outcome.image, same, rtol=0, atol=1e-6)


class PoisonOne(nn.Module):
    """Spoils one picture of every batch of several, from its `at`-th on."""

    def __init__(self, index: int, at: int, effect: float) -> None:
        super().__init__()
        self.index, self.at, self.effect, self.calls = index, at, effect, 0

    def forward(self, x: Tensor) -> Tensor:
        if len(x) == 1:  # content and style images, and the judgement
            return x
        self.calls += 1
        if self.calls < self.at:
            return x
        factor = torch.ones(len(x), 1, 1, 1)
        factor[self.index] = self.effect
        return x * factor


def poisoned(index: int, at: int, effect: float) -> FeatureExtractor:
    network = tiny.build()
    network.load_state_dict(tiny.random_state())
    assert isinstance(network, nn.Sequential)
    network[1] = nn.Sequential(nn.ReLU(), PoisonOne(index, at, effect))
    return FeatureExtractor(tiny.TINY, network, tiny.IMAGENET).double()


@pytest.mark.parametrize("effect", [float("nan"), float("inf"), 1e3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("at", [4, 8])
def test_a_picture_that_diverges_leaves_the_others_be(
    extractor: FeatureExtractor, optimizer: str, effect: float, at: int
) -> None:
    asked = recipe(steps=7, scales=2, optimizer=optimizer)
    pairs = three_pairs(extractor, asked)
    made = stylize_together(poisoned(1, at, effect), pairs, asked)
    assert isinstance(made[1], DivergedError)
    # Three steps at the first scale, whose last picture is evaluated too; four at the second.
    assert f"diverged at step {3 if at == 4 else 7} of 7: " in str(made[1])
    for index in (0, 2):
        assert_same(made[index], stylize(extractor, pairs[index], asked))


@pytest.mark.parametrize("count", [1, 2])
def test_when_all_diverge_no_more_steps_are_taken(count: int) -> None:
    asked = recipe(steps=50, scales=count)
    broken = poisoned(0, 4, float("nan"))
    (pair, *_) = three_pairs(broken, asked)
    seen: list[Sequence[Step]] = []
    made = stylize_together(broken, [pair, pair], asked, seen.append)
    assert isinstance(made[0], DivergedError)
    assert isinstance(made[1], Result)
    assert len(seen) == 50  # for the sake of the other
    network = tiny.build()
    seen.clear()
    every = FeatureExtractor(tiny.TINY, nn.Sequential(*network, nn.Identity()), tiny.IMAGENET)
    every = every.double()
    every.gain.fill_(float("nan"))
    made = stylize_together(every, [pair, pair], asked, seen.append)
    assert all(isinstance(outcome, DivergedError) for outcome in made)
    assert seen == []


def test_every_pair_has_events_of_its_own(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=4, scales=1)
    pairs = three_pairs(extractor, asked)
    seen: list[Sequence[Step]] = []
    stylize_together(extractor, pairs, asked, seen.append)
    for index, pair in enumerate(pairs):
        alone: list[Step] = []
        stylize(extractor, pair, asked, alone.append)
        for steps, step in zip(seen, alone, strict=True):
            assert (steps[index].number, steps[index].done) == (step.number, step.done)
            assert steps[index].loss == pytest.approx(step.loss, rel=1e-3)
            assert set(steps[index].terms) == {"content", "style"}


def test_the_listener_stops_them_all(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=9, scales=1)
    pairs = three_pairs(extractor, asked)
    made = stylize_together(extractor, pairs, asked, lambda steps: steps[0].number == 4)
    for outcome, pair in zip(made, pairs, strict=True):
        assert_same(outcome, stylize(extractor, pair, asked, lambda step: step.number == 4))


def test_contents_of_different_shapes_are_refused(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=2)
    pairs = [scales(extractor, asked, picture(*size)) for size in ((24, 32), (32, 24))]
    with pytest.raises(ValueError, match="different shapes"):
        stylize_together(extractor, pairs, asked)


def test_a_shared_content_is_not_copied(extractor: FeatureExtractor) -> None:
    asked = recipe()
    content = scales(extractor, asked, picture(24, 32))[0].content
    pairs = [scales(extractor, asked, picture(24, 32), picture(seed=n))[0] for n in (1, 2, 3)]
    shared = batched([parts(extractor, content, pair.style, asked) for pair in pairs])
    apart = batched([parts(extractor, pair.content, pair.style, asked) for pair in pairs])
    assert [len(part.target.value) for part in shared if part.term == "content"] == [1]
    assert [len(part.target.value) for part in apart if part.term == "content"] == [3]
    assert all(len(part.target.energy) == 3 for part in [*shared, *apart])


def test_targets_are_stacked_in_order() -> None:
    targets = [Target.of(torch.full((1, 2, 2), float(n))) for n in (1, 2, 3)]
    stacked = Target.stacked(targets)
    assert stacked.energy.tolist() == [4, 16, 36]
    x = torch.zeros(3, 2, 2)
    assert stacked.relative_error(x).tolist() == [1, 1, 1]
    assert stacked.squared_error(x).tolist() == [4, 16, 36]


@pytest.mark.parametrize("steps", [1, 2, 99, 100, 101, 350])
def test_curves_have_a_hundred_points_at_most(extractor: FeatureExtractor, steps: int) -> None:
    seen: list[Step] = []
    pair = scales(extractor, recipe(steps=steps), picture(8, 8), picture(8, 8, seed=1))
    result = stylize(extractor, pair, recipe(steps=steps), seen.append)
    everything = [(step.number, step.loss) for step in seen]
    assert len(result.curve) == min(100, steps)
    assert (result.curve[0], result.curve[-1]) == (everything[0], everything[-1])
    assert set(result.curve) <= set(everything)
    assert sorted(set(result.curve)) == list(result.curve)


@pytest.mark.parametrize("reads", [3, 100])
def test_reading_rarely_changes_no_picture(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    asked = recipe(steps=8, scales=2)
    pairs = three_pairs(extractor, asked)
    expected = stylize_together(extractor, pairs, asked)
    monkeypatch.setattr(descent, "_READ_EVERY", {"cpu": reads})
    for one, other in zip(stylize_together(extractor, pairs, asked), expected, strict=True):
        assert isinstance(one, Result)
        assert isinstance(other, Result)
        assert torch.equal(one.image, other.image)


class FakeGraph:
    """Records the call made while it captures, and makes it again on replay."""

    recorded: Callable[[], None]
    replays = 0

    def replay(self) -> None:
        FakeGraph.replays += 1
        self.recorded()


def fake_cuda(monkeypatch: pytest.MonkeyPatch, refuse: bool = False) -> list[str]:
    """Let the loop believe that the CPU is a GPU whose graphs can (or cannot) be recorded."""
    from nstcli.engine import cuda_graph

    log: list[str] = []

    class Logged(cuda_graph._Replayed):
        def __init__(self, evaluation: Callable[[], None], device: torch.device) -> None:
            def logged() -> None:
                log.append("evaluated")
                if refuse and log[-2:-1] == ["recording"]:
                    raise RuntimeError("operation not permitted when stream is capturing")
                evaluation()

            super().__init__(logged, device)

    @contextmanager
    def graph(recording: FakeGraph, stream: str) -> Any:
        assert stream == "a stream of cpu"
        log.append("recording")
        yield

    def replayed(evaluation: Callable[[], None], device: torch.device) -> Any:
        made = Logged(evaluation, device)
        FakeGraph.recorded = staticmethod(evaluation)  # type: ignore[method-assign, assignment]
        return made

    monkeypatch.setattr(descent, "replayed", replayed)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: f"a stream of {device}")
    FakeGraph.replays = 0
    return log


@pytest.mark.parametrize("refuse", [False, True])
def test_a_recorded_step_is_replayed_and_an_unrecordable_one_is_not(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch, refuse: bool
) -> None:
    asked = recipe(steps=9, optimizer="adam")
    (pair, *_) = three_pairs(extractor, asked)
    expected = stylize(extractor, pair, asked)
    log = fake_cuda(monkeypatch, refuse)
    result = stylize(extractor, pair, asked)
    if refuse:
        assert log == ["evaluated"] * 3 + ["recording"] + ["evaluated"] * 7
        assert FakeGraph.replays == 0
    else:
        # The recording itself computes on a CPU, which it would not on a GPU: one evaluation more.
        assert log == ["evaluated"] * 3 + ["recording", "evaluated"]
        assert FakeGraph.replays == 6
    assert torch.equal(result.image, expected.image)


def test_the_cpu_records_nothing() -> None:
    from nstcli.engine.cuda_graph import replayed

    def evaluation() -> None:
        pass

    assert replayed(evaluation, torch.device("cpu")) is evaluation


def test_the_pace_is_that_of_full_size(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:

    from nstcli.engine import steps

    clock = iter([0, 1, 2, 3, 10, 14, 18, 28, 32])
    monkeypatch.setattr(steps.time, "perf_counter", lambda: next(clock))
    asked = recipe(steps=9, scales=2)
    (pair, *_) = three_pairs(extractor, asked)
    # Four steps at the first scale; at the second, steps of 4, 4, 10 and 4 seconds.
    assert stylize(extractor, pair, asked).pace == (4.0, 1.5)
