"""Kept faces: of the faces in the photo, the share that is still found where it was.

Each face that MTCNN is sure of in the photo (with a probability of 0.9) counts, and is kept if in
the picture it finds one whose box has half of it in common (intersection over union, as detectors
are judged by; Everingham et al. 2010). 1 is all, 0 none; a photo without faces has no figure.

It cannot say whose face it is, nor whether it is a pleasant one; and a portrait that every friend
would know may be no face to a detector that was shown photos alone.
"""

from collections.abc import Sequence
from math import nan

from nstcli.faces import SURE, Face, overlap

_SAME = 0.5


def kept_faces(picture: Sequence[Face], content: Sequence[Face]) -> float:
    """Compare the faces of two pictures of one shape; not a number if the content has none."""
    wanted = [face for face in content if face.probability >= SURE]
    kept = [any(overlap(face, other) >= _SAME for other in picture) for face in wanted]
    return sum(kept) / len(kept) if kept else nan
