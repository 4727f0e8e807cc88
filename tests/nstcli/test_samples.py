"""The example photos and drawings: the contract of every row in the two tables."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from nstcli.samples import CONTENT, STYLE
from nstcli.samples.fields import blur, noise, palette, ramp, relief, smoothstep
from nstcli.samples.strokes import Panel, Stroke, scatter

SAMPLES = {**CONTENT, **STYLE}
PHOTOS = {*CONTENT, "hubble_deep_field"}
DRAWN = sorted(set(STYLE) - PHOTOS)
BLANK = np.full((64, 64, 3), 128, np.uint8)


@cache
def sample(name):
    return SAMPLES[name]()


def spread(image):
    """Standard deviation of the brightness, 0 to 255."""
    return image.mean(axis=-1).std()


def edge_density(image):
    """Share of pixels that differ from their right-hand neighbour by more than 12 of 255."""
    grey = image.astype(float).mean(axis=-1)
    return (np.abs(np.diff(grey, axis=1)) > 12).mean()


def colours(image):
    """Share of each of 4 x 4 x 4 coarse colours, adding up to 1."""
    coarse = (image // 64).reshape(-1, 3).astype(int)
    return np.bincount(coarse @ (16, 4, 1), minlength=64) / len(coarse)


def test_the_names_are_unique_and_enough():
    assert not set(CONTENT) & set(STYLE)
    assert set(CONTENT) >= {"astronaut", "chelsea", "coffee", "rocket"}
    assert len(DRAWN) >= 5
    assert all(name.isidentifier() and name.islower() for name in SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_an_rgb_image_of_at_most_640_px(name):
    image = sample(name)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert max(image.shape) <= 640
    assert min(image.shape[:2]) >= 300
    if name in STYLE:
        assert max(image.shape) == 640


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_the_same_each_time(name):
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(SAMPLES[name](), sample(name))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # nobody else's dice


@pytest.mark.parametrize("name", SAMPLES)
def test_no_sample_is_flat(name):
    assert spread(sample(name)) > 15
    assert np.count_nonzero(colours(sample(name)) > 0.001) >= 8


@pytest.mark.parametrize("name", DRAWN)
def test_every_drawing_has_texture_in_every_part(name):
    image = sample(name)
    parts = [half for row in np.array_split(image, 4) for half in np.array_split(row, 4, axis=1)]
    assert min(edge_density(part) for part in parts) > 0.05
    assert min(spread(part) for part in parts) > 8


@pytest.mark.parametrize(("one", "other"), list(combinations(STYLE, 2)))
def test_the_styles_differ_in_palette(one, other):
    shared = np.minimum(colours(sample(one)), colours(sample(other))).sum()
    assert shared < 0.65


def test_a_blank_image_would_fail_the_measures_above():
    assert spread(BLANK) == 0
    assert edge_density(BLANK) == 0
    assert np.count_nonzero(colours(BLANK)) == 1


def test_importing_the_tables_is_light():
    code = (
        "import sys, nstcli.samples; "
        "print(sorted({'numpy', 'scipy', 'skimage', 'PIL', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_noise_is_standardised_and_streaks_run_along_the_longer_size():
    streaks = noise((80, 80), (4, 60), np.random.default_rng(0), 2)
    assert streaks.mean() == pytest.approx(0)
    assert streaks.std() == pytest.approx(1)
    down, along = (np.abs(np.diff(streaks, axis=axis)).mean() for axis in (0, 1))
    assert down > 3 * along


def test_a_palette_is_read_and_runs_evenly():
    stops = palette("#000000 #ff8000")
    np.testing.assert_allclose(stops, [[0, 0, 0], [1, 128 / 255, 0]])
    np.testing.assert_allclose(ramp(np.array([[0.5]]), stops), [[[0.5, 64 / 255, 0]]])


def test_light_falls_from_the_upper_left():
    y, x = np.mgrid[:9, :9].astype(float)
    assert relief(x + y, 1).min() > 0  # the ground rises away from the lamp: its slope is lit
    assert relief(-x - y, 1).max() < 0
    np.testing.assert_array_equal(relief(np.ones((5, 5)), 1), 0)


def test_smoothstep_and_blur_keep_their_ends_and_level():
    np.testing.assert_allclose(smoothstep(2, 4, np.array([1.0, 3.0, 5.0])), [0, 0.5, 1])
    np.testing.assert_allclose(blur(np.full((6, 7, 3), 0.3), 2), 0.3)


def test_a_stroke_colours_its_place_and_leaves_the_rest():
    panel = Panel(np.zeros((40, 60, 3)), np.random.default_rng(0))
    panel.paint(Stroke(20, 30, 0.0, 30, 8, np.ones(3)), grain=0)
    assert panel.colour[20, 20].min() > 0.5
    assert panel.height[20, 20] > 0
    assert panel.colour[[5, 35]].max() == 0
    assert panel.colour[:, 50:].max() == 0


@pytest.mark.parametrize(("y", "x"), [(-50, 10), (10, -50), (90, 10), (10, 90), (-3, -3), (41, 61)])
def test_a_stroke_may_hang_over_the_edge_or_miss_the_panel(y, x):
    panel = Panel(np.zeros((40, 60, 3)), np.random.default_rng(0))
    panel.paint(Stroke(y, x, 0.7, 12, 6, np.ones(3), bend=0.02))
    assert np.isfinite(panel.colour).all()
    assert (panel.colour.max() > 0) == (abs(y - 20) < 30 and abs(x - 30) < 40)


def test_scattered_places_cover_the_panel():
    places = scatter((100, 60), 10, np.random.default_rng(0))
    cells, _, _ = np.histogram2d(places[:, 0], places[:, 1], bins=(5, 3), range=((0, 100), (0, 60)))
    assert cells.min() >= 1
