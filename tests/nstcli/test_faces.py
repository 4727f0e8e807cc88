"""Faces: which boxes are kept, what they share, and what real networks find."""

import os
from collections.abc import Iterator, Mapping

import pytest
import skimage
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from backbones import weights
from backbones.spec import Companion
from nstcli.faces import Face, FaceDetector, _best, overlap


def drawn(companion: Companion) -> Mapping[str, Tensor]:
    """Draw weights with which the networks find something everywhere."""
    torch.manual_seed(0)
    return dict(companion.build().state_dict())


@given(st.integers(1, 90), st.integers(1, 90))
def test_pictures_of_any_shape(height: int, width: int) -> None:
    torch.manual_seed(0)
    found = FaceDetector.load(drawn)(torch.rand(1, 3, height, width))
    assert found == sorted(found, key=lambda face: -face.probability)
    assert all(len(face.points) == 5 for face in found)
    if min(height, width) < 20:
        assert not found


def boxes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = 30 * torch.rand(count, 2, generator=generator)
    size = 1 + 20 * torch.rand(count, 2, generator=generator)
    return torch.cat([corner, corner + size], 1), torch.rand(count, generator=generator)


@given(st.integers(0, 30), st.integers(0, 99), st.sampled_from([0.3, 0.7]))
def test_the_best_are_those_of_torchvision(count: int, seed: int, most: float) -> None:
    from torchvision.ops import nms

    found, sure = boxes(count, seed)
    assert _best(found, sure, most).tolist() == nms(found, sure, most).tolist()


def test_a_box_within_another_goes_by_the_smaller() -> None:
    nested = torch.tensor([[0.0, 0, 40, 40], [10, 10, 20, 20]])
    sure = torch.tensor([0.8, 0.9])
    assert _best(nested, sure, 0.7).tolist() == [1, 0]
    assert _best(nested, sure, 0.7, of_smaller=True).tolist() == [1]


def test_overlap_is_a_share_of_both() -> None:
    one, other = Face((0, 0, 10, 10), 1), Face((5, 0, 15, 10), 1)
    assert overlap(one, one) == 1
    assert overlap(one, other) == overlap(other, one) == pytest.approx(50 / 150)
    assert overlap(one, Face((10, 0, 20, 10), 1)) == 0
    assert overlap(Face((3, 3, 3, 3), 1), Face((3, 3, 3, 3), 1)) == 0


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceDetector]:
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("NST_CACHE"):
            patch.setenv("NST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield FaceDetector.load(lambda each: weights.load(each, each.weight_sets[0]).tensors)


def photo(name: str) -> Tensor:
    pixels = getattr(skimage.data, name)()[..., :3]
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.network
def test_the_astronaut_is_found_as_by_facenet_pytorch(detector: FaceDetector) -> None:
    """Its version 2.6.0 gave these numbers, with the same thresholds."""
    (face,) = detector(photo("astronaut"))
    assert face.box == pytest.approx((181.070, 62.144, 267.763, 172.028), abs=0.05)
    assert face.probability == pytest.approx(0.9999977, abs=1e-6)
    known = [(205.03, 101.71), (246.77, 103.70), (224.68, 128.94), (201.73, 139.22)]
    for found, expected in zip(face.points, [*known, (245.28, 141.84)], strict=True):
        assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.network
def test_a_smaller_and_a_cut_face_are_found_and_a_cat_s_is_not(detector: FaceDetector) -> None:
    small = interpolate(photo("astronaut"), (160, 160), mode="area")
    (face,) = detector(small)
    (large,) = detector(photo("astronaut"))
    scaled = Face(tuple(160 / 512 * edge for edge in large.box), 1)  # type: ignore[arg-type]
    assert overlap(face, scaled) > 0.7
    (cut,) = detector(photo("astronaut")[..., 205:])
    assert cut.box[0] < 10
    assert detector(photo("chelsea")) == []
