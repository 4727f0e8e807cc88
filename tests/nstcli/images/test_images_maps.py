"""Maps: levels as they stand in the file, and regions of flat colours through noise."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from nstcli.errors import InputError
from nstcli.images import Picture, decode, decode_map, gray, regions, shared_colors


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_gray_levels_stay_what_they_are_whatever_the_profile() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    for image in (Image.fromarray(ramp), Image.fromarray(ramp).convert("RGB")):
        data = file_of(image, icc_profile=profile)
        assert (gray(decode_map(data, "mask.png")) == ramp).all()


def test_what_is_transparent_was_not_painted() -> None:
    image = Image.new("RGBA", (4, 2), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (0, 0, 2, 2))
    data = file_of(image)
    found = decode_map(data, "mask.png")
    assert found.alpha is None
    assert gray(found).tolist() == [[255, 255, 0, 0]] * 2
    assert (decode(data, "mask.png").rgb == 255).all()


def test_a_mask_is_upright_like_its_photo() -> None:
    image = Image.new("L", (4, 2))
    image.paste(255, (0, 0, 1, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    found = decode_map(file_of(image, exif=exif), "mask.png")
    assert gray(found).tolist() == [[255, 255], [0, 0], [0, 0], [0, 0]]


def painted(*colors: tuple[int, int, int]) -> Image.Image:
    """Columns of 20 pixels, with soft edges."""
    wide = Image.new("RGB", (20 * len(colors), 40))
    for at, color in enumerate(colors):
        wide.paste(color, (20 * at, 0, 20 * at + 20, 40))
    return wide


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "soft"])
def test_regions_are_the_flat_colors_through_noise(kind: str) -> None:
    colors = (250, 10, 10), (10, 200, 20), (0, 0, 0), (10, 10, 240)
    image = painted(*colors)
    if kind == "soft":
        image = image.resize((200, 100), Image.Resampling.BICUBIC)
    data = file_of(image, "JPEG", quality=80) if kind == "JPEG" else file_of(image)
    found = regions(decode_map(data, "map"))
    assert len(found.colors) == 4
    width = found.numbers.shape[1] // 4
    for at, color in enumerate(colors):
        (own,) = [each for each in found.colors if np.abs(np.subtract(each, color)).max() < 20]
        mask = found.mask(own)
        assert (mask[:, at * width + 4 : (at + 1) * width - 4] == 255).all()
        assert (mask == 255).mean() == pytest.approx(0.25, abs=0.05)


def test_colors_of_two_maps_are_matched_by_the_nearest() -> None:
    one = regions(Picture(np.asarray(painted((250, 0, 0), (0, 0, 250), (0, 0, 0)))))
    other = regions(Picture(np.asarray(painted((0, 250, 0), (255, 5, 5), (10, 10, 255)))))
    found = dict(shared_colors(one, other))
    assert found == {(250, 0, 0): (255, 5, 5), (0, 0, 250): (10, 10, 255)}


def test_a_photo_is_no_map_and_one_color_is_one_region() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="more than 32 colours"):
        regions(Picture(noise))
    flat = regions(Picture(np.full((3, 2, 3), 9, dtype=np.uint8)))
    assert flat.colors == ((9, 9, 9),)
    assert (flat.mask((9, 9, 9)) == 255).all()
