"""One pair from end to end: two files in, the encoded result and its record out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import nstcli
from backbones.hooks import FeatureExtractor
from backbones.spec import BackboneError
from nstcli import images
from nstcli.batch.plan import Job, shown
from nstcli.batch.records import Record
from nstcli.engine.stylize import Result, Step, stylize
from nstcli.engine.targets import Content, Style, read_content, read_style
from nstcli.errors import InputError
from nstcli.images import Picture
from nstcli.recipe import Recipe

# Styles are kept until they fill this; those beyond are read anew for each pair, which costs a
# third of one step. (Dropping the oldest instead would miss every time, since styles come round.)
_STYLE_BYTES = 2**30


@dataclass(frozen=True)
class Made:
    """A finished pair, not yet on the disk."""

    data: bytes
    record: Record


class Worker:
    """Makes pairs with one backbone, one recipe, one device; keeps what several pairs share."""

    def __init__(
        self, extractor: FeatureExtractor, recipe: Recipe, device: str, format: str, quality: int
    ):
        self._extractor = extractor.to(device)
        self._recipe = recipe
        self._device = device
        self._format = format
        self._quality = quality
        self._content: tuple[str, tuple[Picture, Content]] | None = None
        self._styles: dict[str, tuple[tuple[str, ...], Style]] = {}
        self._style_bytes = 0

    def make(self, job: Job, on_step: Callable[[Step], None]) -> Made:
        """Make one pair.

        Raises:
            InputError: one of the two files cannot be used, or changed since it was planned;
                or there is not enough memory.
            DivergedError: the optimization failed.
        """
        started = time.perf_counter()
        with _memory_limits(self._recipe.size):
            picture, content = self._read_content(job.pair.content, job.content_sha256)
            notes, style = self._read_style(job.pair.style, job.style_sha256)
            result = stylize(self._extractor, content, style, self._recipe, on_step)
        data = images.encode(
            _to_array(result.image),
            picture.alpha,
            self._format,
            self._quality,
            self._metadata(job),
        )
        notes = _notes(job.pair.content, picture) + notes
        return Made(data, self._record(job, data, result, time.perf_counter() - started, notes))

    def _read_content(self, path: Path, sha256: str) -> tuple[Picture, Content]:
        """Read the content, or take it from the pair before: contents change least often."""
        if not self._content or self._content[0] != sha256:
            self._content = None  # frees its memory before the next takes its own
            picture, image = self._load(path, sha256)
            with _about(path):
                content = read_content(self._extractor, image, self._recipe)
            self._content = sha256, (picture, content)
        return self._content[1]

    def _read_style(self, path: Path, sha256: str) -> tuple[tuple[str, ...], Style]:
        """Read the style, with the notes on its file, or take it from an earlier pair."""
        if sha256 in self._styles:
            return self._styles[sha256]
        picture, image = self._load(path, sha256)
        with _about(path):
            style = read_style(self._extractor, [image], self._recipe)
        size = sum(tensor.nbytes for tensor in (image, *style.grams.values()))
        if self._style_bytes + size <= _STYLE_BYTES:
            self._style_bytes += size
            self._styles[sha256] = _notes(path, picture), style
        return _notes(path, picture), style

    def _load(self, path: Path, sha256: str) -> tuple[Picture, Tensor]:
        """Return a file's picture at the recipe's size, also as (1, 3, H, W) in [0, 1]."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InputError(f"{shown(path)}: changed while the batch was running; run it again")
        picture = images.resize(images.decode(data, shown(path)), self._recipe.size)
        pixels = torch.from_numpy(picture.rgb).to(self._device)
        # Contiguous at the door: L-BFGS and others flatten the picture in place.
        return picture, pixels.permute(2, 0, 1)[None].float().div(255).contiguous()

    def _metadata(self, job: Job) -> dict[str, str]:
        """Say in the file itself how it was made; nothing of paths or time, which vary."""
        made = {
            "key": job.key,
            "content_sha256": job.content_sha256,
            "style_sha256": job.style_sha256,
            "recipe": self._recipe.model_dump(mode="json"),
        }
        return {"Software": f"nst {nstcli.__version__}", "nst": json.dumps(made, sort_keys=True)}

    def _record(
        self, job: Job, data: bytes, result: Result, seconds: float, notes: tuple[str, ...]
    ) -> Record:
        height, width = result.image.shape[-2:]
        return Record(
            key=job.key,
            output_sha256=hashlib.sha256(data).hexdigest(),
            content=shown(job.pair.content),
            content_sha256=job.content_sha256,
            style=shown(job.pair.style),
            style_sha256=job.style_sha256,
            recipe=self._recipe,
            format=self._format,
            quality=self._quality,
            version=nstcli.__version__,
            device=self._device,
            width=width,
            height=height,
            seconds=round(seconds, 3),
            loss=result.loss,
            content_error=result.content_error,
            style_error=result.style_error,
            style_error_before=result.style_error_before,
            notes=notes,
        )


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Say of which file a backbone complains."""
    try:
        yield
    except BackboneError as error:
        raise InputError(f"{shown(path)}: {error}") from error


def _notes(path: Path, picture: Picture) -> tuple[str, ...]:
    return tuple(f"{shown(path.name)}: {note}" for note in picture.notes)


def _to_array(image: Tensor) -> NDArray[np.uint8]:
    """Round (1, 3, H, W) in [0, 1] to uint8 (H, W, 3)."""
    array: NDArray[np.uint8] = image[0].mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(array)


@contextmanager
def _memory_limits(size: int) -> Iterator[None]:
    """Turn running out of memory into advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # On the CPU, torch tells it by a RuntimeError's text alone.
        known = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not known and "can't allocate memory" not in str(error):
            raise
        raise InputError(f"out of memory at {size} px; try --size {size // 2}") from error
