"""Stages and animations of a run: as they come, complete or made again, never taken for results."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nstcli.images import decode
from nstcli.plan.inputs import find
from nstcli.plan.pair import Pair
from nstcli.plan.walk import Selection
from nstcli.report.inventory import take_inventory
from nstcli.results import stages as module
from nstcli.results.folder import Store
from nstcli.results.records import Form, Stages
from nstcli.results.state import State, embedded_key
from nstcli.results.store import SingleFile
from nstcli.run import filming
from nstcli.run.check import Rules, check
from nstcli.run.events import PairStep
from nstcli.run.make import End, make
from tests.nstcli.run.test_make import LOCAL, PROCESS, Wanted, checked, made, pair, settings

__all__ = ["pair"]  # a fixture

BOTH = Stages(every=2, animation="gif", edge=20)


def staged(stages: Stages, form: str = "png", **choices: Any) -> Any:
    known = settings(form, **choices)
    return replace(known, form=replace(known.form, stages=stages))


def names(folder: str = "out/0-0.png.stages") -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


@pytest.mark.parametrize("execution", [LOCAL, PROCESS, replace(LOCAL, pairs_per_step=2)])
def test_stages_and_animation_lie_beside_the_result(
    pair: Callable[..., Pair], execution: Any
) -> None:
    wanted = [(pair(), staged(BOTH, steps=5)), (pair(1), staged(BOTH, steps=5))]
    plain = made([(one, settings(steps=5)) for one, _ in wanted], "plain", execution)[0]
    found, summary, _ = made(wanted, execution=execution)
    assert summary.end is End.COMPLETE
    assert found == plain  # looking on changes nothing
    for one, _ in wanted:
        folder = Path("out") / f"{one.output}.stages"
        assert names(str(folder)) == {"0002.png", "0004.png", "animation.gif", "stages.json"}
        with Image.open(folder / "animation.gif") as film:
            assert film.size == (20, 15)
            assert film.n_frames >= 3
    stage = (Path("out/0-0.png.stages/0004.png")).read_bytes()
    picture, result = decode(stage, "x"), decode(found["0-0.png"], "x")
    assert picture.rgb.shape == result.rgb.shape
    assert embedded_key(stage) is None
    assert checked(wanted).jobs == ()


def test_a_coarse_scale_is_seen_at_full_size_and_colours_as_they_will_be(
    pair: Callable[..., Pair],
) -> None:
    wanted = [(pair(), staged(Stages(every=1), steps=4, scales=2, colors="luminance"))]
    found, _, _ = made(wanted)
    stages = [decode(p.read_bytes(), "x").rgb for p in sorted(Path("out").glob("*.stages/0*"))]
    assert {stage.shape for stage in stages} == {decode(found["0-0.png"], "x").rgb.shape}
    photo = decode(Path("photos/0.png").read_bytes(), "x").rgb.astype(int)
    # The photo's chroma: differences of channels are near those of the photo, as in the result.
    for stage in stages:
        off = (stage.astype(int) - photo) @ [[1, 0], [-1, 1], [0, -1]]
        assert np.abs(off).mean() < 60


@pytest.mark.parametrize("every", [1, 3, 99])
def test_one_step_and_more_steps_than_there_are(pair: Callable[..., Pair], every: int) -> None:
    wanted = [(pair(), staged(replace(BOTH, every=every), steps=1))]
    made(wanted)
    assert names() == {"animation.gif", "stages.json"} | ({"0001.png"} if every == 1 else set())
    assert checked(wanted).jobs == ()


def test_they_are_made_where_they_are_missing_and_go_where_nobody_wants_them(
    pair: Callable[..., Pair],
) -> None:
    plain: Wanted = [(pair(), settings())]
    made(plain)
    wanted = [(pair(), staged(BOTH))]
    (standing,) = checked(wanted).standings
    assert standing.state is State.WITHOUT_STAGES
    assert made(wanted)[1].made == 1
    assert checked(wanted).cached == 1
    assert checked(plain).cached == 1  # nobody asked, and they stay
    assert names()
    made(plain, keep_best=False)
    assert names()
    make(checked(plain, force=True), LOCAL)  # made again: they are those of another file
    assert not Path("out/0-0.png.stages").exists()


def test_they_count_as_no_results_and_no_inputs(pair: Callable[..., Pair]) -> None:
    made([(pair(), staged(BOTH))])
    (item,) = take_inventory(Path("out")).items
    assert item.name == "0-0.png"
    found = find("out", Selection(recursive=True))
    assert [source.path.name for source in found] == ["0-0.png"]
    assert [source.path.name for source in find("out/**/*.png")] == ["0-0.png"]
    Path("out/0-0.png.stages/stages.json").unlink()
    assert len(find("out", Selection(recursive=True))) == 3  # a folder that is somebody's own


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_place_that_cannot_be_written_to_ends_the_run_and_the_next_goes_on(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    wanted = [(pair(), staged(BOTH, steps=5))]
    real = module.write_atomic

    def fail(path: Path, data: bytes) -> None:
        if path.name.startswith("0004"):
            raise OSError(number, "no")
        real(path, data)

    monkeypatch.setattr(module, "write_atomic", fail)
    _, summary, _ = made(wanted)
    assert summary.end is End.STOPPED
    assert "cannot write to 'out'" in summary.problem
    assert not Path("out/0-0.png").exists()
    monkeypatch.setattr(module, "write_atomic", real)
    assert made(wanted)[1].made == 1
    assert names() == {"0002.png", "0004.png", "animation.gif", "stages.json"}


def test_an_interrupted_pair_leaves_none_that_count(pair: Callable[..., Pair]) -> None:
    wanted = [(pair(), staged(BOTH, steps=6))]
    steps: list[int] = []

    def listen(event: object) -> None:
        if isinstance(event, PairStep):
            steps.append(event.step)

    summary = make(checked(wanted), LOCAL, [listen], stop=lambda: len(steps) >= 3)
    assert summary.end is End.INTERRUPTED
    assert Store(Path("out")).stages(pair()).pictures()
    assert checked(wanted).jobs
    assert made(wanted)[1].made == 1


def test_a_single_picture_has_them_too_and_one_that_was_stopped_ends_with_its_best(
    pair: Callable[..., Pair],
) -> None:
    wanted = [(pair(), staged(BOTH, steps=6))]
    steps: list[int] = []

    def listen(event: object) -> None:
        if isinstance(event, PairStep):
            assert event.picture is not None
            assert event.picture().shape == (1, 3, 24, 32)
            steps.append(event.step)

    place = SingleFile(Path("one.png"))
    rules = Rules(keep_best=True)
    make(check(wanted, place, rules), LOCAL, [listen], stop=lambda: len(steps) >= 3)
    assert names("one.png.stages") == {"0002.png", "animation.gif", "stages.json"}
    (standing,) = check(wanted, place, rules).standings
    assert standing.state is State.STOPPED
    make(check(wanted, place, rules), LOCAL)
    assert names("one.png.stages") == {
        *("0002.png", "0004.png", "0006.png"),
        *("animation.gif", "stages.json"),
    }
    assert check(wanted, place, rules).jobs == ()


def test_the_animation_goes_from_the_photo_to_the_result(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    films: list[Any] = []
    monkeypatch.setattr(filming, "animated", lambda frames, *_: films.append(frames) or b"x")
    found, _, _ = made([(pair(), staged(Stages(animation="webp", edge=500), steps=3))])
    (frames,) = films
    np.testing.assert_array_equal(frames[0], decode(Path("photos/0.png").read_bytes(), "x").rgb)
    np.testing.assert_array_equal(frames[-1], decode(found["0-0.png"], "x").rgb)
    assert len(frames) >= 4


def test_forms_of_other_formats(pair: Callable[..., Pair]) -> None:
    made([(pair(name="x"), staged(Stages(every=3), "jpg"))])
    assert names("out/0-0x.png.stages") == {"0003.jpg", "stages.json"}
    deep = settings()
    form = Form(bits=16, stages=Stages(every=3, animation="gif"))
    made([(pair(), replace(deep, form=form))])
    assert names() == {"0003.png", "animation.gif", "stages.json"}
