"""The loop from end to end on the tiny backbone: what it promises of its result and its events."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from backbones.hooks import FeatureExtractor
from nstcli.engine.init import STARTS
from nstcli.engine.losses import distances_of
from nstcli.engine.objective import evaluate, parts
from nstcli.engine.pyramid import resized
from nstcli.engine.steps import Step
from nstcli.engine.stylize import stylize
from nstcli.engine.targets import read_content
from nstcli.optimizers import OPTIMIZERS
from nstcli.recipe import Recipe
from tests import tiny
from tests.nstcli.engine.scene import CONTENT, OTHER, STYLE, paint, picture, recipe, scales, watch

# An independent account of the losses, from the weights up.


def activations(image: Tensor) -> dict[str, Tensor]:
    network = tiny.build()
    network.load_state_dict(tiny.random_state())
    assert isinstance(network, nn.Sequential)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    x, found = (image - mean) / std, {}
    for layer, each in zip(tiny.TINY.layers, network, strict=True):
        x = each(x)
        found[layer.name] = x.detach().clone()  # before the next one works in place
    return found


def content_error(image: Tensor, layers: Mapping[str, float], content: Tensor = CONTENT) -> float:
    x, p = activations(image), activations(content)
    errors = {
        name: ((x[name] - p[name]).square().sum() / p[name].square().sum()).item()
        for name in layers
    }
    return sum(weight * errors[name] for name, weight in layers.items()) / sum(layers.values())


def style_error(image: Tensor, layers: Mapping[str, float], style: Tensor = STYLE) -> float:
    x, s = activations(image), activations(style)
    total = 0.0
    for name, weight in layers.items():
        f, p = x[name].flatten(2)[0].double(), s[name].flatten(2)[0].double()
        g, a = f @ f.T / f.shape[1], p @ p.T / p.shape[1]
        total += weight * ((g - a).square().sum() / a.square().sum()).item()
    return total / sum(layers.values())


def variation(image: Tensor) -> float:
    right, down = image.diff(dim=3).flatten(), image.diff(dim=2).flatten()
    return torch.cat([right, down]).square().mean().item()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("loss", distances_of("content"))
def test_loss_falls(extractor: FeatureExtractor, optimizer: str, init: str, loss: str) -> None:
    asked = recipe(steps=25, optimizer=optimizer, init=init, loss=loss)
    result, steps = watch(extractor, asked)
    # From the style itself, the style is lost before the content is found: less is to be won.
    assert result.loss < (0.95 if init == "style" else 0.5) * steps[0].loss
    assert result.image.shape == CONTENT.shape
    assert result.image.min() >= 0
    assert result.image.max() <= 1
    assert not result.image.requires_grad
    if init == "content":
        assert result.style_error < 0.5 * result.style_error_before


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_first_event_is_the_loss_of_the_start(extractor: FeatureExtractor, optimizer: str) -> None:
    asked = recipe(
        optimizer=optimizer,
        content_weight=2,
        style_weight=30,
        tv_weight=5,
        content_layers="relu2=1,conv3=3",
        style_layers="relu1=1,relu3=4",
        init="style",
        steps=1,
    )
    _, (first,) = watch(extractor, asked, style=OTHER)
    content = content_error(OTHER, {"relu2": 1, "conv3": 3})
    assert first.terms == {
        "content": pytest.approx(content, rel=1e-4),
        "style": pytest.approx(0, abs=1e-6),
        "tv": pytest.approx(variation(OTHER), rel=1e-4),
    }
    assert first.loss == pytest.approx(2 * content + 5 * variation(OTHER), rel=1e-4)


def test_events_are_numbered_and_add_up(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=7, content_weight=2, style_weight=30, tv_weight=5, init="noise")
    result, steps = watch(extractor, asked)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6, 7]
    assert {step.steps for step in steps} == {7}
    for step in steps:
        terms = step.terms
        expected = 2 * terms["content"] + 30 * terms["style"] + 5 * terms["tv"]
        assert step.loss == pytest.approx(expected, rel=1e-5)
        assert all(type(value) is float for value in (step.loss, *terms.values()))
    assert len({step.loss for step in steps}) == 7
    assert result.loss <= min(step.loss for step in steps)


def test_one_evaluation_a_step_and_one_for_the_last_picture(extractor: FeatureExtractor) -> None:
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    asked = recipe(steps=9)
    (scale,) = scales(extractor, asked)
    extractor.register_forward_hook(count)
    stylize(extractor, [scale], asked)
    assert calls == 9 + 1 + 1  # and one for the error figures


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_same_seed_same_pixels(extractor: FeatureExtractor, optimizer: str) -> None:
    asked = recipe(steps=6, init="noise", seed=3, optimizer=optimizer)
    first = paint(extractor, asked)
    torch.manual_seed(99)
    again = paint(extractor, asked)
    assert torch.equal(first.image, again.image)
    assert first.loss == again.loss
    other = paint(extractor, replace(asked, seed=4))
    assert not torch.equal(first.image, other.image)


def test_images_and_features_given_are_left_alone(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=3)
    (scale,) = scales(extractor, asked, CONTENT.clone(), STYLE.clone())
    stylize(extractor, [scale], asked)
    content = scale.content
    assert torch.equal(content.image, CONTENT)
    assert torch.equal(scale.style.image, STYLE)
    again = read_content(extractor, CONTENT, asked)
    for place, value in again.statistics.items():
        assert torch.equal(content.statistics[place], value)


@dataclass
class Scripted:
    """An optimizer that evaluates as the real ones do, and then shows the next of its pictures."""

    image: Tensor
    pictures: list[Tensor]

    def step(self, closure: Callable[[], Any]) -> None:
        closure()
        with torch.no_grad():
            self.image.copy_(self.pictures.pop(0))


def script(monkeypatch: pytest.MonkeyPatch, pictures: list[Tensor]) -> Recipe:
    """Make a recipe whose pictures are the given ones, starting from noise, content term only."""
    scripted: Any = lambda image, *_: Scripted(image, pictures[:])  # noqa: E731
    monkeypatch.setattr("nstcli.engine.descent.build", scripted)
    return recipe(
        optimizer="adam", steps=len(pictures), init="noise", content_weight=1, style_weight=0
    )


@pytest.mark.parametrize("order", list(itertools.permutations((0.02, 0.05, 0.1))))
def test_result_is_the_best_of_all_pictures(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch, order: tuple[float, ...]
) -> None:
    pictures = [CONTENT + distance * (OTHER - CONTENT) for distance in order]
    asked = script(monkeypatch, pictures)
    result = paint(extractor, asked)
    best = pictures[order.index(0.02)]
    assert torch.equal(result.image, best)
    assert result.loss == pytest.approx(content_error(best, {"relu2": 1}), rel=1e-4)


def test_start_may_be_the_best(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(script(monkeypatch, [OTHER, OTHER]), init="content")
    result = paint(extractor, asked)
    assert torch.equal(result.image, CONTENT)
    assert result.loss == 0


@pytest.mark.parametrize("loss", distances_of("content"))
def test_error_figures_are_relative_under_every_convention(
    extractor: FeatureExtractor, loss: str
) -> None:
    content_layers, style_layers = {"relu2": 1.0, "conv3": 0.5}, {"relu1": 1.0, "relu3": 3.0}
    asked = recipe(
        steps=5, loss=loss, content_layers="relu2,conv3=.5", style_layers="relu1,relu3=3"
    )
    result = paint(extractor, asked)
    assert result.content_error == pytest.approx(
        content_error(result.image, content_layers), rel=1e-3
    )
    assert result.style_error == pytest.approx(style_error(result.image, style_layers), rel=1e-3)
    assert result.style_error_before == pytest.approx(style_error(CONTENT, style_layers), rel=1e-3)
    assert 0 < result.style_error < result.style_error_before
    assert result.content_error > 0


def test_loss_reported_is_that_of_the_picture_returned(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=8, content_weight=3, style_weight=50, tv_weight=2)
    result = paint(extractor, asked)
    expected = (
        3 * content_error(result.image, tiny.TINY.content_layers)
        + 50 * style_error(result.image, tiny.TINY.style_layers)
        + 2 * variation(result.image)
    )
    assert result.loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("term", ["content", "style", "tv"])
def test_weight_of_zero_switches_a_term_off(extractor: FeatureExtractor, term: str) -> None:
    weights = {"content_weight": 1.0, "style_weight": 100.0, "tv_weight": 1.0}
    asked = recipe(steps=4, init="noise", **{**weights, f"{term}_weight": 0.0})
    result, steps = watch(extractor, asked)
    assert set(steps[0].terms) == {"content", "style", "tv"} - {term}
    if term == "content":
        other = paint(extractor, asked, content=OTHER)
    elif term == "style":
        other = paint(extractor, asked, style=OTHER)
    else:
        return
    assert torch.equal(result.image, other.image)
    assert (result.content_error, result.style_error) != (other.content_error, other.style_error)


def test_both_pictures_matter(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=3, init="noise")
    image = paint(extractor, asked).image
    assert not torch.equal(image, paint(extractor, asked, content=OTHER).image)
    assert not torch.equal(image, paint(extractor, asked, style=OTHER).image)


@pytest.mark.parametrize("tv", ["l1", "l2"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_total_variation_alone_flattens(
    extractor: FeatureExtractor, optimizer: str, tv: str
) -> None:
    asked = recipe(
        steps=40, optimizer=optimizer, content_weight=0, style_weight=0, tv_weight=1, tv=tv
    )
    result, steps = watch(extractor, asked)
    assert set(steps[0].terms) == {"tv"}
    assert variation(result.image) < 0.1 * variation(CONTENT)


@pytest.mark.parametrize("loss", distances_of("content"))
def test_norm_of_total_variation(extractor: FeatureExtractor, loss: str) -> None:
    choices = {"steps": 1, "loss": loss, "content_weight": 0, "style_weight": 0, "tv_weight": 2}
    _, (squared,) = watch(extractor, recipe(tv="l2", **choices))
    _, (absolute,) = watch(extractor, recipe(tv="l1", **choices))
    right, down = CONTENT.diff(dim=3).flatten(), CONTENT.diff(dim=2).flatten()
    differences = torch.cat([right, down])
    expected = differences.square().sum() if loss == "sum" else differences.square().mean()
    assert squared.terms["tv"] == pytest.approx(expected.item(), rel=1e-4)
    assert squared.loss == pytest.approx(2 * expected.item(), rel=1e-4)
    assert absolute.terms["tv"] == pytest.approx(differences.abs().mean().item(), rel=1e-4)


class StopHereError(Exception):
    pass


def test_what_the_listener_raises_passes_through(extractor: FeatureExtractor) -> None:
    seen: list[int] = []

    def stop(step: Step) -> None:
        seen.append(step.number)
        if step.number == 3:
            raise StopHereError

    with pytest.raises(StopHereError):
        paint(extractor, recipe(steps=9), stop)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("term", ["content", "style"])
def test_layer_weights_matter_by_their_ratio(extractor: FeatureExtractor, term: str) -> None:
    def made(layers: str) -> Tensor:
        return paint(extractor, recipe(steps=3, init="noise", **{f"{term}_layers": layers})).image

    equal = made("relu1=1,relu3=1")
    assert torch.equal(equal, made("relu1=4,relu3=4"))
    assert not torch.allclose(equal, made("relu1=1,relu3=4"), atol=1e-3)
    assert not torch.allclose(equal, made("relu1=1"), atol=1e-3)


def test_recipes_differ_in_their_pictures(extractor: FeatureExtractor) -> None:
    choices: list[dict[str, Any]] = [
        *({"loss": loss, "style_weight": 1000.0} for loss in distances_of("content")),
        *({"init": init} for init in ("noise", "style")),
        {"optimizer": "adam"},
        {"tv_weight": 50.0},
        {"style_weight": 1.0},
        {"content_weight": 50.0},
    ]
    made = [paint(extractor, recipe(steps=4, **choice)).image for choice in choices]
    for one, other in itertools.combinations(made, 2):
        assert not torch.equal(one, other)


def test_black_pictures_are_no_obstacle(extractor: FeatureExtractor) -> None:
    black = torch.zeros_like(CONTENT)
    for pair in ({"content": black}, {"style": black}, {"content": black, "style": black}):
        result = paint(extractor, recipe(steps=3, init="noise"), **pair)
        assert result.image.isfinite().all()
        assert (
            torch.tensor([result.loss, result.content_error, result.style_error]).isfinite().all()
        )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_size_of_all_weights_together_does_not_matter(
    extractor: FeatureExtractor, optimizer: str
) -> None:
    def made(factor: float) -> Tensor:
        weights = {"content_weight": factor, "style_weight": 100 * factor}
        return paint(extractor, recipe(steps=15, optimizer=optimizer, **weights)).image

    torch.testing.assert_close(made(1e-4), made(1.0), rtol=0, atol=1e-3)


def test_the_listener_can_stop_and_keep_the_best(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=30)
    result = paint(extractor, asked, lambda step: step.number == 4)
    assert (result.stopped, result.steps) == (True, 4)
    # The picture after step 4 is that before step 5 of the undisturbed run.
    _, steps = watch(extractor, asked)
    assert result.loss == pytest.approx(min(step.loss for step in steps[:5]), rel=1e-5)


def test_a_scale_ends_when_progress_falls_below_the_tolerance(extractor: FeatureExtractor) -> None:
    every = paint(extractor, recipe(steps=200))
    assert (every.stopped, every.steps) == (False, 200)
    patient = paint(extractor, recipe(steps=200, tolerance=0.1))
    hasty = paint(extractor, recipe(steps=200, tolerance=0.5))
    assert hasty.steps < patient.steps < 200
    assert every.loss < patient.loss < hasty.loss


def test_from_coarse_to_fine(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=9, scales=2, init="noise")
    content, style = picture(40, 48, seed=1), picture(32, 36, seed=2)
    both = scales(extractor, asked, content, style)
    assert [tuple(scale.content.image.shape[-2:]) for scale in both] == [(20, 24), (40, 48)]
    assert [tuple(scale.style.image.shape[-2:]) for scale in both] == [(16, 18), (32, 36)]
    events: list[Step] = []
    result = stylize(extractor, both, asked, lambda step: events.append(step))
    assert result.image.shape == content.shape
    assert [event.number for event in events] == list(range(1, 10))
    # Four steps at a quarter of the cost, five at the full one.
    work = [*(n / 4 for n in range(1, 5)), *(1 + n for n in range(1, 6))]
    assert [event.done for event in events] == pytest.approx([w / 6 for w in work])
    # The finer scale starts from what the coarser one ended with.
    coarse = stylize(extractor, both[:1], replace(asked, steps=4))
    carried = resized(coarse.image, 40, 48)
    terms = evaluate(extractor, carried, parts(extractor, both[1].content, both[1].style, asked))
    assert events[4].terms == {name: pytest.approx(term.item()) for name, term in terms.items()}


def test_stopped_at_a_coarse_scale_the_picture_still_has_its_size(
    extractor: FeatureExtractor,
) -> None:
    asked = recipe(steps=9, scales=2)
    content = picture(40, 48, seed=1)
    both = scales(extractor, asked, content, picture(32, 36, seed=2))
    result = stylize(extractor, both, asked, lambda step: step.number == 2)
    assert (result.stopped, result.steps) == (True, 2)
    assert result.image.shape == content.shape
    # Its loss is that of this picture, whatever that of the small one was.
    expected = result.content_error + 30 * result.style_error
    assert result.loss == pytest.approx(expected, rel=1e-4)


def test_a_stop_that_comes_with_the_last_step_stops_nothing(extractor: FeatureExtractor) -> None:
    asked = recipe(steps=6, scales=2)
    both = scales(extractor, asked, picture(40, 48, seed=1), picture(32, 36, seed=2))
    result = stylize(extractor, both, asked, lambda step: step.number == 6)
    assert (result.stopped, result.steps) == (False, 6)
    assert torch.equal(result.image, stylize(extractor, both, asked).image)
    # The last of a coarse scale is not the last of all.
    assert stylize(extractor, both, asked, lambda step: step.number == 3).stopped


def test_a_scale_that_would_get_no_step_is_left_out(extractor: FeatureExtractor) -> None:
    content, style = picture(40, 48, seed=1), picture(32, 36, seed=2)
    asked = recipe(steps=1, scales=2)
    result = stylize(extractor, scales(extractor, asked, content, style), asked)
    alone = stylize(extractor, scales(extractor, asked, content, style)[-1:], asked)
    assert torch.equal(result.image, alone.image)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_gives_its_picture_at_full_size_to_whoever_asks(
    extractor: FeatureExtractor, optimizer: str
) -> None:
    """Asking changes nothing, and what was given is nobody else's."""
    asked = recipe(steps=6, scales=2, optimizer=optimizer)
    pictures: list[Tensor] = []

    def ask(step: Step) -> None:
        assert step.picture is not None
        pictures.append(step.picture())
        step.picture().zero_()

    result = paint(extractor, asked, ask)
    assert torch.equal(result.image, paint(extractor, asked).image)
    assert {picture.shape for picture in pictures} == {result.image.shape}
    assert all(not torch.equal(one, other) for one, other in itertools.pairwise(pictures))
    assert not any(picture.requires_grad for picture in pictures)
