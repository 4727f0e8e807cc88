"""What holds where in the picture of a job: its masks and maps, read and fitted to the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nstcli import images
from nstcli.engine.masks import covers, fitted
from nstcli.engine.stylize import Scale
from nstcli.errors import InputError
from nstcli.images import Picture
from nstcli.run.job import Job
from nstcli.terms import Role
from nstcli.text import shown

# Shapes that differ by less are the same, beside what whole pixels make of them.
_ALIKE = 0.02


@dataclass(frozen=True, eq=False)
class Beside:
    """A picture that masks belong to.

    Attributes:
        name: of its file.
        size: of its pixels at the largest scale, (height, width).
        aspect: what it was cut to, width to height; None where it was not.
    """

    name: str
    size: tuple[int, int]
    aspect: tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class StylePart:
    """An artwork, or a part of it, among those that make a style.

    Attributes:
        number: of the artwork among those of the pair, from 0.
        weight: how much it counts.
        mask: of its pixels, (1, 1, H, W) at its largest scale; None for all of it.
        known_by: what tells its mask from others.
    """

    number: int
    weight: float
    mask: Tensor | None = None
    known_by: str = ""


@dataclass(frozen=True, eq=False)
class Area:
    """A part of the picture, (1, 1, H, W) at its largest scale or None for all, and its style."""

    title: str
    mask: Tensor | None
    parts: tuple[StylePart, ...]


@dataclass(frozen=True, eq=False)
class Where:
    """What holds where in a picture at its largest scale; see `nstcli.engine.guidance`.

    Attributes:
        content: how much the content counts, (1, 1, H, W), None for 1 everywhere.
        style: how much of the style there is, likewise.
        areas: one for all of the picture, or several.
        notes: what the user should know of it, a line each.
    """

    content: Tensor | None
    style: Tensor | None
    areas: tuple[Area, ...]
    notes: tuple[str, ...]

    @property
    def regions(self) -> int:
        """How many regions memory has to be foretold for; see `nstcli.engine.memory.needs`."""
        if len(self.areas) == 1 and self.areas[0].mask is None:
            return int(self.content is not None or self.style is not None)
        return len(self.areas)


def where(
    job: Job,
    content: Beside,
    styles: Sequence[Beside],
    read: Callable[[Path, str], bytes],
    max_pixels: int,
) -> Where:
    """Read the masks and maps of a job.

    Args:
        job: with the inputs.
        content: what is painted.
        styles: the artworks, in the order of the inputs.
        read: returns the bytes of a file with this digest.
        max_pixels: that a map may have.

    Raises:
        InputError: one cannot be used, or all of them leave nothing to be painted after.
    """
    return _Reader(job, content, styles, read, max_pixels).where()


@dataclass(frozen=True, eq=False)
class _Reader:
    job: Job
    content: Beside
    styles: Sequence[Beside]
    read: Callable[[Path, str], bytes]
    max_pixels: int
    notes: list[str] = field(default_factory=list)

    def where(self) -> Where:
        masks = self._levels("content-mask", [self.content])
        strength = self._levels("style-strength-map", [self.content])
        counts = self._levels("content-weight-map", [self.content])
        if len(masks) == 1:
            strength += masks
        style = _product([each for each in strength if each is not None])
        if style is not None and not style.any():
            self.notes.append("no place of the picture takes any style")
        # Of a pair without a style, something stands for it.
        weights = [each.weight for each in self._inputs_of("style")] or [1.0]
        parts = [
            StylePart(number, weight, mask, known)
            for number, (weight, (mask, known)) in enumerate(
                zip(weights, self._style_masks(), strict=True)
            )
        ]
        if any(each.role == "content-regions" for each in self.job.pair.inputs):
            areas = self._regions(parts)
        elif len(masks) > 1:
            most = max(part.weight for part in parts)
            areas = [
                Area(f"of {beside.name}", _times(mask, part.weight / most), (part,))
                for beside, mask, part in zip(self.styles, masks, parts, strict=True)
            ]
        else:
            areas = [Area("that takes style", None, tuple(parts))]
        content = next(iter(counts), None)
        return Where(content, style, tuple(areas), tuple(self.notes))

    def _inputs_of(self, role: Role) -> list[_Known]:
        known = zip(self.job.pair.inputs, self.job.inputs, strict=True)
        return [_Known(i.path, k.sha256, i.weight) for i, k in known if i.role == role]

    def _levels(self, role: Role, beside: Sequence[Beside]) -> list[Tensor | None]:
        """Return the gray levels of all maps of a role, in [0, 1]; None where all are white."""
        known = self._inputs_of(role)
        belongs = beside if len(beside) == len(known) else [beside[0]] * len(known)
        found: list[Tensor | None] = []
        for each, picture in zip(known, belongs, strict=True):
            levels = images.gray(self._picture(each, picture))
            white = bool((levels == 255).all())
            found.append(None if white else _mask(levels, picture))
        return found

    def _style_masks(self) -> list[tuple[Tensor | None, str]]:
        """Return the mask of every artwork, and what tells it from others."""
        masks = self._levels("style-mask", self.styles)
        if not masks:
            return [(None, "")] * len(self.styles)
        known = self._inputs_of("style-mask")
        for each, mask in zip(known, masks, strict=True):
            if mask is not None and not mask.any():
                raise InputError(f"{shown(each.path)}: black everywhere: no style is left of it")
        return [
            (mask, "" if mask is None else each.sha256)
            for each, mask in zip(known, masks, strict=True)
        ]

    def _regions(self, parts: Sequence[StylePart]) -> list[Area]:
        """Match the regions of the content with those of the artworks."""
        (known,) = self._inputs_of("content-regions")
        own = self._region_map(known, self.content)
        theirs = self._inputs_of("style-regions")
        maps = [
            self._region_map(each, beside) for each, beside in zip(theirs, self.styles, strict=True)
        ]
        areas = []
        for color in own.colors:
            held = []
            for part, each, of_style, beside in zip(parts, theirs, maps, self.styles, strict=True):
                other = dict(images.shared_colors(own, of_style)).get(color)
                if other is None:
                    continue
                region = _mask(of_style.mask(other), beside)
                mask = _product([m for m in (region, part.mask) if m is not None])
                name = f"{part.known_by} {each.sha256} {other}"
                whole = len(of_style.colors) == 1 and part.mask is None
                held.append(part if whole else replace(part, mask=mask, known_by=name))
            title = "#{:02x}{:02x}{:02x}".format(*color)
            if held:
                mask = None if len(own.colors) == 1 else _mask(own.mask(color), self.content)
                areas.append(Area(title, mask, tuple(held)))
            else:
                self.notes.append(
                    f"{shown(known.path)}: its region {title} is in no map of an artwork, and "
                    "takes no style"
                )
        if not areas:
            raise InputError(
                f"{shown(known.path)} and {shown(theirs[0].path)} have no colour in common"
            )
        return areas

    def _region_map(self, known: _Known, beside: Beside) -> images.RegionMap:
        with _naming(known.path):
            return images.regions(self._picture(known, beside))

    def _picture(self, known: _Known, beside: Beside) -> Picture:
        """Decode a map, cut as the picture that it belongs to; tell of another shape."""
        name = shown(known.path)
        data = self.read(known.path, known.sha256)
        picture = images.decode_map(data, name, self.max_pixels)
        if beside.aspect:
            picture = images.cropped(picture, beside.aspect)
        self.notes.extend(f"{name}: {note}" for note in picture.notes)
        height, width = beside.size
        rounding = 1 / min(height, width) + 1 / min(picture.height, picture.width)
        if abs(picture.width * height / (picture.height * width) - 1) > _ALIKE + rounding:
            self.notes.append(
                f"{name}: {picture.width}×{picture.height} px is not the shape of {beside.name}, "
                "to which it was stretched"
            )
        return picture


@dataclass(frozen=True)
class _Known:
    """An input of a role with what is known of it."""

    path: Path
    sha256: str
    weight: float


def too_small(where: Where, scale: Scale, layers: Sequence[str]) -> Iterator[str]:
    """Tell which areas have too few positions at which of these layers, at the largest scale."""
    for area, (_, held, style) in zip(where.areas, scale.guidance.areas(scale.style), strict=True):
        if not layers or (held is not None and not held.any()):
            continue
        grids = scale.content.grids
        small = [
            layer
            for layer in layers
            if layer in style.unseen or (held is not None and not covers(held, grids[layer]))
        ]
        if small:
            which = ", ".join(small) if len(small) < len(layers) else "every layer"
            yield f"the part {area.title} is too small for {which}, which leaves it out"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{shown(path)} {error}") from error


def _mask(levels: NDArray[np.uint8], beside: Beside) -> Tensor:
    """Return gray levels (H, W) as weights (1, 1, h, w), as large as a picture."""
    return fitted(torch.from_numpy(levels).float().div(255)[None, None], *beside.size)


def _product(masks: Sequence[Tensor]) -> Tensor | None:
    return None if not masks else torch.stack([*masks]).prod(0)


def _times(mask: Tensor | None, factor: float) -> Tensor | None:
    return mask if mask is None else mask * factor
