"""An experiment from Python is that of `nst run`, with its results one by one and as a table."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import nstcli
from backbones import BackboneError
from nstcli.config import yaml12
from nstcli.errors import InputError
from nstcli.run.events import PairStep
from tests.conftest import Plugin
from tests.nstcli.cli import conftest as cli
from tests.nstcli.cli.conftest import Nst

folders, nst = cli.folders, cli.nst  # fixtures

FAST: dict[str, Any] = {"model": "tiny", "size": 32, "steps": 3, "precision": "float32"}
SWEEP = {"style_weight": (3, 30), "style_layers": {"fine": ["relu1"], "both": ["relu1", "relu3"]}}
FILE = """
content = "photos"
style = "art/ink.png"
model = "tiny"
size = 32
steps = 3
[sweep]
style-weight = [3, 30]
style-layers = {fine = ["relu1"], both = ["relu1", "relu3"]}
[backbone.tiny]
content-weight = 2
"""
FIGURES = {"loss", "style_error", "content_error", "step_seconds"}


@pytest.fixture(autouse=True)
def _in_a_folder(
    tiny_plugin: Plugin, folders: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert [t for t in threading.enumerate() if t.name == "nstcli.batch"] == []


def experiment(**options: Any) -> nstcli.Experiment:
    given = {"sweep": SWEEP, "output": "out", **FAST, **options}
    return nstcli.experiment("photos", "art/ink.png", **given)


def results(folder: str = "out") -> dict[str, bytes]:
    found = Path(folder).glob("*/*.png")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_it_is_the_experiment_of_the_command(nst: Nst, tmp_path: Path) -> None:
    made = list(experiment(backbone={"tiny": {"content_weight": 2}}))
    assert len(made) == len(results()) == 8
    assert {tuple(result.varied.values()) for result in made} == {
        (weight, layers) for weight in (3, 30) for layers in ("fine", "both")
    }
    for result in made:
        assert result.record
        assert result.path
        assert result.record.recipe["style_weight"] == result.varied["style_weight"]
        assert f"style-weight={result.varied['style_weight']:g}," in str(result.path)
        assert result.data == result.path.read_bytes()
    (tmp_path / "x.toml").write_text(FILE)
    assert nst("run", "x.toml", "-o", "theirs", "--precision", "float32").code == 0
    assert results("theirs") == results()
    assert "8 cached" in nst("run", "x.toml", "-o", "out").err
    kept = [yaml12.load(Path(f"{f}/experiment.yaml").read_text()) for f in ("out", "theirs")]
    assert kept[0]["sweep"] == kept[1]["sweep"]
    assert "8 cached" in nst("run", "out/experiment.yaml", "-o", "out").err


def test_a_value_more_makes_what_is_new_and_no_more() -> None:
    list(experiment())
    again = list(experiment(sweep={**SWEEP, "style_weight": [3, 10, 30]}))
    assert [result.varied["style_weight"] for result in again if not result.cached] == [10] * 4
    assert [result.cached for result in again] == [True] * 8 + [False] * 4


def test_the_table_has_a_row_for_each_picture_also_of_what_nobody_asked_for() -> None:
    tried = experiment()
    first = next(tried)
    rows = tried.table(frame=False)
    assert len(rows) == 8
    assert rows[0]["path"] == str(first.path)
    assert list(rows[0])[:5] == ["style_weight", "style_layers", "content", "style", "path"]
    assert all(row.keys() >= FIGURES and row["seconds"] > 0 for row in rows)
    assert {row["steps"] for row in rows} == {3}
    assert {row["content"] for row in rows} == {"photos/cat.png", "photos/dog.png"}
    assert list(tried) == []
    assert tried.table(frame=False) == rows


def test_what_could_not_be_made_has_a_row_and_no_figures(tmp_path: Path) -> None:
    (tmp_path / "photos/broken.png").write_bytes(b"none")
    rows = experiment().table(frame=False)
    broken = [row for row in rows if row["content"] == "photos/broken.png"]
    assert len(broken) == 4
    for row in broken:
        assert "broken.png" in row["error"]
        assert (row["path"], row["loss"], row["seconds"]) == (None, None, None)
        assert row.keys() == rows[0].keys()


def test_what_varies_and_what_came_of_it_are_two_columns() -> None:
    sweep = {"loss": ["relative", "mean"], "steps": [2, 4], "optimizer": ["adam"]}
    options = {name: value for name, value in FAST.items() if name != "steps"}
    tried = nstcli.experiment("photos/cat.png", "art/ink.png", sweep=sweep, output="o", **options)
    for row in tried.table(frame=False):
        assert row["loss"] in {"relative", "mean"}
        assert isinstance(row["loss_reached"], float)
        assert row["steps"] == row["steps_reached"]


def test_a_frame_is_made_where_pandas_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = experiment()
    monkeypatch.setitem(sys.modules, "pandas", None)  # as if it were not
    assert isinstance(tried.table(), list)
    with pytest.raises(InputError, match="install pandas"):
        tried.table(frame=True)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site/pandas.py").write_text(
        "class DataFrame:\n"
        "    def __init__(self, rows, columns):\n"
        "        self.rows, self.columns = rows, columns\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    frame = tried.table()
    monkeypatch.delitem(sys.modules, "pandas")
    assert frame.rows == tried.table(frame=False)
    assert frame.columns == list(frame.rows[0])


def test_it_can_be_left_and_goes_on_where_it_was() -> None:
    with closing(experiment()) as tried:
        next(tried)
    assert 1 <= len(results()) < 8
    for _ in experiment():
        break
    assert len(list(experiment())) == len(results()) == 8


def test_steps_are_heard_of_and_may_end_it() -> None:
    heard: list[PairStep] = []

    def watch(step: PairStep) -> bool:
        heard.append(step)
        return len(heard) == 5

    assert len(list(experiment(on_step=watch))) < 8
    assert len(heard) >= 5


def test_a_range_and_samples_are_as_in_a_file() -> None:
    sweep = {"style_weight": {"from": 1, "to": 100}, "how": "random", "samples": 2, "seed": 1}
    assert len(list(experiment(sweep=sweep))) == 4
    seeds = experiment(sweep={"seed": range(2)}, init="noise", output="seeds")
    assert {result.varied["seed"] for result in seeds} == {0, 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweep": {"style_wieght": [1]}}, "did you mean 'style-weight'"),
        ({"sweep": {"style_weight": []}}, "has no values"),
        ({"sweep": {"size": [32, 0]}}, "size = 0: should be"),
        ({"sweep": {"size": [32, 64]}}, "size = 32 and [sweep] size exclude each other"),
        ({"sweep": {}}, "no key has several values"),
        ({"sweep": 3}, "sweep should be a table"),
        ({"sweep": {"seed": [1, 2]}}, "all its values give the same pictures"),
        ({"backbone": {"tiny": {"sise": 3}}}, "did you mean 'size'"),
        ({"backbone": {"tinny": {"size": 3}}}, "did you mean 'tiny'"),
        ({"size": 0}, "size=0: should be"),
        ({"sise": 3}, "unknown option 'sise' (did you mean 'size'?)"),
        ({"name": "{model}"}, "unknown placeholder {model}"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises((InputError, BackboneError)) as error:
        experiment(**options)
    assert message in str(error.value)
    assert not Path("out").exists()


def test_results_in_the_way_are_told(write_picture: Callable[..., Path]) -> None:
    list(experiment())
    with pytest.raises(InputError, match="overwrite=True replaces them"):
        experiment(steps=4)


def test_variants_that_show_the_same_are_told(caplog: pytest.LogCaptureFixture) -> None:
    options = {name: value for name, value in FAST.items() if name != "steps"}
    sweep = {"learning_rate": [0.1, 0.2], "optimizer": ["adam", "lbfgs"]}
    tried = nstcli.experiment("photos", "art", sweep=sweep, output="out", **options)
    assert "will show the same as" in caplog.text
    tried.close()
    assert not Path("out").exists()
