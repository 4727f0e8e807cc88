"""The images of a batch as the backbone sees them, each read once per scale."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from backbones.spec import BackboneError
from nstcli import images
from nstcli.engine.memory import Needs, advice, free_bytes, largest_size, needs
from nstcli.engine.pyramid import factors, shrunk
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style, read_content, read_style
from nstcli.errors import InputError
from nstcli.images import Picture
from nstcli.plan.pair import Job
from nstcli.recipe import Recipe
from nstcli.text import shown

# Styles are kept until they fill this; those beyond are read anew for each pair, which costs a
# third of one step. (Dropping the oldest instead would miss every time, since styles come round.)
_STYLE_BYTES = 2**30


@dataclass(eq=False)
class _Image:
    """A decoded file, as (1, 3, H, W) in [0, 1], and what was read of it, by scale."""

    path: Path
    sha256: str
    picture: Picture
    pixels: Tensor
    contents: dict[float, Content] = field(default_factory=dict)
    styles: dict[float, Style] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the file."""
        return tuple(f"{shown(self.path)}: {note}" for note in self.picture.notes)

    @property
    def bytes_kept(self) -> int:
        """Memory that the style readings take."""
        return self.pixels.nbytes + sum(style.nbytes for style in self.styles.values())


@dataclass(frozen=True, eq=False)
class Reading:
    """All that making a pair needs of its two files."""

    scales: list[Scale]
    content: Picture
    notes: tuple[str, ...]


class Readings:
    """Decodes and reads images for one extractor and one recipe; keeps what several pairs share.

    `format` is that of the results; `memory` the bytes of the main memory that may be taken, None
    for what there is.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        recipe: Recipe,
        device: str,
        max_pixels: int,
        format: str = "png",
        memory: float | None = None,
    ):
        self._extractor = extractor
        self._recipe = recipe
        self._device = device
        self._max_pixels = max_pixels
        self._format = format
        self._memory = math.inf if memory is None else memory
        self._content: _Image | None = None
        self._styles: dict[str, _Image] = {}

    def read(self, job: Job) -> Reading:
        """Read both files of a pair at every scale that suits them.

        Raises:
            InputError: a file cannot be used, or changed since it was planned, or the pair would
                not fit into memory, or its result not into its format.
        """
        content = self._content_of(job)
        style = self._style_of(job)
        self._refuse_too_large(content, style)
        minimum = self._extractor.backbone.minimum_size
        scales = [
            Scale(self._read_content(content, factor), self._read_style(style, factor))
            for factor in factors(self._recipe, content.pixels, style.pixels, minimum)
        ]
        self._keep(style)
        return Reading(scales, content.picture, content.notes + style.notes)

    def fitting(self, reading: Reading) -> int:
        """Return how many pairs of this shape fit into memory at once, with some room left."""
        image = reading.scales[-1].content.image
        needed = self._needs.optimizing * image[0, 0].numel()
        free = 0.8 * free_bytes(image.device, self._memory) - self._needs.fixed
        return max(1, int(free / needed))

    def _refuse_too_large(self, content: _Image, style: _Image) -> None:
        with _about(content.path):
            images.check_edges(self._format, *content.picture.rgb.shape[:2])
        free, fixed = free_bytes(content.pixels.device, self._memory), self._needs.fixed
        smallest = max(_smallest(image, self._extractor) for image in (content, style))
        roles = ((content, self._needs.optimizing), (style, self._needs.reading))
        for image, bytes_per_pixel in roles:
            height, width = image.pixels.shape[-2:]
            longest, growing = max(height, width), bytes_per_pixel * height * width
            if fixed + growing > free:
                fitting = largest_size(longest, growing, free - fixed)
                raise InputError(
                    f"{shown(image.path)}: out of memory at {longest} px (needs about "
                    f"{(fixed + growing) / 2**30:.1f} GiB, {free / 2**30:.1f} free); "
                    f"{advice(fitting, smallest)}"
                )

    @cached_property
    def _needs(self) -> Needs:
        return needs(self._extractor, self._recipe)

    def _content_of(self, job: Job) -> _Image:
        """Take the content from the pair before if it is the same: contents change least often."""
        if self._content is None or self._content.sha256 != job.content_sha256:
            self._content = None  # frees its memory before the next takes its own
            self._content = self._load(job.pair.content, job.content_sha256)
        return self._content

    def _style_of(self, job: Job) -> _Image:
        kept = self._styles.get(job.style_sha256)
        return kept or self._load(job.pair.style, job.style_sha256)

    def _keep(self, style: _Image) -> None:
        taken = sum(image.bytes_kept for image in self._styles.values())
        if taken + style.bytes_kept <= _STYLE_BYTES:
            self._styles[style.sha256] = style

    def _read_content(self, image: _Image, factor: float) -> Content:
        if factor not in image.contents:
            pixels = shrunk(image.pixels, factor)
            with _about(image.path):
                image.contents[factor] = read_content(self._extractor, pixels, self._recipe)
        return image.contents[factor]

    def _read_style(self, image: _Image, factor: float) -> Style:
        if factor not in image.styles:
            pixels = shrunk(image.pixels, factor)
            with _about(image.path):
                image.styles[factor] = read_style(self._extractor, [pixels], self._recipe)
        return image.styles[factor]

    def _load(self, path: Path, sha256: str) -> _Image:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InputError(f"{shown(path)}: changed while the batch was running; run it again")
        picture = images.resize(
            images.decode(data, shown(path), self._max_pixels), self._recipe.size
        )
        pixels = torch.from_numpy(picture.rgb).to(self._device)
        # Contiguous at the door, since optimizers look at the picture as one long vector.
        pixels = pixels.permute(2, 0, 1)[None].float().div(255).contiguous()
        return _Image(path, sha256, picture, pixels)


def _smallest(image: _Image, extractor: FeatureExtractor) -> int:
    """Return the longest edge at which the shorter one is the least that the backbone can see."""
    edges = image.pixels.shape[-2:]
    return math.ceil(extractor.backbone.minimum_size * max(edges) / min(edges))


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Say which file is complained of."""
    try:
        yield
    except (BackboneError, InputError) as error:
        raise InputError(f"{shown(path)}: {error}") from error
