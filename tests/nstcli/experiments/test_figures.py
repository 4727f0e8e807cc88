from dataclasses import replace
from pathlib import Path

import pytest

from nstcli.experiments.figures import Row, columns, count, rows
from nstcli.measures import MEASURES
from tests.nstcli.experiments.comparisons import experiment, tell

GOOD = {"content_error": 0.3, "style_error": 0.1, "lpips": 0.3, "ssim": 0.7}
BAD = {"content_error": 0.4, "style_error": 0.2, "lpips": 0.4, "ssim": 0.6}


def table(found: list[Row]) -> dict[str, Row]:
    return {f"{row.title} ({row.judge})": row for row in found}


def test_before_anything_is_made_there_are_rows_and_the_parameters_alone(tmp_path: Path) -> None:
    found = rows(experiment(tmp_path, "a", "b"))
    assert [(row.title, row.made, row.pairs) for row in found] == [
        ("a:random", 0, 1),
        ("b:random", 0, 1),
        ("unchanged content", 1, 1),
        ("resized style", 1, 1),
    ]
    assert set(found[0].figures) == {"parameters"}
    assert found[2].figures == {}


def test_best_is_the_lowest_but_for_ssim(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b")
    tell(made, "a", GOOD, seconds=9.0, step_seconds=0.1, peak_memory=2_000_000)
    tell(made, "b", BAD, seconds=1.0, step_seconds=0.2, peak_memory=1_000_000)
    found = table(rows(made))
    assert found["a:random (vgg16)"].best == {
        "parameters", "step_seconds", "content_error", "style_error", "lpips", "ssim",
    }  # fmt: skip
    assert found["b:random (vgg16)"].best == {"parameters", "seconds", "peak_memory"}
    assert found["unchanged content (vgg16)"].best == set()


def test_errors_rank_only_under_one_judge(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "vgg16", "b")
    tell(made, "a", GOOD)
    tell(made, "vgg16", {**GOOD, "content_error": 0.0, "style_error": 0.0, "lpips": 0.2})
    tell(made, "b", BAD)
    found = rows(made)
    assert [(row.title, row.judge) for row in found] == [
        ("a:random", "vgg16"),
        ("b:random", "vgg16"),
        ("unchanged content", "vgg16"),
        ("resized style", "vgg16"),
        ("vgg16:random", "vgg19"),
        ("unchanged content", "vgg19"),
        ("resized style", "vgg19"),
    ]
    assert {"content_error", "style_error"} <= found[0].best
    assert "lpips" not in found[0].best
    assert not {"content_error", "style_error"} & found[4].best
    assert "lpips" in found[4].best


def test_who_looks_equally_good_is(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b")
    tell(made, "a", GOOD)
    tell(made, "b", {**GOOD, "lpips": 0.30001, "ssim": 0.69})
    first, second, *_ = rows(made)
    assert "lpips" in first.best & second.best
    assert "ssim" in first.best - second.best


def test_medians_over_pairs_and_half_the_distance_between_quartiles(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", contents=5)
    for content, lpips in enumerate([0.1, 0.2, 0.3, 0.4, 10.0]):
        tell(made, "a", {"lpips": lpips}, content, seconds=content + 1.0, peak_memory=content + 5,
             step_spread=0.03 if content else 9.0)  # fmt: skip
    (row, *_) = rows(made)
    assert row.figures["lpips"].value == pytest.approx(0.3)
    assert row.figures["lpips"].spread == pytest.approx(0.1)
    assert row.figures["seconds"].value == 3
    assert row.figures["step_seconds"].spread == pytest.approx(0.015)
    assert (row.figures["peak_memory"].value, row.figures["peak_memory"].spread) == (9, 0)


def test_who_lacks_a_pair_ranks_nowhere(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b", contents=2)
    for content in (0, 1):
        tell(made, "b", BAD, content, seconds=5.0)
    tell(made, "a", GOOD, 0, seconds=1.0)
    made.failures["c1__s__a.png"] = "too small"
    first, second, *_ = rows(made)
    assert first.best == {"parameters"}
    assert second.best == {"parameters"}
    assert (first.made, first.pairs, first.error) == (1, 2, "too small")


def test_the_same_seconds_rank_nobody(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b")
    tell(made, "a", GOOD, seconds=1.0)
    tell(made, "b", BAD, seconds=2.0)
    assert "seconds" in rows(made)[0].best
    assert "seconds" not in rows(made, same_seconds=True)[0].best


@pytest.mark.parametrize("other", [{"judge": "vgg19"}, {"witness": ""}, {"witness": "alexnet"}])
def test_the_judgement_of_others_does_not_count(tmp_path: Path, other: dict[str, str]) -> None:
    made = experiment(tmp_path, "a")
    tell(made, "a", GOOD)
    assert made.complete
    output = "c0__s__a.png"
    made.measured[output] = made.measured[output].model_copy(update=other)
    assert "lpips" not in rows(made)[0].figures
    assert [pair.output for _, pair in made.unjudged()["vgg16"]] == [output]
    assert not made.complete


def test_a_witness_that_began_to_paint_is_one_no_longer(tmp_path: Path) -> None:
    made = experiment(tmp_path, "vgg19", "mobilenet")
    tell(made, "vgg19", GOOD)
    assert made.witness == "squeezenet"
    assert made.measured["c0__s__vgg19.png"].witness == "squeezenet"
    assert not made.unjudged()
    alone = experiment(tmp_path, "vgg19")
    alone.records, alone.measured = made.records, made.measured
    assert alone.witness == "mobilenet"
    assert list(alone.unjudged()) == ["vgg16"]


def test_every_measure_is_a_column_with_its_direction(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b")
    tell(made, "a", dict.fromkeys(MEASURES, 0.3))
    tell(made, "b", dict.fromkeys(MEASURES, 0.4))
    first, second, *_ = rows(made)
    for key, measure in MEASURES.items():
        assert key in (first if measure.best is min else second).best
        (column,) = [each for each in columns([first]) if each.key == key]
        assert (column.heading, column.better) == (measure.heading, measure.best)


def test_steps_are_a_column_only_where_they_differ(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b")
    tell(made, "a", GOOD, steps=10)
    tell(made, "b", BAD, steps=10)
    assert "steps" not in [column.key for column in columns(rows(made))]
    tell(made, "b", BAD, steps=11)
    assert "steps" in [column.key for column in columns(rows(made))]


def test_an_entry_that_cannot_go_on_says_why(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b")
    made.variants[0] = replace(made.variants[0], error="no weights")
    assert [row.error for row in rows(made)] == ["no weights", "", "", ""]
    assert not made.complete


@pytest.mark.parametrize(("value", "text"), [(12_944_960, "12.94 M"), (336_320, "336 k"), (9, "9")])
def test_counts_are_readable(value: int, text: str) -> None:
    assert count(value) == text
