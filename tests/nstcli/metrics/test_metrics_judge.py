"""The judge: what it reads, what it compares, and the two baselines."""

import math
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import backbones
from backbones import BackboneError
from nstcli.engine.stylize import Result
from nstcli.measures import MEASURES, Metrics
from nstcli.metrics.judge import Judge, JudgedPair
from nstcli.metrics.judgement import judge_of, witness_of
from nstcli.metrics.relative import style_error
from tests.nstcli.engine import scene
from tests.nstcli.engine.scene import CONTENT, OTHER, STYLE, picture
from tests.nstcli.metrics.tiny_judge import judge, network, noisy, of, perceptual


def result(asked_extractor: object) -> Result:
    return scene.paint(asked_extractor, scene.recipe(steps=3))  # type: ignore[arg-type]


def test_nobody_judges_himself() -> None:
    assert {name: judge_of(name) for name in backbones.names()} == {
        "vgg19": "vgg16",
        "vgg16": "vgg19",
        "squeezenet": "vgg16",
        "mobilenet": "vgg16",
    } | {name: "vgg16" for name in backbones.names() if name == "tiny"}
    assert judge_of("a plugin") == "vgg16"


def test_a_witness_painted_nothing() -> None:
    assert witness_of({"vgg19", "vgg16"}) == "mobilenet"
    assert witness_of({"mobilenet"}) == "squeezenet"
    assert witness_of({"vgg16", "squeezenet"}) == "mobilenet"
    assert witness_of(backbones.names()) == "alexnet"


def test_choice_and_record_do_not_import_torch() -> None:
    code = (
        "import sys, nstcli.metrics.judgement, nstcli.measures\n"
        "assert not {'torch', 'skimage', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_errors_are_those_that_the_engine_reports() -> None:
    extractor = network()
    made = result(extractor)
    metrics = judge().pair(CONTENT, STYLE).measure(made.image)
    assert metrics.content_error == pytest.approx(made.content_error, rel=1e-4)
    assert metrics.style_error == pytest.approx(made.style_error, rel=1e-4)
    before = judge().pair(CONTENT, STYLE).content
    assert before.style_error == pytest.approx(made.style_error_before, rel=1e-4)


def test_layers_count_by_their_relative_weights() -> None:
    content, style, made = judge().read(CONTENT), judge().read_style(STYLE), judge().read(OTHER)
    first, second = (style_error(made, content, style, {name: 5.0}) for name in ("relu1", "relu3"))
    assert first != pytest.approx(second)
    mixed = style_error(made, content, style, {"relu1": 3.0, "relu3": 1.0})
    assert mixed == pytest.approx((3 * first + second) / 4)


def test_the_unchanged_content_keeps_everything() -> None:
    pair = judge().pair(CONTENT, STYLE)
    content = pair.content
    for name in NEAR_CONTENT:
        kept = 1 if MEASURES[name].best is max else 0
        assert getattr(content, name) == pytest.approx(kept, abs=1e-6)
    assert min(getattr(content, name) for name in NEAR_STYLE) > 0.01
    assert figures(pair.measure(CONTENT)) == figures(content)


def test_the_style_in_the_content_s_shape_has_all_of_it() -> None:
    fitting = picture(24, 32, seed=1)
    style = judge().pair(CONTENT, fitting).style
    for name in NEAR_STYLE:
        assert getattr(style, name) == pytest.approx(0, abs=1e-4 if name == "color" else 1e-9)
    for name in NEAR_CONTENT:
        found = getattr(style, name)
        assert found < 0.9 if MEASURES[name].best is max else found > 0.01


def test_the_style_is_resized_to_cover_and_cut() -> None:
    """Twice as large with two stripes beside its middle: what is left is that middle."""
    wide = torch.zeros(1, 3, 48, 96)
    wide[..., 16:80] = picture(48, 64, seed=1)
    pair = judge().pair(CONTENT, wide)
    middle = torch.nn.functional.interpolate(wide, (24, 48), mode="bicubic", antialias=True).clamp(
        0, 1
    )[..., 8:40]
    assert pair.style == pair.measure(middle.contiguous())


def test_a_comparison_holds_all_three() -> None:
    pair = judge().pair(CONTENT, STYLE)
    comparison = pair.compare(OTHER)
    assert comparison.picture == pair.measure(OTHER)
    assert (comparison.content, comparison.style) == (pair.content, pair.style)
    assert len({comparison.picture, comparison.content, comparison.style}) == 3


def test_each_image_is_looked_at_once() -> None:
    counting = judge()
    passes: list[object] = []
    counting.extractor.network.register_forward_pre_hook(lambda *_: passes.append(1))
    pair = counting.pair(CONTENT, STYLE)
    assert len(passes) == 2
    pair.compare(OTHER)  # the picture and the resized style
    assert len(passes) == 4
    pair.compare(OTHER)
    assert len(passes) == 5
    content, style = counting.read(CONTENT), counting.read_style(STYLE)
    passes.clear()
    again = JudgedPair(counting, content, style)
    assert not passes
    assert again.measure(OTHER) == pair.measure(OTHER)


def test_each_network_has_its_figures() -> None:
    """Another judge changes its figures; LPIPS and those of the witness stay what they are."""
    one = judge().pair(CONTENT, STYLE).measure(OTHER)
    other = of(network(seed=1), network(), perceptual(network()))
    own = other.pair(CONTENT, STYLE).measure(OTHER)
    for name in ("lpips", "lpips_alex", "dists", "structure", "sliced"):
        assert getattr(own, name) == pytest.approx(getattr(one, name))
    assert (own.ssim, own.color, own.edges) == (one.ssim, one.color, one.edges)
    assert own.content_error != pytest.approx(one.content_error)
    assert own.frechet != pytest.approx(one.frechet)
    assert own.local_style_error != pytest.approx(one.local_style_error)


NEAR_CONTENT, NEAR_STYLE = (
    # There is no face in these pictures.
    [name for name, each in MEASURES.items() if each.near == near and name != "faces"]
    for near in ("content", "style")
)


def figures(metrics: Metrics) -> dict[str, float]:
    """Return all that these pictures have."""
    return {name: value for name, value in asdict(metrics).items() if name != "faces"}


@pytest.mark.parametrize("name", NEAR_CONTENT)
def test_what_is_compared_with_the_content_worsens_with_noise(name: str) -> None:
    pair = judge().pair(CONTENT, STYLE)
    found = [getattr(pair.measure(noisy(CONTENT, x)), name) for x in (0, 0.03, 0.1, 0.3)]
    assert found == sorted(found, reverse=MEASURES[name].best is max)
    assert len(set(found)) == 4


@pytest.mark.parametrize("name", NEAR_STYLE)
def test_what_is_compared_with_the_style_worsens_with_noise(name: str) -> None:
    pair = judge().pair(CONTENT, CONTENT)
    found = [getattr(pair.measure(noisy(CONTENT, x)), name) for x in (0, 0.03, 0.1, 0.3)]
    assert found == sorted(found)
    assert len(set(found)) == 4


@given(st.integers(8, 40), st.integers(8, 40), st.integers(8, 40), st.integers(8, 40))
def test_pictures_of_any_size(height: int, width: int, style_h: int, style_w: int) -> None:
    content, style = picture(height, width, seed=0), picture(style_h, style_w, seed=1)
    comparison = judge().pair(content, style).compare(picture(height, width, seed=2))
    for metrics in (comparison.picture, comparison.content, comparison.style):
        assert all(math.isfinite(value) for value in figures(metrics).values())
        errors = {n: value for n, value in figures(metrics).items() if MEASURES[n].best is min}
        assert min(errors.values()) >= 0


@pytest.mark.parametrize("black", ["picture", "content", "style"])
def test_black_images_give_numbers(black: str) -> None:
    images: dict[str, Tensor] = {"picture": OTHER, "content": CONTENT, "style": STYLE}
    images[black] = torch.zeros_like(images[black])
    metrics = judge().pair(images["content"], images["style"]).measure(images["picture"])
    assert all(math.isfinite(value) for value in figures(metrics).values())


def test_gradients_are_not_kept() -> None:
    content = CONTENT.clone().requires_grad_()
    reading = judge().read(content)
    assert not any(found.requires_grad for found in reading.content.statistics.values())
    assert isinstance(judge().pair(CONTENT, STYLE).measure(content), Metrics)


@pytest.mark.parametrize("shape", [(24, 31), (32, 24)])
def test_a_picture_of_another_shape(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"picture is .* its content \(1, 3, 24, 32\)"):
        judge().pair(CONTENT, STYLE).measure(picture(*shape))


@pytest.mark.parametrize("shape", [(3, 24, 32), (2, 3, 24, 32), (1, 1, 24, 32)])
def test_no_picture_at_all(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"is \(1, 3, H, W\)"):
        judge().read(torch.zeros(shape))


def test_too_small() -> None:
    with pytest.raises(BackboneError, match="at least 8 px"):
        judge().pair(picture(7, 30), STYLE)
    with pytest.raises(BackboneError, match="at least 8 px"):
        judge().pair(CONTENT, picture(30, 7))


def test_unknown_judge() -> None:
    with pytest.raises(BackboneError, match="unknown backbone 'vgg61'"):
        Judge.load("vgg61", offline=True)
