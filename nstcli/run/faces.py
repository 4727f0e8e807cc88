"""Find the faces of photos: what `nst faces` shows, and what a recipe may keep."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from torch import Tensor

from backbones import weights
from backbones.spec import Companion
from nstcli import images
from nstcli.faces import SURE, Face, FaceDetector
from nstcli.images import Picture
from nstcli.run.pixels import tensor_of

# Pixels of the longest edge that are looked at: whatever the size of the result, so that a draft
# keeps the faces that the print will, and a photo of any size takes as much memory.
_LONGEST = 1024


class FaceFinder:
    """Finds faces, with networks that are loaded when the first photo comes.

    Args:
        device: where the networks run.
        offline: never use the network.
    """

    def __init__(self, device: str = "cpu", offline: bool = False):
        self._device = device
        self._offline = offline

    def find(self, picture: Picture) -> tuple[Face, ...]:
        """Return the faces of a photo that it is sure of, the surest first, in its pixels.

        Raises:
            BackboneError: the weights cannot be had.
        """
        small = images.resize(picture, _LONGEST)
        pixels = tensor_of(small).to(self._device)
        factors = picture.width / small.width, picture.height / small.height
        found = [face for face in self._detector(pixels) if face.probability >= SURE]
        return tuple(face.scaled(*factors) for face in found)

    @cached_property
    def _detector(self) -> FaceDetector:
        return FaceDetector.load(self._tensors).to(self._device)

    def _tensors(self, companion: Companion) -> Mapping[str, Tensor]:
        chosen = companion.weight_sets[0]
        return weights.load(companion, chosen, offline=self._offline).tensors
