"""The images of a batch as the backbone sees them, each read once per scale."""

import hashlib
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
from nstcli.batch.plan import Job, shown
from nstcli.engine.memory import bytes_per_pixel, free_bytes, largest_size
from nstcli.engine.pyramid import factors, shrunk
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style, read_content, read_style
from nstcli.errors import InputError
from nstcli.images import Picture
from nstcli.recipe import Recipe

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
        tensors = [
            t for style in self.styles.values() for t in (style.image, *style.grams.values())
        ]
        return self.pixels.nbytes + sum(tensor.nbytes for tensor in tensors)


@dataclass(frozen=True, eq=False)
class Reading:
    """All that making a pair needs of its two files."""

    scales: list[Scale]
    content: Picture
    notes: tuple[str, ...]


class Readings:
    """Decodes and reads images for one extractor and one recipe; keeps what several pairs share."""

    def __init__(self, extractor: FeatureExtractor, recipe: Recipe, device: str, max_pixels: int):
        self._extractor = extractor
        self._recipe = recipe
        self._device = device
        self._max_pixels = max_pixels
        self._content: _Image | None = None
        self._styles: dict[str, _Image] = {}

    def read(self, job: Job) -> Reading:
        """Read both files of a pair at every scale that suits them.

        Raises:
            InputError: a file cannot be used, or changed since it was planned, or the pair would
                not fit into memory.
        """
        content = self._content_of(job)
        style = self._style_of(job)
        self._refuse_too_large(content)
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
        needed = self._bytes_per_pixel * image[0, 0].numel()
        return max(1, int(0.8 * free_bytes(image.device) / needed))

    def _refuse_too_large(self, content: _Image) -> None:
        height, width = content.pixels.shape[-2:]
        needed = self._bytes_per_pixel * height * width
        free = free_bytes(content.pixels.device)
        if needed > free:
            fitting = largest_size(max(height, width), needed, free)
            raise InputError(
                f"{shown(content.path)}: out of memory at {max(height, width)} px (needs about "
                f"{needed / 2**30:.1f} GiB, {free / 2**30:.1f} free); try --size {fitting}"
            )

    @cached_property
    def _bytes_per_pixel(self) -> float:
        return bytes_per_pixel(self._extractor, self._recipe)

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


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Say of which file a backbone complains."""
    try:
        yield
    except BackboneError as error:
        raise InputError(f"{shown(path)}: {error}") from error
