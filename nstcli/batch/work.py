"""One pair from end to end: two files in, the encoded result and its record out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import nstcli
from backbones.hooks import FeatureExtractor
from nstcli import images
from nstcli.batch.plan import Job, shown
from nstcli.batch.readings import Readings
from nstcli.batch.records import Record, stopped_key
from nstcli.engine.precision import Precision
from nstcli.engine.stylize import OnStep, Result, stylize
from nstcli.errors import InputError
from nstcli.recipe import Recipe


@dataclass(frozen=True)
class Made:
    """A finished pair, not yet on the disk."""

    data: bytes
    record: Record


class Worker:
    """Makes pairs with one backbone, one recipe, one device."""

    def __init__(
        self,
        extractor: FeatureExtractor,
        recipe: Recipe,
        device: str,
        precision: Precision,
        format: str,
        quality: int,
    ):
        self.device = device
        self.precision = precision
        self._extractor = extractor
        self._readings = Readings(extractor, recipe, device)
        self._recipe = recipe
        self._format = format
        self._quality = quality

    def make(self, job: Job, on_step: OnStep) -> Made:
        """Make one pair. When `on_step` stops it, the result is the best picture so far.

        Raises:
            InputError: one of the two files cannot be used, or changed since it was planned;
                or there is not enough memory.
            DivergedError: the optimization failed.
        """
        started = time.perf_counter()
        with _memory_limits(self._recipe.size):
            reading = self._readings.read(job)
            result = stylize(self._extractor, reading.scales, self._recipe, on_step)
        if result.stopped:  # so that it never passes for the finished one
            job = replace(job, key=stopped_key(job.key))
        alpha = reading.content.alpha
        rgb = _to_array(result.image)
        data = images.encode(rgb, alpha, self._format, self._quality, self._metadata(job))
        seconds = time.perf_counter() - started
        return Made(data, self._record(job, data, result, seconds, reading.notes))

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
            recipe=self._recipe.model_dump(mode="json"),
            format=self._format,
            quality=self._quality,
            version=nstcli.__version__,
            device=self.device,
            precision=str(self.precision),
            width=width,
            height=height,
            seconds=round(seconds, 3),
            steps=result.steps,
            loss=result.loss,
            content_error=result.content_error,
            style_error=result.style_error,
            style_error_before=result.style_error_before,
            notes=notes,
        )


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
