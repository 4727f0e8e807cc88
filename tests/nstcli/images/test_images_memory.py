"""Pictures in memory become files that show the same as they would from a file."""

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from nstcli.errors import InputError
from nstcli.images import Picture, decode, encode, memory
from tests.nstcli import corpus

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))


def seen(picture: object) -> Picture:
    return decode(memory.file_of(picture), "picture.x")


def same(one: Picture, other: Picture) -> bool:
    if (one.alpha is None) != (other.alpha is None):
        return False
    return np.array_equal(one.rgb, other.rgb) and (
        one.alpha is None or np.array_equal(one.alpha, other.alpha)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("case", corpus.GOOD, ids=str)
@pytest.mark.filterwarnings("ignore")  # of Pillow, while it opens what the user opens
def test_an_image_that_pillow_opened_shows_what_its_file_shows(case: corpus.Case) -> None:
    with Image.open(io.BytesIO(case.data)) as image:
        found = seen(image)
    assert same(found, decode(case.data, case.name))


@pytest.mark.parametrize("case", corpus.BAD, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_an_image_that_is_damaged_is_an_error_of_the_input_or_none(case: corpus.Case) -> None:
    try:
        image = Image.open(io.BytesIO(case.data))
    except Exception:  # noqa: BLE001 - nobody has an image of it
        return
    with suppress(InputError):
        memory.file_of(image)


def flat(mode: str, color: Any) -> Image.Image:
    return Image.new(mode, (3, 2), color)


@pytest.mark.parametrize(
    ("image", "rgb", "alpha"),
    [
        (flat("1", 1), (255, 255, 255), None),
        (flat("L", 7), (7, 7, 7), None),
        (flat("LA", (0, 51)), (204, 204, 204), 51),
        (flat("RGB", (1, 2, 3)), (1, 2, 3), None),
        (flat("RGBA", (0, 0, 0, 51)), (204, 204, 204), 51),
        (flat("RGBA", (9, 8, 7, 255)), (9, 8, 7), None),
        (flat("RGBX", (1, 2, 3, 0)), (1, 2, 3), None),
        (flat("CMYK", (0, 255, 255, 0)), (255, 0, 0), None),
        (flat("YCbCr", (128, 128, 128)), (128, 128, 128), None),
        (flat("HSV", (0, 0, 77)), (77, 77, 77), None),
        (flat("LAB", (255, 128, 128)), (255, 255, 255), None),
        (flat("I;16", 65535), (255, 255, 255), None),
        (flat("I", 512), (128, 128, 128), None),  # of 1023: no depth is told
        (flat("F", 0.2), (51, 51, 51), None),
        (flat("F", 100.0), (100, 100, 100), None),
        (flat("La", (0, 51)), (204, 204, 204), 51),
        (flat("RGBa", (0, 0, 0, 51)), (204, 204, 204), 51),
        (flat("RGB", (1, 2, 3)).quantize(4), (1, 2, 3), None),
        (flat("P", 0).convert("PA"), (0, 0, 0), None),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_every_mode(image: Image.Image, rgb: tuple[int, ...], alpha: int | None) -> None:
    found = seen(image)
    assert np.abs(found.rgb.astype(int) - rgb).max() <= (1 if image.mode == "LAB" else 0)
    assert found.rgb.shape == (2, 3, 3)
    assert (found.alpha is None) == (alpha is None)
    assert alpha is None or found.alpha is None or (found.alpha == alpha).all()


def test_a_palette_with_a_clear_colour_keeps_it() -> None:
    image = flat("RGB", (1, 2, 3)).quantize(4)
    image.info["transparency"] = 0
    assert seen(image).alpha is not None


def test_the_image_of_the_user_stays_as_it_is() -> None:
    image = flat("HSV", (0, 0, 77))
    before = image.tobytes()
    memory.file_of(image)
    assert (image.mode, image.tobytes(), image.info) == ("HSV", before, {})


@given(arrays(np.uint8, SHAPES))
def test_bytes_come_back(array: NDArray[np.uint8]) -> None:
    for each in (array, torch.from_numpy(array).permute(2, 0, 1)):
        assert np.array_equal(seen(each).rgb, array)
    assert np.array_equal(memory.array_of(memory.file_of(array)), array)
    assert np.array_equal(memory.array_of(memory.file_of(Image.fromarray(array))), array)


@given(arrays(np.uint8, SHAPES), st.sampled_from(["f2", "f4", "f8", ">f4"]))
def test_levels_as_floats_come_back(array: NDArray[np.uint8], kind: str) -> None:
    assert np.array_equal(seen((array / 255).astype(kind)).rgb, array)


@given(arrays(np.uint8, SHAPES), st.sampled_from(["float16", "float32", "float64"]), st.booleans())
def test_levels_as_tensors_come_back(array: NDArray[np.uint8], kind: str, batched: bool) -> None:
    tensor = torch.from_numpy(array / 255).to(getattr(torch, kind)).permute(2, 0, 1)
    tensor = tensor[None] if batched else tensor
    assert np.array_equal(seen(tensor.requires_grad_()).rgb, array)


@given(arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32)))
def test_any_float_is_rounded_to_the_nearest_level(array: NDArray[np.float32]) -> None:
    assert np.abs(seen(array).rgb / 255 - array).max() <= 0.5 / 255 + 1e-6


def test_half_precision_and_views_of_arrays() -> None:
    assert (seen(torch.ones(3, 2, 2, dtype=torch.bfloat16)).rgb == 255).all()
    array = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    for view in (array[::-1, ::2], array[..., ::-1], np.asfortranarray(array)):
        assert np.array_equal(seen(view).rgb, view)
    array.setflags(write=False)
    assert np.array_equal(seen(array).rgb, array)


WRONG: list[tuple[object, str]] = [
    (np.zeros((4, 4)), r"an array is \(H, W, 3\), not \(4, 4\)"),
    (np.zeros((3, 4, 4), np.uint8), r"not \(3, 4, 4\)"),
    (np.zeros((4, 4, 4), np.uint8), r"not \(4, 4, 4\)"),
    (np.zeros((1, 4, 4, 3), np.uint8), r"not \(1, 4, 4, 3\)"),
    (np.zeros((0, 4, 3), np.uint8), r"not \(0, 4, 3\)"),
    (np.zeros((4, 4, 3), np.int64), "uint8, or float in .0, 1., not int64"),
    (np.zeros((4, 4, 3), bool), "not bool"),
    (np.zeros((4, 4, 3), np.uint16), "not uint16"),
    (np.zeros((4, 4, 3), complex), "not complex128"),
    (np.zeros((4, 4, 3), object), "not object"),
    (np.full((4, 4, 3), np.nan), r"in \[0, 1\]"),
    (np.full((4, 4, 3), np.inf), r"in \[0, 1\]"),
    (np.full((4, 4, 3), 1.01), r"in \[0, 1\]"),
    (np.full((4, 4, 3), -0.01), r"in \[0, 1\]"),
    (np.full((4, 4, 3), 255.0), r"in \[0, 1\]"),
    (torch.zeros(4, 4), r"a tensor is \(3, H, W\) or \(1, 3, H, W\), not \(4, 4\)"),
    (torch.zeros(4, 4, 3), r"not \(4, 4, 3\)"),
    (torch.zeros(2, 3, 4, 4), r"not \(2, 3, 4, 4\)"),
    (torch.zeros(1, 1, 3, 4, 4), "a tensor is"),
    (torch.zeros(3, 0, 4), r"not \(3, 0, 4\)"),
    (torch.zeros(3, 4, 4, dtype=torch.int64), "a tensor is uint8, or float in .0, 1., not int64"),
    (torch.zeros(3, 4, 4, dtype=torch.bool), "not bool"),
    (torch.full((3, 4, 4), float("nan")), r"in \[0, 1\]"),
    (torch.full((3, 4, 4), 200.0), r"in \[0, 1\]"),
    (Image.new("RGB", (0, 4)), "no pixels"),
    (None, "not NoneType"),
    (7, "not int"),
    (b"\x89PNG", "not bytes"),
    ([[1, 2, 3]], "not list"),
    (io.BytesIO(b""), "not BytesIO"),
]


@pytest.mark.parametrize(("picture", "message"), WRONG)
def test_what_is_no_picture_is_told(picture: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        memory.file_of(picture)
    assert "\n" not in str(caught.value)


def test_an_open_file_is_no_picture_and_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(np.zeros((2, 2, 3), np.uint8)))
    with (tmp_path / "a.png").open("rb") as file:
        with pytest.raises(InputError, match="not BufferedReader"):
            memory.file_of(file)
        assert file.read(4) == b"\x89PNG"


def test_an_image_whose_file_was_closed_is_told() -> None:
    file = io.BytesIO(memory.file_of(np.zeros((2, 2, 3), np.uint8)))
    image = Image.open(file)
    file.close()
    with pytest.raises(InputError, match="the Pillow image cannot be read"):
        memory.file_of(image)


@pytest.mark.parametrize("format", ["png", "webp", "tiff", "jpg"])
def test_results_come_back_with_what_is_clear_in_them(format: str) -> None:
    rgb = np.full((4, 6, 3), 90, np.uint8)
    alpha = np.full((4, 6), 128, np.uint8)
    for clear, mode in ((None, "RGB"), (alpha, "RGB" if format == "jpg" else "RGBA")):
        data = encode(rgb, clear, format)
        image = memory.image_of(data)
        assert (image.mode, image.size) == (mode, (6, 4))
        over_white = rgb if mode == "RGB" else 255 - (255 - rgb.astype(int)) * 128 / 255
        assert np.abs(memory.array_of(data) - over_white).max() <= 2
    assert memory.array_of(data).flags.writeable
