import csv
import io
import json
from dataclasses import replace
from pathlib import Path

from nstcli.experiments.experiment import Experiment
from nstcli.experiments.exports import as_csv, as_json, as_markdown
from nstcli.experiments.figures import rows
from nstcli.measures import MEASURES
from nstcli.plan.pair import Pair
from tests.nstcli.experiments.comparisons import experiment, tell

GOOD = {"content_error": 0.3, "style_error": 0.1, "lpips": 0.3, "ssim": 0.7, "color": 5.0}


def some(folder: Path) -> Experiment:
    made = experiment(folder, "a", "b")
    tell(made, "a", GOOD, seconds=1.0, loss=float("inf"))
    made.failures["c0__s__b.png"] = "too | small"
    return made


def test_json_has_the_table_and_every_picture(tmp_path: Path) -> None:
    made = some(tmp_path)
    document = json.loads(as_json(made, rows(made), {"cpu": "fast"}, 5.0))
    assert (document["machine"], document["time_budget"]) == ({"cpu": "fast"}, 5.0)
    assert [row["title"] for row in document["rows"]] == [
        "a:random", "b:random", "unchanged content", "resized style",
    ]  # fmt: skip
    assert list(document["measures"]) == list(MEASURES)
    ssim = document["measures"]["ssim"]
    assert (ssim["heading"], ssim["near"], ssim["best"]) == ("SSIM", "content", "highest")
    assert ssim["cannot"].startswith("anything of colour")
    assert document["rows"][0]["figures"]["lpips"] == {"value": 0.3, "spread": 0.0}
    first, second = document["pictures"]
    assert (first["backbone"], first["weight_set"], first["judge"]) == ("a", "random", "vgg16")
    assert (first["lpips"], first["step_spread"], first["parameters"]) == (0.3, 0.02, 1000)
    assert first["baselines"]["content"]["ssim"] == 1.0
    assert (second["error"], second["baselines"]) == ("too | small", {})


def test_csv_has_a_line_for_every_pair_of_every_backbone(tmp_path: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(some(tmp_path)))))
    assert [line["backbone"] for line in lines] == ["a", "b"]
    for name in MEASURES:
        assert {name, f"content_baseline_{name}", f"style_baseline_{name}"} <= set(lines[0])
    assert (lines[0]["judge"], lines[0]["witness"]) == ("vgg16", "mobilenet")
    assert (lines[0]["style_error"], lines[0]["error"]) == ("0.1", "")
    assert (lines[0]["content_baseline_style_error"], lines[0]["style_baseline_lpips"]) == (
        "0.9",
        "0.8",
    )
    assert (lines[1]["style_error"], lines[1]["error"]) == ("", "too | small")


def test_csv_leaves_out_measures_of_another_version(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a")
    tell(made, "a", {**GOOD, "beauty": 0.5})
    known = made.measured["c0__s__a.png"]
    baselines = {**known.baselines, "noise": GOOD}
    made.measured["c0__s__a.png"] = known.model_copy(update={"baselines": baselines})
    (line,) = csv.DictReader(io.StringIO(as_csv(made)))
    assert line["color"] == "5.0"
    assert not {"beauty", "noise_baseline_color"} & set(line)


def test_csv_quotes_hostile_names(tmp_path: Path) -> None:
    made = some(tmp_path)
    pair = Pair.of(Path('a,"b\n.png'), Path("s.png"), "c0__s__a.png")
    made.variants[0] = replace(made.variants[0], pairs=(pair,))
    (line, _) = csv.DictReader(io.StringIO(as_csv(made)))
    assert line["content"] == 'a,"b\n.png'


def test_markdown_is_a_table_with_the_best_in_bold(tmp_path: Path) -> None:
    made = experiment(tmp_path, "a", "b")
    tell(made, "a", GOOD)
    tell(made, "b", {**GOOD, "lpips": 0.4})
    lines = as_markdown("cat_1 × ink|2", rows(made), ["How to read it."]).splitlines()
    assert lines[0] == r"cat\_1 × ink\|2"
    head, rule, first, second, *_ = lines[2:]
    assert head.count("|") == rule.count("|") == first.count("|") == second.count("|")
    assert head.startswith("| backbone | seconds | ms per step |")
    assert "| **0.300** |" in first
    assert "| 0.400 |" in second
    assert "100.0 ± 10.0" in first
    assert "How to read it." in "\n".join(lines)


def test_markdown_says_what_failed(tmp_path: Path) -> None:
    made = some(tmp_path)
    assert r"b:random: too \| small" in as_markdown("", rows(made), [])
