"""Real judgements by a judge of the tiny network."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backbones import BackboneError
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.judging import judge_all
from nstcli.images import DEFAULT_MAX_PIXELS
from nstcli.measures import MEASURES
from nstcli.metrics.judge import Judge
from nstcli.plan.pair import Input, Pair
from tests.nstcli.experiments.comparisons import experiment, record
from tests.nstcli.experiments.judges import judge

Write = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path, write_picture: Write) -> Experiment:
    """Two variants; the first left the content as it is, the second painted something else."""
    content, style = write_picture("c.png", seed=1), write_picture("s.png", 20, 28, seed=2)
    found = experiment(tmp_path / "out", "a", "b")
    for number, seed in enumerate((1, 3)):
        variant = found.variants[number]
        name = f"c__s__{variant.name}.png"
        result = write_picture(f"out/{name}", seed=seed)
        found.variants[number] = replace(variant, pairs=(Pair.of(content, style, name),))
        found.records[name] = record(
            output_sha256=found.store.digests.digest(result),
            content_sha256=found.store.digests.digest(content),
            style_sha256=found.store.digests.digest(style),
        )
    return found


def run(found: Experiment, call: Callable[[str], Judge] = judge) -> list[str]:
    return [pair.output for pair in judge_all(found, call, DEFAULT_MAX_PIXELS)]


def test_every_picture_is_judged_once_and_it_is_remembered(made: Experiment) -> None:
    assert run(made) == ["c__s__a.png", "c__s__b.png"]
    unchanged, painted = (made.measured[f"c__s__{name}.png"] for name in "ab")
    assert unchanged.values == unchanged.baselines["content"]
    assert (unchanged.values["lpips"], unchanged.values["ssim"]) == (0.0, pytest.approx(1.0))
    assert painted.values["lpips"] > 0.01
    assert painted.baselines == unchanged.baselines
    assert (painted.judge, painted.witness) == ("vgg16", "mobilenet")
    kept = made.store.measured("c__s__b.png", painted.output_sha256)
    assert kept == painted
    assert made.complete
    assert run(made) == []


def test_without_an_artwork_the_figures_of_the_style_are_left_out(
    made: Experiment, tmp_path: Path
) -> None:
    """Of a style that is a network, of which there may even be a blend."""
    for variant in made.variants:
        (pair,) = variant.pairs
        network = Input("style", tmp_path / "candy.pth")
        changed = replace(pair, inputs=(pair.inputs[0], network, network))
        made.variants[made.variants.index(variant)] = replace(variant, pairs=(changed,))
        known = made.records[pair.output]
        recipe = {**known.recipe, "method": "network"}
        made.records[pair.output] = known.model_copy(update={"recipe": recipe})
    run(made)
    assert made.failures == {}
    painted = made.measured["c__s__b.png"]
    near = {name for name, measure in MEASURES.items() if measure.near == "content"}
    assert set(painted.values) <= near
    assert {"structure", "lpips", "ssim", "content_error"} <= set(painted.values)
    assert painted.baselines.keys() == {"content"}


def test_inputs_are_read_once_for_all_backbones(
    made: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    styles: list[object] = []

    def call(*names: str) -> Judge:
        asked.append(names)
        return judge(*names)

    read = Judge.read_style
    monkeypatch.setattr(Judge, "read_style", lambda *seen: styles.append(1) or read(*seen))

    run(made, call)
    assert (asked, len(styles)) == ([("vgg16", "mobilenet")], 1)


def test_without_its_judge_a_picture_is_not_judged_and_says_so(made: Experiment) -> None:
    def call(name: str, witness: str) -> Judge:
        raise BackboneError("no weights")

    assert len(run(made, call)) == 2
    assert made.failures == {f"c__s__{name}.png": "not judged: no weights" for name in "ab"}
    assert not made.measured
    assert not made.complete


def test_a_content_that_changed_is_not_held_against_the_picture(
    made: Experiment, write_picture: Write
) -> None:
    write_picture("c.png", seed=9)
    run(made)
    assert "changed while" in made.failures["c__s__a.png"]
    assert not made.measured


def test_one_that_cannot_be_judged_leaves_the_others(made: Experiment) -> None:
    (made.store.folder / "c__s__a.png").unlink()
    run(made)
    assert set(made.measured) == {"c__s__b.png"}
    assert "cannot be read" in made.failures["c__s__a.png"]


def test_too_small_a_picture_is_told(made: Experiment, write_picture: Write) -> None:
    small = write_picture("small.png", 4, 32)
    for number, variant in enumerate(made.variants):
        pair = Pair.of(small, variant.pairs[0].path("style"), variant.pairs[0].output)
        made.variants[number] = replace(variant, pairs=(pair,))
        known = made.records[pair.output]
        digest = made.store.digests.digest(small)
        content = known.input("content").model_copy(update={"sha256": digest})
        inputs = (content, known.input("style"))
        made.records[pair.output] = known.model_copy(update={"inputs": inputs})
    run(made)
    assert "too small" in made.failures["c__s__a.png"]
