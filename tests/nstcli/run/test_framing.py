"""What of a photo is painted and in which size, from the recipe to the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nstcli.engine.memory import Needs
from nstcli.engine.methods import optimize
from nstcli.images import decode, encode, resize
from nstcli.images.memory import array_of
from nstcli.plan.pair import Input, Pair
from nstcli.recipe import DEFAULT, resolve
from nstcli.results.digests import Digests
from nstcli.results.records import Before, Form
from nstcli.run import loader
from nstcli.run.check import differences
from nstcli.run.events import Failed, Made
from nstcli.run.framing import sizes_of
from nstcli.run.job import Job, Settings, settings_for
from nstcli.run.worker import Worker
from tests.conftest import Plugin, draw
from tests.nstcli.run.test_backends import by
from tests.tiny import TINY


@pytest.mark.parametrize(
    ("photo", "choices", "painted", "finished", "result"),
    [
        ((1000, 500), {}, (512, 256), (512, 256), (512, 256)),
        ((1000, 500), {"center_crop": "1x1"}, (500, 500), (500, 500), (500, 500)),
        ((4000, 3000), {"center_crop": "1920x1080"}, (512, 288), (512, 288), (512, 288)),
        ((4000, 3000), {"keep_size": True}, (512, 384), (1024, 768), (4000, 3000)),
        ((800, 600), {"keep_size": True}, (512, 384), (800, 600), (800, 600)),
        ((300, 200), {"keep_size": True}, (300, 200), (300, 200), (300, 200)),
        (
            (4000, 3000),
            {"keep_size": True, "center_crop": "2x3"},
            (341, 512),
            (683, 1024),
            (2000, 3000),
        ),
    ],
)
def test_sizes(
    photo: tuple[int, int],
    choices: dict[str, Any],
    painted: tuple[int, int],
    finished: tuple[int, int],
    result: tuple[int, int],
) -> None:
    found = sizes_of(*photo, resolve(TINY, "0" * 64, {**DEFAULT, **choices}))
    assert (found.painted, found.finished, found.result) == (painted, finished, result)


def settings_of(form: Form | None = None, **choices: Any) -> Settings:
    chosen = {**DEFAULT, "model": "tiny", "steps": 4, "size": 32, **choices}
    return settings_for(chosen, form or Form())


@pytest.fixture
def paint(tiny_plugin: Plugin, write_picture: Callable[..., Path]) -> Callable[..., Made]:
    """Return what makes one pair with these choices, of a photo of 80 × 60 pixels."""
    content, style = write_picture("a.png", 60, 80, 1), write_picture("b.png", 70, 50, 2)

    def make(form: Form | None = None, begin: Path | None = None, **choices: Any) -> Made:
        inputs = (Input("content", content), Input("style", style))
        if begin:
            inputs += (Input("init", begin),)
            choices["init"] = str(begin)
        pair = Pair(inputs, "a__b.png")
        digests = [Digests(None).digest(path) for path in pair.paths]
        job = Job.of(pair, settings_of(form, **choices), *digests)
        ((_, outcome),) = Worker("cpu", by("local")).make([job], lambda *_: None)
        assert isinstance(outcome, Made), outcome
        return outcome

    return make


def shape(made: Made) -> tuple[int, int]:
    picture = decode(made.data, "x.png")
    assert (made.record.width, made.record.height) == (picture.width, picture.height)
    return picture.width, picture.height


def test_a_photo_is_cut_and_the_artwork_too_where_that_is_wanted(
    paint: Callable[..., Made],
) -> None:
    plain = paint()
    assert shape(plain) == (32, 24)
    assert shape(paint(center_crop="1x1")) == (32, 32)
    cut = paint(fit="crop")
    assert shape(cut) == (32, 24)
    assert cut.data != plain.data
    assert cut.record.key != plain.record.key


def test_a_result_keeps_the_size_of_its_photo_finished_or_enlarged(
    paint: Callable[..., Made],
) -> None:
    made = paint(keep_size=True)
    assert shape(made) == (80, 60)
    assert made.record.notes == ("painted at 32×24 px, finished at 64×48 and enlarged to 80×60",)
    assert made.record.steps == 4
    finished = paint(keep_size=True, size=48)
    assert shape(finished) == (80, 60)
    assert finished.record.notes == ("painted at 48×36 px, finished at 80×60",)
    # Where there is nothing to finish, the pixels are those without it.
    large, plain = (paint(keep_size=keep, size=100) for keep in (True, False))
    np.testing.assert_array_equal(decode(large.data, "x").rgb, decode(plain.data, "x").rgb)


def test_transparency_has_the_size_of_the_photo(
    tiny_plugin: Plugin, tmp_path: Path, paint: Callable[..., Made]
) -> None:
    alpha = np.full((60, 80), 255, np.uint8)
    alpha[:, :40] = 0
    (tmp_path / "a.png").write_bytes(encode(draw(60, 80, 1), alpha))
    found = decode(paint(keep_size=True).data, "x.png")
    np.testing.assert_array_equal(found.alpha, alpha)


def test_it_starts_from_a_picture_of_ones_own(
    paint: Callable[..., Made], write_picture: Callable[..., Path], tmp_path: Path
) -> None:
    begin = write_picture("begin.png", 90, 120, seed=5)
    choices = {"scales": 1, "optimizer": "adam", "learning_rate": 1e-9, "steps": 1}
    made = paint(begin=begin, **choices)
    expected = paint(begin=None, **choices).record
    assert made.record.recipe["init"] == "file"
    assert [each.role for each in made.record.inputs] == ["content", "style", "init"]
    assert made.record.key != expected.key
    assert made.record.figures["loss_before"] != expected.figures["loss_before"]
    seen = decode(made.data, "x.png").rgb.astype(int)
    wanted = resize(decode(begin.read_bytes(), "x"), 32).rgb.astype(int)
    assert np.abs(seen - wanted).max() <= 1
    # Another one under the same name is another input.
    before = made.record.key
    write_picture("begin.png", 90, 120, seed=6)
    assert paint(begin=begin, **choices).record.key != before


def test_16_bits_are_finer_steps_of_the_same_picture(paint: Callable[..., Made]) -> None:
    plain, deep = paint(), paint(Form(bits=16))
    levels = array_of(deep.data, 16)
    assert len(np.unique(levels)) > 256
    np.testing.assert_allclose(levels / 257, array_of(plain.data), atol=0.51)
    assert deep.record.key != plain.record.key
    assert (deep.record.bits, plain.record.bits) == (16, 8)


def test_what_is_refused_for_memory_advises_the_size_that_is_painted(
    paint: Callable[..., Made],
    tiny_plugin: Plugin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(optimize, "needs", lambda *_: Needs(0, 100.0, 1.0))
    monkeypatch.setattr(loader, "free_bytes", lambda *_: 100 * 48 * 36)
    pair = Pair.of(tmp_path / "a.png", tmp_path / "b.png", "x.png")
    digests = [Digests(None).digest(path) for path in pair.paths]
    job = Job.of(pair, settings_of(keep_size=True), *digests)
    ((_, outcome),) = Worker("cpu", by("local")).make([job], lambda *_: None)
    assert isinstance(outcome, Failed)
    assert "out of memory at 64 px" in outcome.error
    assert outcome.error.endswith("try --size 16")


def test_a_change_of_what_is_off_is_named(paint: Callable[..., Made], tmp_path: Path) -> None:
    record = paint(center_crop="4x2", fit="crop").record
    pair = Pair.of(tmp_path / "a.png", tmp_path / "b.png", "x.png")
    digests = [Digests(None).digest(path) for path in pair.paths]
    job = Job.of(pair, settings_of(keep_size=True), *digests)
    found = differences(Before.of_record(record), job)
    assert set(found) == {"center-crop 2x1 → none", "fit crop → whole", "keep-size False → True"}
