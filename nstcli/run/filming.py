"""The pictures on the way to a result, as far as they are wanted: stages and an animation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from nstcli.engine.colors import finished
from nstcli.engine.pyramid import shrunk
from nstcli.engine.steps import Step
from nstcli.engine.stylize import starts
from nstcli.images.animation import Film, Frame, Pace, animated
from nstcli.run.events import Stage
from nstcli.run.finishing import encoded, finished_pixels, levels_of
from nstcli.run.job import Job
from nstcli.run.loader import Loaded

# A picture of a job on its way.
OnStage = Callable[[Job, Stage], None]

# Of the frames that an animation could have, so many times as many are looked at.
_LOOKS = 4


class Filming:
    """Looks on while a picture is painted, and keeps what is wanted of it.

    Args:
        job: whose picture it is.
        loaded: what it is made of.
        on_stage: is given every stage at once, so that none of them takes memory here.
    """

    def __init__(self, job: Job, loaded: Loaded, on_stage: OnStage):
        self._job = job
        self._loaded = loaded
        self._on_stage = on_stage
        self._wanted = wanted = job.settings.form.stages
        self._pace = Pace(wanted.seconds, wanted.boomerang)
        self._film: Film | None = None
        if wanted.animation:
            self._film = Film(self._pace.most)
            self._film.add(self._frame(starts(loaded.scales[-1:], job.settings.recipe)))
        self._look_every = max(1, job.settings.recipe.steps // (_LOOKS * self._pace.most))
        self._stages = 0  # steps between them that have passed

    def see(self, step: Step) -> None:
        """Look at the picture that a step left, if it is one of those that are wanted.

        Where not every step is told of, as on a GPU, a stage is the next one that is.
        """
        if step.picture is None or math.isnan(step.loss):  # it ended before others of its batch
            return
        stages = step.number // self._wanted.every if self._wanted.every else 0
        looks = self._film is not None and step.number % self._look_every == 0
        if stages == self._stages and not looks:
            return
        picture = step.picture()
        if stages > self._stages:
            self._stages = stages
            pixels = finished_pixels(picture, self._job, self._loaded)
            data = encoded(self._job, pixels, self._loaded.content.alpha, on_its_way=True)
            self._on_stage(self._job, Stage(step.number, data))
        if self._film and looks:
            self._film.add(self._frame(picture))

    def _frame(self, image: Tensor) -> Frame:
        """Make a frame of a picture, (1, 3, h, w), in the colours that the result will have."""
        seen, recipe = self._loaded.scales[-1], self._job.settings.recipe
        picture = finished(image, seen.content.image, seen.artworks, recipe)
        factor = min(1.0, self._wanted.edge / max(picture.shape[-2:]))
        return levels_of(shrunk(picture, factor)).astype(np.uint8, copy=False)

    def animation(self, result: Tensor) -> bytes | None:
        """Encode the animation, if one is wanted, that ends with the result (1, 3, H, W)."""
        if self._film is None or self._wanted.animation is None:
            return None
        self._film.add(self._frame(result))
        return animated(self._film.frames(), self._wanted.animation, self._pace)
