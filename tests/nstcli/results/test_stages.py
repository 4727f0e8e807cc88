"""The folder of stages: what counts as complete, and what is never touched."""

from dataclasses import replace
from pathlib import Path

import pytest

from nstcli.results.records import Stages
from nstcli.results.stages import StageFolder, stage_name

WANTED = Stages(every=10, animation="gif")


@pytest.fixture
def stages(tmp_path: Path) -> StageFolder:
    """Some that are complete."""
    made = StageFolder(tmp_path / "a.png.stages")
    made.begin("k")
    for step in (10, 20, 10000):
        made.add(stage_name(step, "png"), b"x")
    made.add("animation.gif", b"y")
    made.finish("k", WANTED)
    return made


def test_complete_ones_lack_nothing_whoever_asks(stages: StageFolder) -> None:
    again = StageFolder(stages.path)
    for wanted in (WANTED, Stages(), Stages(every=10), replace(WANTED, every=None)):
        assert not again.lacks("k", wanted)
    assert [path.name for path in again.pictures()] == ["0010.png", "0020.png", "10000.png"]
    assert again.animation() == again.animation("gif") == stages.path / "animation.gif"
    assert again.animation("mp4") is None


@pytest.mark.parametrize(
    "wanted",
    [
        Stages(every=5),
        replace(WANTED, animation="webp"),
        replace(WANTED, boomerang=True),
        replace(WANTED, edge=99),
        replace(WANTED, seconds=1.0),
    ],
)
def test_others_are_lacking(stages: StageFolder, wanted: Stages) -> None:
    assert StageFolder(stages.path).lacks("k", wanted)


def test_so_are_those_of_another_result_or_of_a_killed_process(stages: StageFolder) -> None:
    assert stages.lacks("other", WANTED)
    (stages.path / "0020.png").unlink()
    assert stages.lacks("k", WANTED)
    stages.begin("k")
    stages.add("0010.png", b"x")
    assert StageFolder(stages.path).lacks("k", WANTED)
    (stages.path / "stages.json").write_text("{")
    assert StageFolder(stages.path).lacks("k", WANTED)


def test_what_is_not_ours_stays(stages: StageFolder) -> None:
    for name in ("mine.png", "10.png", "0010.png.txt"):
        (stages.path / name).write_bytes(b"mine")
    stages.clear()
    assert {path.name for path in stages.path.iterdir()} == {"mine.png", "10.png", "0010.png.txt"}
    foreign = StageFolder(stages.path)
    (stages.path / "0010.png").write_bytes(b"mine")
    foreign.clear()  # without an index, nothing says that it is ours
    assert (stages.path / "0010.png").exists()


def test_an_empty_folder_goes(stages: StageFolder) -> None:
    stages.clear()
    assert not stages.path.exists()
    stages.clear()
    assert stages.pictures() == []
    assert stages.animation() is None


def test_further_animations_leave_those_of_other_formats(stages: StageFolder) -> None:
    for kind, edge in (("webp", 64), ("gif", 99)):
        wanted = replace(WANTED, animation=kind, edge=edge)
        assert stages.animate(b"z", wanted) == stages.path / f"animation.{kind}"
        assert not stages.lacks("k", wanted)
    assert not stages.lacks("k", replace(WANTED, animation="webp", edge=64))
    assert stages.lacks("k", WANTED)
    assert (stages.path / "animation.gif").read_bytes() == b"z"
