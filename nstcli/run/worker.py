"""Pairs from end to end: files in, encoded pictures and their records out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

import torch
from torch import nn

from backbones import Backbone, BackboneError, WeightSet, weights
from backbones.activations import doubt
from backbones.hooks import FeatureExtractor
from backbones.spec import Companion
from backbones.weights.sources import LocalFile
from nstcli.engine.memory import advice, keep_freed_memory, peak_bytes
from nstcli.engine.methods import Painted, Painter, Parts, painter
from nstcli.engine.steps import Step
from nstcli.engine.tiling import Tiling
from nstcli.errors import DivergedError, InputError, NstError, no_memory, out_of_memory
from nstcli.recipe import Recipe
from nstcli.results.records import Record, stopped_key
from nstcli.run.events import Failed, Made, Outcome
from nstcli.run.filming import Filming, OnStage
from nstcli.run.finishing import encoded, finished_pixels
from nstcli.run.job import Execution, Job, Settings
from nstcli.run.loader import Loaded, Loader
from nstcli.run.reading import Read, read_file
from nstcli.version import VERSION

# The jobs at work, and an event for each. What it returns tells whether to stop.
OnSteps = Callable[[Sequence[Job], Sequence[Step]], bool | None]


class OutOfMemoryError(InputError):
    """The device has no room for so many pixels at once."""


class TimedOutError(NstError):
    """A pair took longer than the user allows."""


@dataclass(frozen=True, eq=False)
class _Task:
    """A job with its files read, and the seconds that this took."""

    job: Job
    loaded: Loaded
    seconds: float

    @property
    def shapes(self) -> list[tuple[tuple[int, ...], Tiling | None]]:
        """Those of every scale, and its tiles; where they agree, pairs can be made at once."""
        return [(scale.shape, scale.tiling) for scale in self.loaded.scales]


@dataclass(frozen=True, eq=False)
class _Ready:
    """A method that is ready, with what it has seen of the inputs; see `Settings`."""

    network: tuple[object, ...]
    reading: tuple[object, ...]
    extractor: FeatureExtractor | None
    painter: Painter
    loader: Loader


@dataclass(frozen=True)
class _Deadline:
    """When pairs that are made together, begun at some time, have taken too long."""

    started: float
    seconds: float | None  # for each of them; None for any time
    pairs: int

    def check(self, step: Step | None = None) -> None:
        """Look at the clock, after a step where there are any.

        Raises:
            TimedOutError: it is later than that.
        """
        if not self.seconds or time.perf_counter() - self.started <= self.seconds * self.pairs:
            return
        reached = f", at step {step.number} of {step.steps}" if step else ""
        fewer = ", fewer --steps" if step else ""
        raise TimedOutError(
            f"not done after {self.seconds:g} s{reached}; try a longer --timeout{fewer} or a "
            "smaller --size"
        )


class Worker:
    """Makes pairs on one device.

    It keeps the network of the last pairs, and what it has seen of their inputs, as long as the
    next ones need the same; so pairs of one network should come in a row.

    Args:
        device: as torch knows it.
        execution: by what means.
        read: where the bytes of inputs come from.
    """

    def __init__(self, device: str, execution: Execution, read: Read = read_file):
        keep_freed_memory()  # before anything is measured
        self._read = read
        self.device = device
        self._execution = execution
        self._loaded: _Ready | None = None
        self._notes: tuple[str, ...] = ()  # what the user should know of the network's weights

    def load(self, settings: Settings) -> str:
        """Get ready for pairs of these settings; return in which precision they will be made.

        Raises:
            BackboneError: the weights cannot be had.
            StoppedError: there is no memory for them.
        """
        if self._loaded is None or self._loaded.reading != settings.reading:
            extractor = self._kept(settings)
            self._loaded = None  # frees its memory before the next takes its own
            try:
                self._loaded = self._readied(settings, extractor)
            except (MemoryError, RuntimeError, OSError) as error:
                if not out_of_memory(error):
                    raise
                raise no_memory(f"load the network {settings.title}") from error
        return str(self._ready.painter.precision)

    def make(
        self,
        jobs: Sequence[Job],
        on_steps: OnSteps,
        on_stage: OnStage = lambda job, stage: None,
    ) -> Iterator[tuple[Job, Outcome]]:
        """Make pairs, as many at once as have one recipe and shape and fit into memory.

        Every job comes out once, as soon as it is done. When `on_steps` stops it, the results are
        the best pictures so far. `on_stage` is given the pictures on their way that are wanted.
        """
        for settings, same in groupby(jobs, attrgetter("settings")):
            jobs = list(same)
            try:
                self.load(settings)
            except BackboneError as error:
                yield from ((job, Failed(str(error), 0.0)) for job in jobs)
            else:
                yield from self._make_alike(jobs, on_steps, on_stage)

    def _make_alike(
        self, jobs: Sequence[Job], on_steps: OnSteps, on_stage: OnStage
    ) -> Iterator[tuple[Job, Outcome]]:
        """Make pairs of the same settings, whose network is loaded."""
        tasks = []
        for job in jobs:
            started = time.perf_counter()
            try:
                with self._memory_limits(job.settings.recipe):
                    loaded = self._ready.loader.load(job)
            except InputError as error:
                yield job, Failed(str(error), time.perf_counter() - started)
            else:
                tasks.append(_Task(job, loaded, time.perf_counter() - started))
        while tasks:
            alike = [task for task in tasks if task.shapes == tasks[0].shapes]
            first = alike[0]
            most = self._ready.loader.fitting(first.loaded)
            yield from self._paint(alike[:most], on_steps, on_stage)
            tasks = [task for task in tasks if task not in alike[:most]]

    @property
    def _ready(self) -> _Ready:
        assert self._loaded, "load() comes first"  # noqa: S101 - our own mistake, nobody else's
        return self._loaded

    def _kept(self, settings: Settings) -> FeatureExtractor | None:
        """Return the backbone at hand if it serves these settings, too.

        One in half precision does not: it may be wanted in float32, whose digits it has lost.
        """
        loaded = self._loaded
        if loaded and loaded.network == settings.network and loaded.painter.as_loaded:
            return loaded.extractor
        return None

    def _readied(self, settings: Settings, extractor: FeatureExtractor | None) -> _Ready:
        """Get the method of settings ready, with this backbone if it is there already."""
        if extractor is None and settings.recipe.by.sees:
            extractor = self._network_of(settings)
        companions = {each.name: self._companion(each, its) for each, its in settings.companions}
        remembered = weights.cache_folder() / "precision.json"
        wanted = self._execution.precision
        parts = Parts(extractor, companions, self.device, wanted, remembered)
        ready = painter(parts, settings.recipe)
        loader = Loader(ready, self.device, self._execution, self._read)
        return _Ready(settings.network, settings.reading, extractor, ready, loader)

    def _companion(self, network: Companion | Backbone, chosen: WeightSet) -> nn.Module:
        """Load a network that a method has beside the backbone onto the device.

        Raises:
            BackboneError: the weights cannot be had.
        """
        offline = self._execution.offline
        if isinstance(network, Backbone):
            return FeatureExtractor.load(network, chosen, offline=offline).to(self.device)
        loaded = weights.load(network, chosen, offline=offline)
        built = network.build()
        built.load_state_dict(loaded.tensors)
        return built.eval().requires_grad_(requires_grad=False).to(self.device)

    def _network_of(self, settings: Settings) -> FeatureExtractor:
        """Load a network onto the device.

        Raises:
            BackboneError: the weights cannot be had, or are others than planned.
        """
        extractor = FeatureExtractor.load(
            settings.backbone, settings.weight_set, offline=self._execution.offline
        ).to(self.device)
        if extractor.weights_sha256 != settings.recipe.weights:
            raise BackboneError(
                f"the weights {settings.title} changed while the pairs "
                "were planned, or their source has others now; run it again"
            )
        odd = doubt(extractor) if isinstance(settings.weight_set.source, LocalFile) else ""
        self._notes = (f"{settings.weight_set.name}: {odd}",) if odd else ()
        return extractor

    def _paint(
        self, tasks: Sequence[_Task], on_steps: OnSteps, on_stage: OnStage
    ) -> Iterator[tuple[Job, Outcome]]:
        """Make pairs of one shape in one batch; where memory does not suffice, one by one."""
        started = time.perf_counter()
        jobs = [task.job for task in tasks]
        recipe = jobs[0].settings.recipe
        deadline = _Deadline(started, self._execution.timeout, len(tasks))

        def watch(steps: Sequence[Step]) -> bool | None:
            deadline.check(steps[0])
            for filming, step in zip(films, steps, strict=True):
                filming.see(step)
            return on_steps(jobs, steps)

        films: list[Filming] = []
        failed: Failed | None = None
        one_by_one = False
        try:
            with self._memory_limits(recipe):
                films += [Filming(task.job, task.loaded, on_stage) for task in tasks]
                scales = [task.loaded.scales for task in tasks]
                results = self._ready.painter.paint(scales, recipe, watch, deadline.check)
        except (OutOfMemoryError, TimedOutError) as error:
            one_by_one = isinstance(error, OutOfMemoryError) and len(tasks) > 1
            failed = Failed(str(error), time.perf_counter() - started)
        if one_by_one:  # not above: an error at hand keeps alive all that did not fit
            for task in tasks:
                yield from self._paint([task], on_steps, on_stage)
            return
        if failed:
            yield from ((job, failed) for job in jobs)
            return
        seconds = (time.perf_counter() - started) / len(tasks)
        for task, result, filming in zip(tasks, results, films, strict=True):
            if isinstance(result, DivergedError):
                yield task.job, Failed(str(result), seconds + task.seconds)
            else:
                yield task.job, self._made(task, result, seconds, filming)

    def _made(self, task: _Task, result: Painted, seconds: float, filming: Filming) -> Outcome:
        """Encode a picture; one that cannot be is a failure of its own, and ends no batch."""
        try:
            with self._memory_limits(task.job.settings.recipe):
                return self._encoded(task, result, seconds, filming)
        except InputError as error:
            return Failed(str(error), seconds + task.seconds)

    def _encoded(self, task: _Task, result: Painted, seconds: float, filming: Filming) -> Made:
        started = time.perf_counter()
        job = task.job
        if result.stopped:  # so that it never passes for the finished one
            job = replace(job, key=stopped_key(job.key))
        pixels = finished_pixels(result.image, job, task.loaded)
        data = encoded(job, pixels, task.loaded.content.alpha)
        animation = filming.animation(result.image)
        seconds += task.seconds + time.perf_counter() - started
        record = self._record(replace(task, job=job), data, result, seconds)
        return Made(data, record, animation)

    @contextmanager
    def _memory_limits(self, recipe: Recipe) -> Iterator[None]:
        """Turn running out of memory into advice."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            size, smallest = recipe.size, self._ready.painter.minimum_size
            raise OutOfMemoryError(
                f"out of memory at {size} px; {advice(size // 2, smallest, self.device)}"
            ) from error

    def _record(self, task: _Task, data: bytes, result: Painted, seconds: float) -> Record:
        job, content = task.job, task.loaded.content
        settings = job.settings
        return Record(
            key=job.key,
            output_sha256=hashlib.sha256(data).hexdigest(),
            inputs=job.inputs,
            recipe=settings.recipe.dump(),
            format=settings.form.format,
            quality=settings.form.quality,
            bits=settings.form.bits,
            version=VERSION,
            device=self.device,
            precision=str(self._ready.painter.precision),
            width=content.width,
            height=content.height,
            seconds=round(seconds, 3),
            steps=result.steps,
            figures={**result.figures, "threads": torch.get_num_threads()},
            peak_memory=peak_bytes(result.image.device),
            curve=result.curve,
            notes=(*self._notes, *task.loaded.notes),
            shortfall=result.shortfall,
        )
