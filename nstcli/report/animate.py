"""Make animations of the stages that lie in a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from backbones.paths import is_file
from nstcli import images
from nstcli.errors import InputError
from nstcli.images.animation import Frame, Pace, animated
from nstcli.plan.layout import STAGES
from nstcli.plan.walk import holds_stages, is_junk
from nstcli.results.records import Stages
from nstcli.results.stages import StageFolder
from nstcli.text import shown


def animate(folder: Path, wanted: Stages) -> Iterator[Path]:
    """Write an animation into each folder of stages, and yield its path.

    Args:
        folder: of stages, or one that holds such at any depth, as an output folder does.
        wanted: of the animations.

    Raises:
        InputError: there are no stages, or a picture of them cannot be read.
        OSError: an animation cannot be written.
    """
    wanted = replace(wanted, animation=wanted.animation or "gif")
    found = [each for each in _folders(folder) if each.pictures()]
    if not found:
        raise InputError(
            f"no stages in '{shown(folder)}'; --save-every 20 keeps some while pictures are made"
        )
    for stages in found:
        pace = Pace(wanted.seconds, wanted.boomerang)
        data = animated(_frames(stages, wanted.edge), str(wanted.animation), pace)
        yield stages.animate(data, wanted)


def _folders(folder: Path) -> Iterator[StageFolder]:
    if holds_stages(folder.absolute()):
        yield StageFolder(folder)
        return
    for place, names, _ in os.walk(folder):
        names[:] = sorted(name for name in names if not is_junk(name))
        for name in names:
            if holds_stages(Path(place, name)):
                yield StageFolder(Path(place, name))


def _frames(stages: StageFolder, edge: int) -> list[Frame]:
    """Read the stages and the result that they led to, as far as all have one shape."""
    result = stages.path.with_name(stages.path.name.removesuffix(STAGES))
    paths = [*stages.pictures(), *([result] if is_file(result) else [])]
    frames = []
    for path in paths:
        picture = images.decode(path.read_bytes(), shown(path), sys.maxsize)
        frames.append(images.resize(picture, edge).rgb)
    return [frame for frame in frames if frame.shape == frames[0].shape]
