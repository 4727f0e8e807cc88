"""Pairs from end to end: files in, encoded pictures and their records out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import nstcli
from backbones.hooks import FeatureExtractor
from nstcli import images
from nstcli.engine.memory import advice, peak_bytes
from nstcli.engine.precision import Precision
from nstcli.engine.progress import Step
from nstcli.engine.stylize import Result, stylize_together
from nstcli.errors import DivergedError, InputError, NstError
from nstcli.plan.pair import Job
from nstcli.recipe import Recipe
from nstcli.results.records import Form, Record, stopped_key
from nstcli.run.events import Failed, Made, Outcome
from nstcli.run.loader import Reading, Readings
from nstcli.text import stored

# The jobs at work, and an event for each. What it returns tells whether to stop.
OnSteps = Callable[[Sequence[Job], Sequence[Step]], bool | None]

# What torch says of it: on Linux and macOS, and on Windows.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory")


class OutOfMemoryError(InputError):
    """The device has no room for so many pixels at once."""


class TimedOutError(NstError):
    """A pair took longer than the user allows."""


@dataclass(frozen=True, eq=False)
class _Task:
    """A job with its files read, and the seconds that this took."""

    job: Job
    reading: Reading
    seconds: float

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the content at every scale; where they agree, pairs can be made at once."""
        return [tuple(scale.content.image.shape) for scale in self.reading.scales]


class Worker:
    """Makes pairs with one backbone, one recipe, one device.

    `timeout` is in seconds for a pair, None for as long as it takes.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        readings: Readings,
        recipe: Recipe,
        device: str,
        precision: Precision,
        form: Form,
        timeout: float | None = None,
    ):
        self.device = device
        self.precision = precision
        self._extractor = extractor
        self._readings = readings
        self._recipe = recipe
        self._form = form
        self._timeout = timeout

    def make(self, jobs: Sequence[Job], on_steps: OnSteps) -> Iterator[tuple[Job, Outcome]]:
        """Make pairs, as many at once as have one shape and fit into memory.

        Every job comes out once, as soon as it is done. When `on_steps` stops it, the results are
        the best pictures so far.
        """
        tasks = []
        for job in jobs:
            started = time.perf_counter()
            try:
                with self._memory_limits():
                    reading = self._readings.read(job)
            except InputError as error:
                yield job, Failed(str(error), time.perf_counter() - started)
            else:
                tasks.append(_Task(job, reading, time.perf_counter() - started))
        while tasks:
            alike = [task for task in tasks if task.shapes == tasks[0].shapes]
            at_once = alike[: self._readings.fitting(alike[0].reading)]
            yield from self._paint(at_once, on_steps)
            tasks = [task for task in tasks if task not in at_once]

    def _paint(self, tasks: Sequence[_Task], on_steps: OnSteps) -> Iterator[tuple[Job, Outcome]]:
        """Make pairs of one shape in one batch; where memory does not suffice, one by one."""
        started = time.perf_counter()
        jobs = [task.job for task in tasks]

        def watch(steps: Sequence[Step]) -> bool | None:
            if self._timeout and time.perf_counter() - started > self._timeout * len(tasks):
                raise TimedOutError(
                    f"not done after {self._timeout:g} s, at step {steps[0].number} of "
                    f"{steps[0].steps}; try a longer --timeout, fewer --steps or a smaller --size"
                )
            return on_steps(jobs, steps)

        results: Sequence[Result | DivergedError | Failed]
        one_by_one = False
        try:
            with self._memory_limits():
                scales = [task.reading.scales for task in tasks]
                results = stylize_together(self._extractor, scales, self._recipe, watch)
        except (OutOfMemoryError, TimedOutError) as error:
            one_by_one = isinstance(error, OutOfMemoryError) and len(tasks) > 1
            results = [Failed(str(error), time.perf_counter() - started)] * len(tasks)
        if one_by_one:  # not above: an error at hand keeps alive all that did not fit
            for task in tasks:
                yield from self._paint([task], on_steps)
            return
        seconds = (time.perf_counter() - started) / len(tasks)
        for task, result in zip(tasks, results, strict=True):
            if isinstance(result, Failed):
                yield task.job, result
            elif isinstance(result, DivergedError):
                yield task.job, Failed(str(result), seconds + task.seconds)
            else:
                yield task.job, self._made(task, result, seconds)

    def _made(self, task: _Task, result: Result, seconds: float) -> Outcome:
        """Encode a picture; one that cannot be is a failure of its own, and ends no batch."""
        try:
            with self._memory_limits():
                return self._encoded(task, result, seconds)
        except InputError as error:
            return Failed(str(error), seconds + task.seconds)

    def _encoded(self, task: _Task, result: Result, seconds: float) -> Made:
        started = time.perf_counter()
        job = task.job
        if result.stopped:  # so that it never passes for the finished one
            job = replace(job, key=stopped_key(job.key))
        metadata = self._metadata(job) if self._form.metadata else {}
        form, alpha = self._form, task.reading.content.alpha
        data = images.encode(_to_array(result.image), alpha, form.format, form.quality, metadata)
        seconds += task.seconds + time.perf_counter() - started
        return Made(data, self._record(job, data, result, seconds, task.reading.notes))

    @contextmanager
    def _memory_limits(self) -> Iterator[None]:
        """Turn running out of memory into advice."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            # On the CPU, torch tells it by a RuntimeError's text alone.
            known = isinstance(error, MemoryError | torch.OutOfMemoryError)
            if not known and not any(text in str(error) for text in _OUT_OF_MEMORY):
                raise
            size, smallest = self._recipe.size, self._extractor.backbone.minimum_size
            raise OutOfMemoryError(
                f"out of memory at {size} px; {advice(size // 2, smallest)}"
            ) from error

    def _metadata(self, job: Job) -> dict[str, str]:
        """Say in the file itself how it was made; nothing of paths or time, which vary."""
        made = {
            "key": job.key,
            "content_sha256": job.content_sha256,
            "style_sha256": job.style_sha256,
            "recipe": self._recipe.telling(),
        }
        return {"Software": f"nst {nstcli.__version__}", "nst": json.dumps(made, sort_keys=True)}

    def _record(
        self, job: Job, data: bytes, result: Result, seconds: float, notes: tuple[str, ...]
    ) -> Record:
        height, width = result.image.shape[-2:]
        return Record(
            key=job.key,
            output_sha256=hashlib.sha256(data).hexdigest(),
            content=stored(job.pair.content),
            content_sha256=job.content_sha256,
            style=stored(job.pair.style),
            style_sha256=job.style_sha256,
            recipe=self._recipe.dump(),
            format=self._form.format,
            quality=self._form.quality,
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
            step_seconds=float(f"{result.pace[0]:.4g}"),
            step_spread=float(f"{result.pace[1]:.4g}"),
            peak_memory=peak_bytes(result.image.device),
            curve=result.curve,
            notes=notes,
        )


def _to_array(image: Tensor) -> NDArray[np.uint8]:
    """Round (1, 3, H, W) in [0, 1] to uint8 (H, W, 3)."""
    array: NDArray[np.uint8] = image[0].mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(array)
