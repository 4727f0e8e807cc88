"""Load the inputs of pairs: each decoded once, and read once per scale."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from backbones.spec import BackboneError
from nstcli import images
from nstcli.engine.colors import COLORS
from nstcli.engine.memory import Needs, advice, free_bytes, largest_size, needs
from nstcli.engine.pyramid import factors, shrunk
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style, read_content, read_style
from nstcli.errors import InputError
from nstcli.images import Picture
from nstcli.plan.pair import Input
from nstcli.recipe import Recipe
from nstcli.remembered import digest
from nstcli.run.job import Execution, Job
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
        """Memory that the pixels and the style statistics take."""
        return self.pixels.nbytes + sum(style.nbytes for style in self.styles.values())


@dataclass(frozen=True, eq=False)
class Loaded:
    """All that making a pair needs of its files."""

    scales: list[Scale]
    content: Picture
    notes: tuple[str, ...]


class Loader:
    """Decodes and reads images for one network; keeps what several pairs share.

    All its jobs have the same `Settings.reading`: what is kept holds for them alone.
    """

    def __init__(self, extractor: FeatureExtractor, device: str, execution: Execution):
        self._extractor = extractor
        self._device = device
        self._max_pixels = execution.max_pixels
        self._memory = math.inf if execution.memory is None else execution.memory
        self._content: _Image | None = None
        self._styles: dict[str, _Image] = {}
        self._needs: dict[str, Needs] = {}

    def load(self, job: Job) -> Loaded:
        """Read the files of a pair at every scale that suits them.

        Raises:
            InputError: a file cannot be used, or changed since it was planned, or the pair would
                not fit into memory, or its result not into its format.
        """
        recipe = job.settings.recipe
        content = self._content_of(job)
        decoded = self._style_of(job)
        self._refuse_too_large(job, content, decoded)
        style = _prepared(decoded, content, recipe)
        minimum = self._extractor.backbone.minimum_size
        scales = [
            Scale(
                self._read_content(content, factor, recipe),
                self._read_style(style, factor, recipe),
            )
            for factor in factors(recipe, content.pixels, style.pixels, minimum)
        ]
        self._keep(decoded)  # and nothing that holds with this content alone
        return Loaded(scales, content.picture, content.notes + style.notes)

    def fitting(self, loaded: Loaded, recipe: Recipe) -> int:
        """Return how many pairs of this shape fit into memory at once, with some room left."""
        image = loaded.scales[-1].content.image
        needed = self._needs_of(recipe)
        free = 0.8 * free_bytes(image.device, self._memory) - needed.fixed
        return max(1, int(free / (needed.optimizing * image[0, 0].numel())))

    def _refuse_too_large(self, job: Job, content: _Image, style: _Image) -> None:
        with _naming_file(content.path):
            images.check_edges(job.settings.form.format, *content.picture.rgb.shape[:2])
        needed = self._needs_of(job.settings.recipe)
        free, fixed = free_bytes(content.pixels.device, self._memory), needed.fixed
        smallest = max(_smallest(image, self._extractor) for image in (content, style))
        roles = ((content, needed.optimizing), (style, needed.reading))
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

    def _needs_of(self, recipe: Recipe) -> Needs:
        """Return what pictures need under a recipe; finding it out takes a while, so but once."""
        kind = digest(recipe.per_pixel())
        if kind not in self._needs:
            self._needs[kind] = needs(self._extractor, recipe)
        return self._needs[kind]

    def _content_of(self, job: Job) -> _Image:
        """Take the content from the pair before if it is the same: contents change least often."""
        found, sha256 = _input_of(job, "content")
        if not self._content or self._content.sha256 != sha256:
            self._content = None  # frees its memory before the next takes its own
            self._content = self._decode(found.path, sha256, job.settings.recipe.size)
        return self._content

    def _style_of(self, job: Job) -> _Image:
        found, sha256 = _input_of(job, "style")
        kept = self._styles.get(sha256)
        size, scale = job.settings.recipe.size, job.settings.scale_of("style")
        return kept or self._decode(found.path, sha256, size, scale)

    def _keep(self, style: _Image) -> None:
        taken = sum(image.bytes_kept for image in self._styles.values())
        if taken + style.bytes_kept <= _STYLE_BYTES:
            self._styles[style.sha256] = style

    def _read_content(self, image: _Image, factor: float, recipe: Recipe) -> Content:
        if factor not in image.contents:
            pixels = shrunk(image.pixels, factor)
            with _naming_file(image.path):
                image.contents[factor] = read_content(self._extractor, pixels, recipe)
        return image.contents[factor]

    def _read_style(self, image: _Image, factor: float, recipe: Recipe) -> Style:
        if factor not in image.styles:
            pixels = shrunk(image.pixels, factor)
            with _naming_file(image.path):
                image.styles[factor] = read_style(self._extractor, [pixels], recipe)
        return image.styles[factor]

    def _decode(self, path: Path, sha256: str, size: int, scale: float = 1.0) -> _Image:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InputError(f"{shown(path)}: changed while the batch was running; run it again")
        decoded = images.decode(data, shown(path), self._max_pixels)
        picture = images.resize(decoded, size, scale)
        if picture.width > decoded.width:
            note = f"enlarged to {picture.width}×{picture.height} px, more than it has"
            picture = replace(picture, notes=(*picture.notes, note))
        pixels = torch.from_numpy(picture.rgb).to(self._device)
        # Contiguous from the start, since optimizers look at the picture as one long vector.
        pixels = pixels.permute(2, 0, 1)[None].float().div(255).contiguous()
        return _Image(path, sha256, picture, pixels)


def _input_of(job: Job, role: str) -> tuple[Input, str]:
    """Return the input of a role, and the digest of its bytes."""
    known = zip(job.pair.inputs, job.inputs, strict=True)
    return next((each, found.sha256) for each, found in known if each.role == role)


def _prepared(style: _Image, content: _Image, recipe: Recipe) -> _Image:
    """Return a style as the network is shown it, with nothing read of it where that is special."""
    colors = COLORS[recipe.colors]
    if not colors.prepares:
        return style
    return replace(style, pixels=colors.prepared(style.pixels, content.pixels), styles={})


def _smallest(image: _Image, extractor: FeatureExtractor) -> int:
    """Return the longest edge at which the shorter one is the least that the backbone can see."""
    edges = image.pixels.shape[-2:]
    return math.ceil(extractor.backbone.minimum_size * max(edges) / min(edges))


@contextmanager
def _naming_file(path: Path) -> Iterator[None]:
    """Say which file is complained of."""
    try:
        yield
    except (BackboneError, InputError) as error:
        raise InputError(f"{shown(path)}: {error}") from error
