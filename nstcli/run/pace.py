"""How long pictures will take, by those that were made on this machine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from backbones import weights
from nstcli import images
from nstcli.plan.pair import Pair
from nstcli.recipe import Recipe
from nstcli.remembered import Remembered, digest
from nstcli.run import backends
from nstcli.run.events import Event, PairDone
from nstcli.run.framing import sizes_of
from nstcli.run.job import Execution, Job, Settings

# Seconds are kept as whole numbers of these, of which a step takes at least some for each pixel.
_UNIT = 1e-15
# Bytes of a picture in which its size stands.
_HEAD = 2**18


class Paces:
    """The seconds of a step for each pixel, for every kind of recipe, as far as they are known.

    It listens to the events of a run, and remembers what the pictures took.

    Args:
        execution: by what means pictures are made; other means have other paces.
    """

    def __init__(self, execution: Execution):
        self._workers = max(execution.jobs, len(execution.device.split(",")))
        self._means = [execution.device, execution.precision, self._workers]
        if backends.name_of(execution) == "ray":  # other machines
            self._means.append(execution.address or "ray")
        self._remembered = Remembered(weights.cache_folder() / "paces.json")
        self._made: dict[str, list[float]] = {}  # seconds and work of this run
        self._kinds: dict[int, tuple[Settings, str]] = {}  # by the identity of what is kept
        self._sizes: dict[Path, tuple[int, int] | None] = {}

    def __call__(self, event: Event) -> None:
        """Take note of what a picture took."""
        if isinstance(event, PairDone):
            record = event.record
            recipe = Recipe(**record.recipe)
            made = self._made.setdefault(self._kind(recipe), [0.0, 0.0])
            made[0] += record.seconds
            size = sizes_of(record.width, record.height, recipe).finished
            made[1] += _work(recipe, record.steps, size) * record.figures.get("tile_work", 1.0)

    def save(self) -> None:
        """Remember the paces of this run; where they cannot be written, they are found anew."""
        for kind, (seconds, work) in self._made.items():
            if work:
                self._put(kind, seconds / work)
        with suppress(OSError):
            self._remembered.save()

    def learn(self, job: Job, seconds: float) -> None:
        """Take note of what the picture of a job would take, alone."""
        self._put(self._kind_of(job), seconds / self._work_of(job))

    def unknown(self, jobs: Iterable[Job]) -> list[list[Job]]:
        """Return the jobs whose pace nobody knows, those of one kind together."""
        found: dict[str, list[Job]] = {}
        for job in jobs:
            kind = self._kind_of(job)
            if self._remembered.count(kind) is None:
                found.setdefault(kind, []).append(job)
        return list(found.values())

    def seconds(self, jobs: Iterable[Job]) -> float:
        """Predict what jobs will take together; those of unknown pace count as none."""
        total = 0.0
        for job in jobs:
            pace = self._remembered.count(self._kind_of(job))
            total += pace * _UNIT * self._work_of(job) if pace else 0.0
        return total / self._workers

    def _put(self, kind: str, pace: float) -> None:
        self._remembered.put(kind, max(1, round(pace / _UNIT)))

    def _kind_of(self, job: Job) -> str:
        settings = job.settings  # thousands of jobs may have few of them
        if id(settings) not in self._kinds:
            self._kinds[id(settings)] = settings, self._kind(settings.recipe)
        return self._kinds[id(settings)][1]

    def _kind(self, recipe: Recipe) -> str:
        return digest([*self._means, recipe.per_pixel()])

    def _work_of(self, job: Job) -> float:
        recipe = job.settings.recipe
        sizes = sizes_of(*(self._size_of(job.pair) or (recipe.size, recipe.size)), recipe)
        return _work(recipe, recipe.steps, sizes.finished)

    def _size_of(self, pair: Pair) -> tuple[int, int] | None:
        if "content" not in pair.roles:
            return None
        path = pair.path("content")
        if path not in self._sizes:
            self._sizes[path] = None
            with suppress(OSError), path.open("rb") as stream:
                self._sizes[path] = images.size_of(stream.read(_HEAD))
        return self._sizes[path]


def scale_shapes(recipe: Recipe, size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the rows and columns of each scale, by the width and height of the last one.

    This imports torch.
    """
    import torch

    from nstcli.engine.pyramid import factors, shape_at

    width, height = images.shrunk_size(*size, recipe.size)
    picture = torch.empty((height, width), device="meta")
    found = [
        shape_at(height, width, factor) for factor in factors(recipe, picture, picture, minimum=1)
    ]
    return [*found, (size[1], size[0])] if max(size) > recipe.size else found


def _work(recipe: Recipe, steps: int, size: tuple[int, int]) -> float:
    """Count the pixels of all steps together; coarse scales have fewer. This imports torch.

    What is made at once counts as one step. `size` is the width and height of the last scale.
    """
    if not recipe.by.stepwise:
        return float(math.prod(size))
    from nstcli.engine.pyramid import share_steps

    scales = scale_shapes(recipe, size)
    shared = share_steps(steps, len(scales), max(size) > recipe.size)
    return max(1.0, sum(math.prod(s) * each for s, each in zip(scales, shared, strict=True)))
