"""Load the inputs of pairs: each decoded once, and read once per scale by the method."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from backbones.spec import BackboneError
from nstcli import images
from nstcli.engine.colors import COLORS
from nstcli.engine.face_mask import face_mask, kept
from nstcli.engine.guidance import EVERYWHERE, Guidance, Region
from nstcli.engine.masks import fitted
from nstcli.engine.memory import InTiles, Needs, advice, free_bytes, largest_size, lighter
from nstcli.engine.methods import BegunPainter, NetworkPainter, Painter, TilingPainter
from nstcli.engine.pyramid import shape_at, shrunk
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style, mixed
from nstcli.engine.tile_size import Chosen, chosen
from nstcli.engine.tiling import Tiling
from nstcli.errors import InputError
from nstcli.faces import Face
from nstcli.images import Picture
from nstcli.plan.pair import Input
from nstcli.recipe import OWN_INIT, Recipe
from nstcli.remembered import digest
from nstcli.run.faces import FaceFinder
from nstcli.run.framing import FINISH, canvas_of
from nstcli.run.job import Execution, Job
from nstcli.run.masks import Area, Beside, StylePart, Where, too_small, where
from nstcli.run.pixels import tensor_of
from nstcli.run.reading import Read, read_file
from nstcli.terms import Role
from nstcli.text import shown

# Times as long as without tiles, from which on that is told.
_LONG = 2.0
# Styles are kept until they fill this; those beyond are read anew for each pair, which costs a
# third of one step. (Dropping the oldest instead would miss every time, since styles come round.)
_STYLE_BYTES = 2**30


@dataclass(frozen=True)
class _View:
    """How a file is looked at.

    Attributes:
        size: longest edge in pixels.
        finish: that of the last scale, where it is another.
        aspect: what it is cut to, width to height; None for all of it.
        scale: how many times larger than these sizes it is read.
    """

    size: int
    finish: int
    aspect: tuple[int, int] | None = None
    scale: float = 1.0


@dataclass(eq=False)
class _Image:
    """A decoded file, as (1, 3, H, W) in [0, 1], and what was read of it, by scale.

    Attributes:
        picture: as large as a result of it.
        pixels: at the recipe's size.
        finish: at the last scale, where that is another.
        faces: that were found, in shares of its width and height; None where nobody looked.
        network: what a style is to its method that is no picture.
    """

    path: Path
    sha256: str
    picture: Picture
    pixels: Tensor
    finish: Tensor | None
    faces: tuple[Face, ...] | None = None
    network: Style | None = None
    contents: dict[float, Content] = field(default_factory=dict)
    # By the scale, and by what tells the mask from others.
    styles: dict[tuple[float, str], Style] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the file."""
        return tuple(f"{shown(self.path)}: {note}" for note in self.picture.notes)

    @property
    def largest(self) -> Tensor:
        """The pixels of the last scale."""
        return self.pixels if self.finish is None else self.finish

    @property
    def finish_factor(self) -> float | None:
        """How much larger than at the recipe's size it is at the last scale, where it is."""
        if self.finish is None:
            return None
        return max(self.finish.shape[-2:]) / max(self.pixels.shape[-2:])

    def at(self, factor: float, wraps: bool = False) -> Tensor:
        """Return the pixels of a scale; `wraps` tells whether it is a tile."""
        return self.largest if factor > 1 else shrunk(self.pixels, factor, wraps)

    @property
    def bytes_as_content(self) -> int:
        """Memory that it takes as a content so far, which is counted among a pair's needs, too."""
        read = self.contents.values()
        tensors = [x for each in read for x in (each.image, *each.statistics.values())]
        picture = self.picture.rgb.nbytes if self.pixels.device.type == "cpu" else 0
        return picture + _nbytes([self.pixels, self.largest, *tensors])

    @property
    def bytes_kept(self) -> int:
        """Memory that the pixels and the styles that were read take."""
        styles = [*self.styles.values(), *([self.network] if self.network else [])]
        return _nbytes([self.pixels, self.largest]) + sum(style.nbytes for style in styles)


@dataclass(frozen=True)
class _At:
    """A scale by its factor, and the tiles that its content and its artworks are looked at in."""

    factor: float
    tiling: Tiling | None
    style_tiling: Tiling | None


@dataclass(frozen=True, eq=False)
class Loaded:
    """All that making a pair needs of its files.

    Attributes:
        scales: from coarse to fine.
        content: in the size of the result, which may be larger than the last scale.
        notes: what the user should know of the files, a line each.
        needs: the memory that it takes.
    """

    scales: list[Scale]
    content: Picture
    notes: tuple[str, ...]
    needs: Needs


class Loader:
    """Decodes images and lets a method read them; keeps what several pairs share.

    All its jobs have the same `Settings.reading`: what is kept holds for them alone.
    """

    def __init__(self, painter: Painter, device: str, execution: Execution, read: Read = read_file):
        self._read = read
        self._painter = painter
        self._device = device
        self._max_pixels = execution.max_pixels
        self._tile = execution.tile
        self._memory = execution.memory
        self._content: _Image | None = None
        self._styles: dict[tuple[str, _View], _Image] = {}
        self._needs: dict[tuple[str, int], Needs] = {}
        self._in_tiles: dict[tuple[str, int], Sequence[InTiles]] = {}
        self._finder = FaceFinder(device, execution.offline)

    def load(self, job: Job) -> Loaded:
        """Read the files of a pair at every scale that suits them.

        Raises:
            InputError: a file cannot be used, or changed since it was planned, or the pair would
                not fit into memory, or its result not into its format.
        """
        recipe = job.settings.recipe
        content = self._content_of(job)
        decoded, view = self._styles_of(job, content)
        known = self._where(job, content, decoded, view)
        needed = self._needs_of(recipe, known.regions, decoded)
        smallest = min((style.pixels for style in decoded), key=lambda x: min(x.shape[-2:]))
        finish = content.finish_factor
        wanted = self._painter.factors(recipe, content.pixels, smallest, finish)
        look = self._fitting(job, content, decoded, needed, wanted, known.regions)
        styles = [_prepared(each, content, recipe) for each in decoded]
        begun = self._init_of(job, content)
        scales = [
            self._scale(
                content,
                styles,
                known,
                _At(factor, tiling, look.style),
                job,
                begun.at(factor, recipe.wraps) if begun else None,
            )
            for factor, tiling in zip(wanted, look.tilings, strict=True)
        ]
        if recipe.begun_by:
            with _naming_file(content.path):
                scales = cast(BegunPainter, self._painter).begun(scales, recipe)
        for each in decoded if "style" in job.pair.roles else ():
            self._keep(each, view)  # and nothing that holds with this content alone
        pictures = [content, *styles, *([begun] if begun else [])]
        notes = [note for each in pictures for note in each.notes]
        notes += [*_note_of_faces(content, recipe), *_note_of_size(content)]
        notes += _note_of_tiles(content, recipe, look)
        notes += [*known.notes, *too_small(known, scales[-1], self._painter.style_layers(recipe))]
        return Loaded(scales, content.picture, tuple(dict.fromkeys(notes)), needed)

    def fitting(self, loaded: Loaded) -> int:
        """Return how many pairs of this shape fit into memory at once, with some room left."""
        if any(scale.tiling for scale in loaded.scales):
            return 1
        image, needed = loaded.scales[-1].content.image, loaded.needs
        free = 0.8 * free_bytes(image.device, self._memory) - needed.fixed
        return max(1, int(free / needed.of_content(image[0, 0].numel())))

    def _fitting(
        self,
        job: Job,
        content: _Image,
        styles: Sequence[_Image],
        needed: Needs,
        factors: Sequence[float],
        regions: int,
    ) -> Chosen:
        """Choose how a pair is looked at, so that it fits into memory.

        Raises:
            InputError: it does not, or is to be looked at in tiles and cannot be.
        """
        with _naming_file(content.path):
            images.check_edges(job.settings.form.format, *content.picture.rgb.shape[:2])
        fixed = needed.fixed
        smallest = max(self._smallest(image) for image in (content, *styles))
        shapes = [
            _shape(content.largest) if factor > 1 else shape_at(*_shape(content.pixels), factor)
            for factor in factors
        ]
        largest = max((_shape(style.largest) for style in styles), key=math.prod)
        if isinstance(self._tile, int) and not needed.tiled:
            raise InputError(
                f"{shown(content.path)}: --tile {self._tile} is for --method optimize without the "
                "sliced term, whose distributions do not add up over tiles; leave it out"
            )
        painter, recipe = cast(TilingPainter, self._painter), job.settings.recipe

        def looked() -> tuple[Chosen, int]:
            free = free_bytes(content.pixels.device, self._memory) + content.bytes_as_content
            look = chosen(
                needed,
                shapes,
                largest,
                self._tile,
                free,
                lambda: self._in_tiles_of(recipe, regions),
                lambda shape, *, neck: painter.sights(shape, recipe, neck),
            )
            return look, free

        look, free = looked()
        if self._styles and (look.peak > free or any(look.tilings)):
            self._styles.clear()  # what is kept for other pairs is not what this one may lack
            look, free = looked()
        if look.peak <= free:
            return look
        if any(look.tilings):
            (height, width), gib = shapes[-1], 2**30
            each = (look.peak - fixed) / (height * width)
            fitting = largest_size(height, width, lambda pixels: each * pixels, free - fixed)
            helps = advice(fitting, smallest, self._device)
            other, spared = lighter(recipe)
            if spared and look.peak - spared * height * width <= free:
                helps = f"try --optimizer {other}, or {helps.removeprefix('try ')}"
            raise InputError(
                f"{shown(content.path)}: out of memory at {max(height, width)} px, even in tiles "
                f"(needs about {look.peak / gib:.1f} GiB, {free / gib:.1f} free); {helps}"
            )
        roles = ((content, needed.of_content), *((style, needed.of_style) for style in styles))
        for image, growing_with in roles:
            height, width = image.largest.shape[-2:]
            growing = growing_with(height * width)
            if fixed + growing > free:
                fitting = largest_size(height, width, growing_with, free - fixed)
                if image.finish_factor:
                    fitting = int(fitting / image.finish_factor) // 16 * 16
                raise InputError(
                    f"{shown(image.path)}: out of memory at {max(height, width)} px (needs about "
                    f"{(fixed + growing) / 2**30:.1f} GiB, {free / 2**30:.1f} free); "
                    f"{advice(fitting, smallest, self._device)}"
                )
        return look

    def _smallest(self, image: _Image) -> int:
        """Return the longest edge at which the shorter one is the least that the method can see."""
        edges = image.pixels.shape[-2:]
        return math.ceil(self._painter.minimum_size * max(edges) / min(edges))

    def _needs_of(self, recipe: Recipe, regions: int, styles: Sequence[_Image]) -> Needs:
        """Return what pictures need under a recipe; finding it out takes a while, so but once."""
        networks = [each.network for each in styles if each.network]
        if networks:
            return cast(NetworkPainter, self._painter).needs(recipe, regions, networks)
        kind = digest(recipe.per_pixel()), regions
        if kind not in self._needs:
            self._needs[kind] = self._painter.needs(recipe, regions)
        return self._needs[kind]

    def _in_tiles_of(self, recipe: Recipe, regions: int) -> Sequence[InTiles]:
        """Do the same in tiles, which takes longer."""
        kind = digest(recipe.per_pixel()), regions
        if kind not in self._in_tiles:
            painter = cast(TilingPainter, self._painter)
            self._in_tiles[kind] = painter.in_tiles(recipe, regions)
        return self._in_tiles[kind]

    def _content_of(self, job: Job) -> _Image:
        """Take the content from the pair before if it is the same: contents change least often.

        Of a pair without one it is gray, and no term looks at more of it than its size.
        """
        if "content" not in job.pair.roles:
            width, height = canvas_of(job.settings.recipe)
            return self._gray(job, height, width)
        found, sha256 = _inputs_of(job, "content")[0]
        recipe, known = job.settings.recipe, self._content
        if known and known.sha256 == sha256 and not (recipe.keep_faces and known.faces is None):
            return known
        self._content = known = None  # frees its memory before the next takes its own
        finish = FINISH * recipe.size if recipe.keep_size else recipe.size
        view = _View(recipe.size, finish, recipe.aspect)
        self._content = self._decode(found.path, sha256, view, faces=recipe.keep_faces > 0)
        return self._content

    def _styles_of(self, job: Job, content: _Image) -> tuple[list[_Image], _View]:
        """Return the artworks and how they are looked at; of a pair without one it is gray, too."""
        scale = job.settings.scale_of("style")
        view = _view_beside(content, job, cut=job.settings.recipe.fit == "crop", scale=scale)
        if "style" not in job.pair.roles:
            return [self._gray(job, *content.pixels.shape[-2:])], view
        known = _inputs_of(job, "style")
        if job.settings.recipe.by.networks:
            return [self._network_of(job, *each, content, view) for each in known], view
        found = [
            self._styles.get((sha256, view)) or self._decode(each.path, sha256, view)
            for each, sha256 in known
        ]
        return found, view

    def _network_of(
        self, job: Job, file: Input, sha256: str, content: _Image, view: _View
    ) -> _Image:
        """Return what stands for a style that is a network: a gray picture, read as that."""
        found = self._styles.get((sha256, view))
        if found is None:
            gray = self._gray(job, *content.pixels.shape[-2:])
            painter = cast(NetworkPainter, self._painter)
            self._read(file.path, sha256)  # it is still what it was
            style = painter.read_network(file.path, job.settings.recipe)
            found = replace(gray, path=file.path, sha256=sha256, network=style)
        return found

    def _where(self, job: Job, content: _Image, styles: Sequence[_Image], view: _View) -> Where:
        """Read what holds where, in the sizes of the pictures."""
        beside = [_beside(each, view.aspect) for each in styles]
        aspect = job.settings.recipe.aspect
        return where(job, _beside(content, aspect), beside, self._read, self._max_pixels)

    def _scale(
        self,
        content: _Image,
        styles: Sequence[_Image],
        known: Where,
        at: _At,
        job: Job,
        begun: Tensor | None,
    ) -> Scale:
        recipe = job.settings.recipe
        read = self._read_content(content, at, recipe)
        size = _shape(read.image)
        held = [(each.mask, self._style(each, styles, at, recipe)) for each in known.areas]
        whole = len(held) == 1 and held[0][0] is None
        regions = (
            Region(
                torch.ones_like(read.image[:, :1]) if mask is None else self._at(mask, size), own
            )
            for mask, own in held
        )
        maps = [None if m is None else self._at(m, size) for m in (known.content, known.style)]
        guidance = _guidance(content, at.factor, recipe).times(*maps)
        if not whole:
            guidance = replace(guidance, regions=tuple(regions))
        return Scale(read, held[0][1], guidance, begun, job.pair.roles, at.tiling)

    def _style(self, area: Area, styles: Sequence[_Image], at: _At, recipe: Recipe) -> Style:
        """Read the style of an area of the picture."""
        read = [self._read_style(styles[each.number], each, at, recipe) for each in area.parts]
        return mixed(read, [each.weight for each in area.parts])

    def _at(self, mask: Tensor, size: tuple[int, int]) -> Tensor:
        return fitted(mask, *size).to(self._device)

    def _init_of(self, job: Job, content: _Image) -> _Image | None:
        """Decode the picture to start from, if there is one, cut to the content's shape."""
        if job.settings.recipe.init != OWN_INIT:
            return None
        found, sha256 = _inputs_of(job, "init")[0]
        return self._decode(found.path, sha256, _view_beside(content, job, cut=True))

    def _keep(self, style: _Image, view: _View) -> None:
        taken = sum(image.bytes_kept for image in self._styles.values())
        if taken + style.bytes_kept <= _STYLE_BYTES:
            self._styles[style.sha256, view] = style

    def _read_content(self, image: _Image, at: _At, recipe: Recipe) -> Content:
        if at.factor not in image.contents:
            with _naming_file(image.path):
                pixels = image.at(at.factor, recipe.wraps)
                image.contents[at.factor] = (
                    cast(TilingPainter, self._painter).read_content(pixels, recipe, at.tiling)
                    if at.tiling
                    else self._painter.read_content(pixels, recipe)
                )
        return image.contents[at.factor]

    def _read_style(self, image: _Image, part: StylePart, at: _At, recipe: Recipe) -> Style:
        if image.network:
            return image.network
        place = at.factor, part.known_by
        if place not in image.styles:
            pixels = image.at(at.factor)
            mask = None if part.mask is None else self._at(part.mask, _shape(pixels))
            with _naming_file(image.path):
                if at.style_tiling:
                    painter = cast(TilingPainter, self._painter)
                    image.styles[place] = painter.read_style(pixels, mask, recipe, at.style_tiling)
                else:
                    image.styles[place] = self._painter.read_style(pixels, mask, recipe)
        return image.styles[place]

    def _decode(self, path: Path, sha256: str, view: _View, *, faces: bool = False) -> _Image:
        """Decode a file, and look for faces where they are wanted.

        Raises:
            InputError: it cannot be used, or changed, or what finds faces cannot be had.
        """
        whole = images.decode(self._read(path, sha256), shown(path), self._max_pixels)
        if view.aspect:
            whole = images.cropped(whole, view.aspect)
        seen = finished = images.resize(whole, view.size, view.scale)
        result = seen
        if view.finish > view.size:
            finished, result = images.resize(whole, view.finish, view.scale), whole
        if finished.width > whole.width:
            note = f"enlarged to {finished.width}×{finished.height} px, more than it has"
            result = replace(result, notes=(*result.notes, note))
        return _Image(
            path,
            sha256,
            result,
            self._tensor(seen),
            self._tensor(finished) if finished.rgb.shape != seen.rgb.shape else None,
            self._faces_of(whole, path) if faces else None,
        )

    def _faces_of(self, picture: Picture, path: Path) -> tuple[Face, ...]:
        """Find the faces of a photo, in shares of its width and height."""
        with _naming_file(path):
            found = self._finder.find(picture)
        return tuple(face.scaled(1 / picture.width, 1 / picture.height) for face in found)

    def _gray(self, job: Job, height: int, width: int) -> _Image:
        """Return what stands for an input that a pair does not have."""
        picture = Picture(np.full((height, width, 3), 128, np.uint8))
        return _Image(job.pair.paths[0], "", picture, self._tensor(picture), None)

    def _tensor(self, picture: Picture) -> Tensor:
        return tensor_of(picture).to(self._device)


def _nbytes(tensors: Iterable[Tensor]) -> int:
    """Return the memory of tensors, of which some may be the same."""
    return sum({each.data_ptr(): each.nbytes for each in tensors}.values())


def _shape(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def _beside(image: _Image, aspect: tuple[int, int] | None) -> Beside:
    height, width = image.largest.shape[-2:]
    return Beside(shown(image.path.name), (height, width), aspect)


def _view_beside(content: _Image, job: Job, *, cut: bool, scale: float = 1.0) -> _View:
    """Look at a picture in the sizes of its content, and in its shape where it is to be cut."""
    size = job.settings.recipe.size
    height, width = content.pixels.shape[-2:]
    finish = round(size * (content.finish_factor or 1))
    return _View(size, finish, (width, height) if cut else None, scale)


def _note_of_tiles(content: _Image, recipe: Recipe, look: Chosen) -> list[str]:
    """Say that memory is so short that tiles take long, and what spares some."""
    tiling, work, (other, spared) = look.tilings[-1], look.work[-1], lighter(recipe)
    if tiling is None or work < _LONG:
        return []
    height, width = tiling.size
    helps = f"; --optimizer {other} spares memory for larger ones" if spared else ""
    return [
        f"{shown(content.path)}: in tiles of {width}×{height} px, which take {work:.1f} times as "
        f"long as all at once{helps}"
    ]


def _note_of_size(content: _Image) -> list[str]:
    """Say how a result comes to the size of its photo."""
    painted, finished = (
        (each.shape[-1], each.shape[-2]) for each in (content.pixels, content.largest)
    )
    result = content.picture.width, content.picture.height
    ways = []
    if finished != painted:
        ways.append(f"finished at {finished[0]}×{finished[1]}")
    if result != finished:
        ways.append(f"enlarged to {result[0]}×{result[1]}")
    if not ways:
        return []
    return [f"painted at {painted[0]}×{painted[1]} px, {' and '.join(ways)}"]


def _inputs_of(job: Job, role: Role) -> list[tuple[Input, str]]:
    """Return the inputs of a role, and the digest of the bytes of each."""
    known = zip(job.pair.inputs, job.inputs, strict=True)
    return [(each, found.sha256) for each, found in known if each.role == role]


def _prepared(style: _Image, content: _Image, recipe: Recipe) -> _Image:
    """Return a style as the network is shown it, with nothing read of it where that is special."""
    colors = COLORS[recipe.colors]
    if not colors.prepares:
        return style
    pixels = colors.prepared(style.pixels, content.pixels)
    finish = (
        style.finish if style.finish is None else colors.prepared(style.finish, content.largest)
    )
    return replace(style, pixels=pixels, finish=finish, styles={})


def _guidance(content: _Image, factor: float, recipe: Recipe) -> Guidance:
    """Return what faces make hold where at a scale."""
    if not recipe.keep_faces or not content.faces:
        return EVERYWHERE
    height, width = content.at(factor).shape[-2:]
    mask = face_mask([face.scaled(width, height) for face in content.faces], height, width)
    return EVERYWHERE.times(*kept(mask.to(content.pixels.device), recipe.keep_faces))


def _note_of_faces(content: _Image, recipe: Recipe) -> tuple[str, ...]:
    """Say where there is no face to be kept."""
    if not recipe.keep_faces or content.faces:
        return ()
    return (f"{shown(content.path)}: no face was found in it, so all of it is painted alike",)


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    """Say which file is complained of."""
    try:
        yield
    except (BackboneError, InputError) as error:
        raise InputError(f"{shown(path)}: {error}") from error
