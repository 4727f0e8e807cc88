"""Animations: even changes, a limit that holds, the finished picture held, in every format."""

import io
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from nstcli.config.options import AnimationFormat
from nstcli.images.animation import Film, Pace, animated, spaced


def level(value: float, height: int = 8, width: int = 12) -> np.ndarray:
    return np.full((height, width, 3), round(value), np.uint8)


def values(frames) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in frames]


@given(st.lists(st.integers(0, 255), min_size=1, max_size=80), st.integers(2, 20))
def test_both_ends_stay_and_there_are_no_more_than_wanted(levels, most):
    frames = [level(each) for each in levels]
    chosen = values(spaced(frames, most))
    assert len(chosen) <= most
    assert chosen[0] == levels[0]
    assert chosen[-1] == levels[-1]
    if len(levels) <= most:
        assert chosen == levels


@pytest.mark.parametrize("most", [8, 20])
def test_changes_are_even_whatever_the_steps_were(most):
    """A picture changes fast at first; frames at even steps would show little but its end."""
    film = Film(most)
    for step in range(400):
        film.add(level(250 * (1 - np.exp(-step / 25))))
    steps = np.diff(values(film.frames()))
    assert most // 2 <= len(steps) < most
    assert steps.max() <= 3 * 250 / most
    assert steps.min() > 0


def test_what_shows_nothing_new_takes_no_room():
    film = Film(10)
    for value in (1, 1, 1, 2, 2, 1):
        film.add(level(value))
    assert values(film.frames()) == [1, 2, 1]


@given(st.floats(0.5, 60), st.booleans(), st.integers(1, 2000))
@example(0.5, False, 2)
def test_it_takes_no_longer_than_it_may(seconds, boomerang, count):
    pace = Pace(seconds, boomerang)
    order, each = pace.played(min(count, pace.most))
    assert sum(each) <= seconds + 1e-9
    assert max(each) == each[order.index(max(order))] or len(order) == 1
    assert set(order) == set(range(min(count, pace.most)))
    assert len(set(np.round(each, 9))) <= 2


@pytest.mark.parametrize("kind", get_args(AnimationFormat))
@pytest.mark.parametrize(("count", "boomerang"), [(1, False), (2, True), (9, False), (9, True)])
def test_every_format_holds_any_number_of_frames(kind, count, boomerang):
    if kind == "mp4":
        pytest.importorskip("imageio_ffmpeg")
    frames = [level(20 * n, 23, 31) for n in range(count)]
    data = animated(frames, kind, Pace(2.0, boomerang))
    if kind == "mp4":
        assert data[4:8] == b"ftyp"
        return
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (31, 23)
        seen, total = [], 0
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            seen.append(np.asarray(image.convert("RGB"))[0, 0, 0])
            total += image.info.get("duration", 0)
        if count > 1:
            assert image.info["loop"] == 0
            assert total <= 2000
    assert len(seen) == (2 * count - 2 if boomerang and count > 1 else count)
    np.testing.assert_allclose(seen[:count], [20 * n for n in range(count)], atol=3)
