"""Kept faces, by hand."""

from math import isnan

import pytest

from nstcli.faces import Face
from nstcli.metrics.faces import kept_faces


def face(left: float, probability: float = 0.99) -> Face:
    """A square of ten pixels."""
    return Face((left, 0, left + 10, 10), probability)


@pytest.mark.parametrize(
    ("picture", "content", "share"),
    [
        ([face(0)], [face(0)], 1),
        ([face(3)], [face(0)], 1),  # 7 of 13
        ([face(4)], [face(0)], 0),  # 6 of 14
        ([face(0)], [face(0), face(50)], 0.5),
        ([face(0, 0.75)], [face(0)], 1),
        ([], [face(0)], 0),
        ([face(50), face(51)], [face(0), face(50), face(100), face(150)], 0.25),
        ([], [face(0), face(50, 0.8)], 0),
    ],
)
def test_a_face_is_kept_where_it_was(
    picture: list[Face], content: list[Face], share: float
) -> None:
    assert kept_faces(picture, content) == share


def test_without_faces_there_is_no_figure() -> None:
    assert isnan(kept_faces([face(0)], []))
    assert isnan(kept_faces([face(0)], [face(0, 0.8)]))
