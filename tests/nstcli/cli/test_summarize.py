"""`nst summarize` from outside, of an experiment by the tiny backbone and a twin of it."""

import csv
from importlib.util import find_spec
from pathlib import Path

import pytest
from torch import Tensor

from nstcli.experiments import judging, summary_plots
from nstcli.metrics.judge import JudgedPair
from nstcli.metrics.judgement import Comparison
from tests.nstcli.cli.conftest import Nst
from tests.nstcli.experiments.judges import judge

pytestmark = pytest.mark.usefixtures("folders", "twin")

FILE = """
content = "photos"
style = "art"
size = 32
steps = 3
[sweep]
style-weight = [3, 30]
model = ["tiny", "twin"]
"""


@pytest.fixture
def made(nst: Nst, tmp_path: Path) -> Nst:
    """Make the experiment."""
    (tmp_path / "x.toml").write_text(FILE)
    assert nst("run", "x.toml", "-o", "out", "-q").code == 0
    return nst


def lines(place: str = "out/summary") -> list[dict[str, str]]:
    return list(csv.DictReader(Path(place, "summary.csv").read_text("utf-8").splitlines()))


def test_an_experiment_is_summarized_in_a_folder_of_its_own(made: Nst) -> None:
    ended = made("summarize", "out")
    assert ended.code == 0, ended.err
    assert "16 pictures under 4 settings" in ended.err
    assert len(lines()) == len(list(Path("out/summary/pictures").iterdir())) == 16
    assert {line["judge"] for line in lines()} == {""}
    told = ended.out.split()
    assert told[:5] == [
        f"out/summary/{name}"
        for name in ("pictures", "summary.json", "summary.csv", "summary.md", "sheet.png")
    ]
    assert made("status", "out").code == 0
    assert "Done: 16 cached" in made("run", "x.toml", "-o", "out").err
    assert made("summarize", "out", "-o", "other").code == 0
    assert len(lines("other")) == 16


def test_pictures_are_judged_once_where_that_is_asked_for(
    made: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "load_judge", judge)
    ended = made("summarize", "out", "--judge")
    assert ended.code == 0, ended.err
    assert "judging 16 pictures" in ended.err
    assert {line["judge"] for line in lines()} == {"vgg16"}
    assert all(float(line["style_error"]) >= 0 for line in lines())
    again = made("summarize", "out", "--judge")
    assert "judging" not in again.err


def test_what_cannot_be_judged_is_told_and_the_rest_summarized(
    made: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "load_judge", judge)
    Path("photos/cat.png").unlink()
    ended = made("summarize", "out", "--judge")
    assert ended.code == 1
    assert "not judged" in ended.err
    assert len([line for line in lines() if line["judge"]]) == 8


def test_judging_goes_on_where_it_was_interrupted(
    made: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare, calls = JudgedPair.compare, iter(range(100))

    def interrupted(pair: JudgedPair, picture: Tensor) -> Comparison:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return compare(pair, picture)

    monkeypatch.setattr(judging, "load_judge", judge)
    monkeypatch.setattr(JudgedPair, "compare", interrupted)
    ended = made("summarize", "out", "--judge")
    assert (ended.code, "Re-run the same command" in ended.err) == (130, True)
    assert "judging 13 pictures" in made("summarize", "out", "--judge").err


def test_without_matplotlib_plots_are_missed_and_the_extra_is_named(
    made: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary_plots, "find_spec", lambda name: None)
    ended = made("summarize", "out")
    assert (ended.code, "nstcli[plots]" in ended.err) == (0, True)
    assert not Path("out/summary/plots").exists()
    ended = made("summarize", "out", "-o", "other", "--plots")
    assert (ended.code, "pip install 'nstcli[plots]'" in ended.err) == (2, True)
    assert not Path("other").exists()


@pytest.mark.skipif(not find_spec("matplotlib"), reason="matplotlib is not installed")
def test_plots_are_drawn_unless_they_are_not_wanted(made: Nst) -> None:
    assert made("summarize", "out", "--no-plots").code == 0
    assert not Path("out/summary/plots").exists()
    ended = made("summarize", "out")
    assert ended.out.split()[-1] == "out/summary/plots"
    assert {path.name for path in Path("out/summary/plots").iterdir()} == {
        f"over-{key}.{kind}" for key in ("style-weight", "model") for kind in ("svg", "png")
    }


def test_a_folder_without_results_is_refused(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert nst("summarize", "nowhere").code == 2
    ended = nst("summarize", "empty")
    assert (ended.code, "no record of any result" in ended.err) == (2, True)
