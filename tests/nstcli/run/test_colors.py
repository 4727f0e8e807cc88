"""Colours from files to files: nothing of one photo's is shared with another's, and alpha stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nstcli import images
from nstcli.recipe import DEFAULT
from nstcli.results.records import Form
from nstcli.run.events import Made
from nstcli.run.job import Job, Settings, settings_for
from nstcli.run.worker import Worker
from tests.conftest import Plugin, draw
from tests.nstcli.run.test_backends import by, job_of

pytestmark = pytest.mark.usefixtures("tiny_plugin")


def colored(colors: str, **choices: Any) -> Settings:
    wanted = {**DEFAULT, "model": "tiny", "steps": 2, "colors": colors, **choices}
    return settings_for(wanted, Form())


def made(jobs: Sequence[Job]) -> list[bytes]:
    """Make jobs by one worker, which shares what it can."""
    outcomes = [outcome for _, outcome in Worker("cpu", by("local")).make(jobs, lambda *_: None)]
    return [outcome.data for outcome in outcomes if isinstance(outcome, Made)]


def test_what_one_worker_shares_changes_nothing(
    tiny_plugin: Plugin, write_picture: Callable[..., Path]
) -> None:
    photos = [write_picture(f"photos/{n}.png", seed=n) for n in range(2)]
    artwork = write_picture("art.png", seed=9)
    jobs = [
        job_of(photo, artwork, colored(colors))
        for photo in photos
        for colors in ("recolor", "style", "match", "luminance")
    ]
    together = made(jobs)
    assert together == [data for job in jobs for data in made([job])]
    assert len(set(together)) == 8


def test_a_photo_that_is_gray_and_see_through(tmp_path: Path) -> None:
    gray = np.repeat(draw(24, 32)[..., :1], 3, 2)
    alpha = np.where(np.arange(32) < 16, 255, 90).astype(np.uint8) + np.zeros((24, 1), np.uint8)
    photo, artwork = tmp_path / "photo.png", tmp_path / "art.png"
    photo.write_bytes(images.encode(gray, alpha))
    artwork.write_bytes(images.encode(draw(20, 20, seed=4)))
    (data,) = made([job_of(photo, artwork, colored("luminance"))])
    found = images.decode(data, "found")
    assert found.alpha is not None
    assert (found.alpha == alpha).all()
    assert np.ptp(found.rgb.astype(int), axis=2).max() <= 3  # rounding, divided by the alpha
    (colorful,) = made([job_of(photo, artwork, colored("style"))])
    assert np.ptp(images.decode(colorful, "other").rgb.astype(int), axis=2).max() > 20
