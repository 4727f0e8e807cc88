"""Transparency of results: what is seen of them over white is what was painted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.images import FORMATS, decode, encode, off_white
from nstcli.images.memory import array_of
from nstcli.recipe import DEFAULT
from nstcli.results.records import Form
from nstcli.run.events import Made
from nstcli.run.job import settings_for
from nstcli.run.worker import Worker
from tests.nstcli.run.test_backends import by, job_of

# Every alpha with every level, as a picture of 256 × 256.
LEVELS = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (256, 1))[..., None], 3, axis=-1)
ALPHA = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 256))


def reachable(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Whether some colour under the alpha gives a level over white."""
    return (rgb[..., 0] >= 255 - alpha.astype(int)) & (alpha > 0)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_every_level_under_every_alpha_is_seen_as_painted(kind):
    data = encode(off_white(LEVELS, ALPHA), ALPHA, kind)
    picture = decode(data, "a")
    fits = reachable(LEVELS, ALPHA)
    np.testing.assert_array_equal(picture.rgb[fits], LEVELS[fits])
    # What is darker than black under the alpha comes as close as black does.
    least = np.where(ALPHA > 0, 255 - ALPHA.astype(int), 255)
    np.testing.assert_array_equal(picture.rgb[~fits][:, 0], least[~fits])
    np.testing.assert_array_equal(picture.alpha, ALPHA)
    np.testing.assert_array_equal(array_of(data), picture.rgb)


def test_what_is_not_seen_keeps_its_colour():
    np.testing.assert_array_equal(off_white(LEVELS, np.zeros_like(ALPHA)), LEVELS)


def test_what_is_opaque_keeps_its_colour():
    np.testing.assert_array_equal(off_white(LEVELS, np.full_like(ALPHA, 255)), LEVELS)


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(1, 255))
def test_a_colour_comes_back_as_far_as_its_alpha_can_tell(color, opacity):
    rgb = np.full((1, 1, 3), color, np.uint8)
    alpha = np.full((1, 1), opacity, np.uint8)
    seen = decode(encode(rgb, alpha), "a.png").rgb
    again = decode(encode(off_white(seen, alpha), alpha), "a.png").rgb
    np.testing.assert_array_equal(again, seen)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.usefixtures("tiny_plugin")
def test_half_transparent_black_stays_half_gray(
    tmp_path: Path, write_picture: Callable[..., Path], kind: str
):
    """It was whitened twice: 191 instead of 127."""
    content = tmp_path / "clear.png"
    content.write_bytes(encode(np.zeros((24, 32, 3), np.uint8), np.full((24, 32), 128, np.uint8)))
    options = {"model": "tiny", "steps": 1, "style_weight": 0.0, "tv_weight": 0.0}
    settings = settings_for({**DEFAULT, **options}, Form(kind))
    job = job_of(content, write_picture("style.png", seed=2), settings)
    ((_, made),) = Worker("cpu", by("local")).make([job], lambda *_: None)
    assert isinstance(made, Made)
    picture = decode(made.data, "a")
    np.testing.assert_allclose(picture.rgb.astype(int), 127, atol=1)
    assert (picture.alpha is None) == (kind == "jpg")


def test_a_result_of_the_library_is_saved_again_as_it_is_seen(
    tmp_path: Path, tiny_plugin: object, write_picture: Callable[..., Path]
):
    import nstcli

    alpha = np.full((24, 32), 128, np.uint8)
    (tmp_path / "clear.png").write_bytes(encode(np.zeros((24, 32, 3), np.uint8), alpha))
    made = nstcli.stylize(
        tmp_path / "clear.png",
        write_picture("style.png", seed=2),
        model="tiny",
        steps=1,
        style_weight=0,
        tv_weight=0,
    )
    np.testing.assert_allclose(made.array.astype(int), 127, atol=1)
    for name in ("a.jpg", "a.tiff", "a.webp"):
        seen = decode(made.save(tmp_path / name).read_bytes(), name).rgb
        np.testing.assert_allclose(seen.astype(int), 127, atol=1)
