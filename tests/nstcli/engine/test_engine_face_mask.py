"""Masks of faces: soft, all face inside, nothing outside, whatever the boxes are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nstcli.engine.face_mask import face_mask, kept
from nstcli.faces import Face

edge = st.floats(-300, 300)


def face(left: float, top: float, right: float, bottom: float) -> Face:
    return Face((left, top, right, bottom), 1.0)


@given(
    st.lists(st.tuples(edge, edge, st.floats(0, 400), st.floats(0, 400)), max_size=4),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_masks_of_any_boxes(
    boxes: list[tuple[float, float, float, float]], height: int, width: int
) -> None:
    found = face_mask([face(x, y, x + w, y + h) for x, y, w, h in boxes], height, width)
    assert found.shape == (1, 1, height, width)
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 1
    if not boxes:
        assert not found.any()


def test_a_face_is_whole_inside_and_fades_slowly() -> None:
    mask = face_mask([face(60, 40, 120, 120)], 160, 200)[0, 0]
    assert mask[80, 90] == 1
    assert mask[80, 62] == mask[80, 117] == 1
    assert mask[42, 90] == mask[117, 90] == 1
    assert mask[80, 30] == mask[5, 90] == mask[0, 0] == 0
    steepest = max(mask.diff(dim=0).abs().max(), mask.diff(dim=1).abs().max())
    assert steepest < 1.6 / (0.7 * 30)  # as far as it fades on the short side


def test_several_faces_and_one_that_is_cut() -> None:
    one, other = face(10, 10, 40, 50), face(-20, 60, 15, 110)
    masks = [face_mask([each], 100, 80) for each in (one, other)]
    assert torch.equal(face_mask([one, other], 100, 80), masks[0].maximum(masks[1]))
    assert masks[1][0, 0, 85, 0] == 1
    # Overlapping ones count once.
    assert torch.equal(face_mask([one, one], 100, 80), masks[0])


def test_a_tiny_face_has_some_pixels() -> None:
    mask = face_mask([face(50, 50, 51, 51)], 100, 100)
    assert 30 < mask.sum() < 300
    assert face_mask([face(500, 500, 501, 501)], 100, 100).sum() == 0


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 9.0, 1e6])
def test_more_of_the_content_and_less_of_the_style(strength: float) -> None:
    mask = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)
    content, style = kept(mask, strength)
    assert content[..., 0] == style[..., 0] == 1
    assert (content.diff() >= 0).all()
    assert (style.diff() <= 0).all()
    assert style.min() >= 0
    if strength == 0:
        assert torch.equal(content, torch.ones(1, 1, 1, 3))
        assert torch.equal(style, torch.ones(1, 1, 1, 3))
    else:
        assert content[..., 2] > content[..., 1] > 1 > style[..., 1]
