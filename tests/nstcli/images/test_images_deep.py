"""Files of 16 bits a sample: read back by others to the level, tagged as those of 8 bits."""

import io

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.io import ImageReadMode, decode_image

from nstcli.images import encode, off_white, read_metadata
from nstcli.images.deep import levels_of
from nstcli.images.memory import array_of

RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 65536, (9, 7, 3), dtype=np.uint16)
ALPHA = RNG.integers(0, 256, (9, 7), dtype=np.uint8)
SAID = {"Software": "nst", "nst": '{"key": "ü"}'}


def read_by_others(data: bytes, kind: str) -> np.ndarray:
    if kind == "tiff":
        return tifffile.imread(io.BytesIO(data))
    stored = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    read = decode_image(stored, ImageReadMode.UNCHANGED)
    return read.permute(1, 2, 0).numpy()


@pytest.mark.filterwarnings("ignore:The image decoding and encoding:DeprecationWarning")
@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("alpha", [None, ALPHA], ids=["opaque", "transparent"])
def test_others_read_the_levels_that_were_written(kind, alpha):
    data = encode(RGB, alpha, kind, metadata=SAID)
    wanted = RGB if alpha is None else np.dstack((RGB, alpha * np.uint16(257)))
    for found in (read_by_others(data, kind), levels_of(data)):
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, wanted)
    with Image.open(io.BytesIO(data)) as image:  # which has the upper byte of each
        image.load()
        np.testing.assert_allclose(np.asarray(image)[..., :3], RGB / 257, atol=1)
        assert ("srgb" if kind == "png" else "icc_profile") in image.info
    assert read_metadata(data) == SAID


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_the_same_pixels_give_the_same_bytes(kind):
    assert encode(RGB, ALPHA, kind, metadata=SAID) == encode(RGB, ALPHA, kind, metadata=SAID)


@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_any_shape_comes_back(height, width, clear):
    levels = np.random.default_rng(height).integers(0, 65536, (height, width, 3), dtype=np.uint16)
    alpha = np.zeros((height, width), np.uint8) if clear else None
    found = levels_of(encode(levels, alpha))
    np.testing.assert_array_equal(found[..., :3], levels)


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_other_formats_have_none(kind):
    with pytest.raises(ValueError, match=f"{kind} has no 16 bits"):
        encode(RGB, None, kind)


@given(st.integers(1, 255), st.integers(0, 65535))
def test_what_was_painted_over_white_is_seen_over_white(opacity, level):
    """To the level, wherever a colour under such an alpha can come to it."""
    alpha = np.full((1, 1), opacity, np.uint8)
    seen = np.full((1, 1, 3), max(level, 257 * (255 - opacity)), np.uint16)
    back = array_of(encode(off_white(seen, alpha), alpha), 16)
    assert np.abs(back.astype(int) - seen).max() <= 1


def test_a_file_of_another_program_is_told():
    with pytest.raises(ValueError, match="not a PNG of 16 bits"):
        levels_of(encode(np.zeros((3, 3, 3), np.uint8)))
