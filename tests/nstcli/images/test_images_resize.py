"""Shrinking: the aspect stays, nothing grows, nothing aliases or bleeds."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nstcli.images import Picture, cropped, cropped_size, decode, resize


def picture(height: int, width: int, alpha: int | None = None) -> Picture:
    mask = None if alpha is None else np.full((height, width), alpha, dtype=np.uint8)
    return Picture(np.full((height, width, 3), 90, dtype=np.uint8), mask, ("a note",))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 400))
def test_aspect_is_kept_and_nothing_grows(height, width, longest):
    small = resize(picture(height, width, 128), longest)
    assert max(small.width, small.height) == min(longest, max(width, height))
    scale = max(small.width, small.height) / max(width, height)
    assert abs(small.width - max(1, width * scale)) <= 0.5 + 1e-9
    assert abs(small.height - max(1, height * scale)) <= 0.5 + 1e-9
    assert small.alpha.shape == small.rgb.shape[:2]
    assert (small.rgb == 90).all()
    assert (small.alpha == 128).all()
    assert small.notes == ("a note",)
    assert small.rgb.flags.writeable


@pytest.mark.parametrize(
    ("longest", "scale", "size"),
    [(100, 2.0, (80, 120)), (30, 2.0, (40, 60)), (100, 0.5, (20, 30)), (30, 0.05, (1, 2))],
)
def test_a_factor_counts_from_what_it_would_be_without(longest, scale, size):
    found = resize(picture(40, 60), longest, scale)
    assert (found.height, found.width) == size
    assert (found.rgb == 90).all()


@pytest.mark.parametrize("longest", [5, 8, 800])
def test_small_enough_stays_the_same_object(longest):
    original = picture(3, 5)
    assert resize(original, longest) is original


def test_thin():
    assert resize(picture(1, 5000), 512).rgb.shape == (1, 512, 3)
    assert resize(picture(5000, 1), 512).rgb.shape == (512, 1, 3)


def test_one_pixel():
    assert resize(picture(40, 30), 1).rgb.shape == (1, 1, 3)


@pytest.mark.parametrize("longest", [0, -3])
def test_no_pixel_at_all(longest):
    with pytest.raises(ValueError, match="at least 1"):
        resize(picture(4, 4), longest)


def test_fine_stripes_become_gray():
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    small = resize(Picture(stripes), 16).rgb.astype(int)
    assert np.abs(small[:, 2:-2] - 128).max() <= 8


def test_hidden_color_does_not_bleed():
    pixels = np.zeros((40, 40, 4), dtype=np.uint8)
    pixels[:, 20:] = (255, 255, 255, 255)
    pixels[:, :20] = (255, 0, 0, 0)  # red, but nobody may see it
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    small = resize(decode(buffer.getvalue(), "a.png"), 7)
    assert (small.rgb == 255).all()
    assert small.alpha.min() == 0
    assert small.alpha.max() == 255


def test_alpha_that_becomes_opaque_is_dropped():
    alpha = np.full((400, 400), 255, dtype=np.uint8)
    alpha[200, 200] = 254
    original = Picture(np.zeros((400, 400, 3), dtype=np.uint8), alpha)
    assert resize(original, 4).alpha is None


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 30), st.integers(1, 30))
def test_the_largest_part_of_a_shape_is_cut_out_of_the_middle(height, width, wide, high):
    whole = np.arange(height * width, dtype=np.uint32).view(np.uint8).reshape(height, width, 4)
    part = cropped(Picture(whole[..., :3], whole[..., 3]), (wide, high))
    assert (part.width, part.height) == cropped_size(width, height, (wide, high))
    assert part.width == width or part.height == height
    if part.width > 1 and part.height > 1:
        assert abs(part.width - part.height * wide / high) <= max(1, wide / high) / 2 + 1e-6
    top, left = (height - part.height) // 2, (width - part.width) // 2
    assert (part.rgb[0, 0] == whole[top, left, :3]).all()
    assert part.rgb.flags.c_contiguous
