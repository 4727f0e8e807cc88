"""Find faces: MTCNN (Zhang et al. 2016), three small networks one after the other.

The first looks at all places and sizes, the others at what it proposes, each at more pixels; after
each, boxes are moved to where it saw the face, and of those that overlap the best is kept. The
weights' authors are those of facenet-pytorch (David Sandberg's before them).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from backbones import weights
from backbones.mtcnn import Output, Proposal, Refinement
from backbones.spec import Companion

# Pixels of the smallest face that is looked for, and the factor from one size to the next smaller.
_SMALLEST = 20
_STEP = 0.709
# Pixels that the first network looks at, and from one place to the next.
_WINDOW, _STRIDE = 12, 2
# How sure each network has to be.
_SURE = (0.6, 0.7, 0.7)
# What is less likely a face may well be none.
SURE = 0.9
# Cuttings that a network is given at once.
_AT_ONCE = 512


@dataclass(frozen=True)
class Face:
    """A face in a picture, in its pixels.

    Attributes:
        box: left, top, right, bottom; parts of it may be outside of the picture.
        probability: that it is one, as the last network has it.
        points: (x, y) of both eyes, the nose, both corners of the mouth, left ones first.
    """

    box: tuple[float, float, float, float]
    probability: float
    points: tuple[tuple[float, float], ...] = ()

    def scaled(self, across: float, down: float) -> "Face":
        """Return it in the pixels of a picture that is so many times as wide and as high."""
        left, top, right, bottom = self.box
        box = left * across, top * down, right * across, bottom * down
        return Face(box, self.probability, tuple((x * across, y * down) for x, y in self.points))


@dataclass(frozen=True)
class FaceDetector:
    """The three networks, with their weights."""

    proposal: Proposal
    refinement: Refinement
    output: Output

    @classmethod
    def load(cls, tensors: Callable[[Companion], Mapping[str, Tensor]]) -> Self:
        """Load the networks; `tensors` gets the weights of each.

        Raises:
            BackboneError: `tensors` cannot get some.
        """
        made = cls(Proposal(), Refinement(), Output())
        networks = (made.proposal, made.refinement, made.output)
        for network, companion in zip(networks, weights.MTCNN, strict=True):
            network.load_state_dict(tensors(companion))
            network.eval().requires_grad_(False)
        return made

    def to(self, device: torch.device | str) -> Self:
        """Move the networks."""
        for network in (self.proposal, self.refinement, self.output):
            network.to(device)
        return self

    @torch.no_grad()
    def __call__(self, image: Tensor) -> list[Face]:
        """Find faces in (1, 3, H, W), RGB in [0, 1], the surest first."""
        image = (255 * image.float() - 127.5) / 128
        boxes = self._proposed(image)
        if len(boxes):
            sure, offsets = _look(self.refinement, image, boxes, 24)
            boxes, sure, offsets = _only(sure > _SURE[1], boxes, sure, offsets)
            boxes, offsets = _only(_best(boxes, sure, 0.7), boxes, offsets)
            boxes = _square(_moved(boxes, offsets))
        if not len(boxes):
            return []
        sure, offsets, points = _look(self.output, image, boxes, 48)
        boxes, sure, offsets, points = _only(sure > _SURE[2], boxes, sure, offsets, points)
        corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2] + 1
        places = points.view(-1, 2, 5).mT * size[:, None] + corner[:, None] - 1
        boxes = _moved(boxes, offsets)
        boxes, sure, places = _only(_best(boxes, sure, 0.7, of_smaller=True), boxes, sure, places)
        found = zip(boxes.tolist(), sure.tolist(), places.tolist(), strict=True)
        return [Face(tuple(box), chance, tuple(map(tuple, five))) for box, chance, five in found]

    def _proposed(self, image: Tensor) -> Tensor:
        """Return squares (N, 4) in which there may be faces."""
        height, width = image.shape[2:]
        # As many as there can be: the largest face is the picture.
        sizes = (_WINDOW / _SMALLEST * _STEP**number for number in range(100))
        found: list[tuple[Tensor, Tensor]] = []
        for scale in takewhile(lambda scale: min(height, width) * scale >= _WINDOW, sizes):
            small = [int(edge * scale + 1) for edge in (height, width)]
            sure, offsets = self.proposal(interpolate(image, small, mode="area"))
            place = (sure[0] >= _SURE[0]).nonzero()
            sure, offsets = sure[0][tuple(place.T)], offsets[0][:, *place.T].mT
            corner = _STRIDE * place.flip(1) + 1
            boxes = torch.cat([corner, corner + _WINDOW - 1], dim=1).div(scale).floor()
            kept = _best(boxes, sure, 0.5)
            size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
            found.append((torch.cat([boxes, boxes + offsets * size], 1)[kept], sure[kept]))
        if not found:
            return image.new_zeros(0, 4)
        both, sure = (torch.cat(each) for each in zip(*found, strict=True))
        return _square(both[_best(both[:, :4], sure, 0.7), 4:])


def overlap(a: Face, b: Face) -> float:
    """Return the share of two boxes that is common to both (intersection over union)."""
    (left, right), (top, bottom) = (
        (max(a.box[axis], b.box[axis]), min(a.box[axis + 2], b.box[axis + 2])) for axis in (0, 1)
    )
    common = max(0.0, right - left) * max(0.0, bottom - top)
    areas = [(x.box[2] - x.box[0]) * (x.box[3] - x.box[1]) for x in (a, b)]
    return common / (sum(areas) - common) if common else 0.0


def _look(
    network: Refinement | Output, image: Tensor, boxes: Tensor, edge: int
) -> tuple[Tensor, ...]:
    """Let a network see what is in boxes, as far as that is in the image."""
    height, width = image.shape[2:]
    cuttings = []
    for left, top, right, bottom in boxes.long().tolist():
        # Counted from 1, and in the image for at least a pixel.
        rows = slice(min(max(top, 1), height) - 1, max(min(bottom, height), 1))
        columns = slice(min(max(left, 1), width) - 1, max(min(right, width), 1))
        cuttings.append(interpolate(image[..., rows, columns], (edge, edge), mode="area"))
    parts = [network(part) for part in torch.split(torch.cat(cuttings), _AT_ONCE)]
    return tuple(torch.cat(each) for each in zip(*parts, strict=True))


def _only(which: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    return tuple(value[which] for value in values)


def _moved(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Move the corners by shares of the size."""
    return boxes + offsets * (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)


def _square(boxes: Tensor) -> Tensor:
    """Return squares of the longer edge with the same centres."""
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    edge = size.amax(1, keepdim=True)
    corner = corner + (size - edge) / 2
    return torch.cat([corner, corner + edge], dim=1)


def _best(boxes: Tensor, sure: Tensor, most: float, *, of_smaller: bool = False) -> Tensor:
    """Return which boxes to keep, the surest first: none that overlaps a surer one too much.

    Overlap is a share of the union, or of the smaller box.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    left = sure.argsort(descending=True, stable=True)
    kept: list[Tensor] = []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        corner = boxes[left, :2].maximum(boxes[first, :2])
        common = (boxes[left, 2:].minimum(boxes[first, 2:]) - corner).clamp(min=0).prod(1)
        smaller, union = areas[left].minimum(areas[first]), areas[left] + areas[first] - common
        left = left[common <= most * (smaller if of_smaller else union)]
    return torch.stack(kept) if kept else left
