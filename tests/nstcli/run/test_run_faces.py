"""Faces from files to files: found once, kept, and without effect where there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backbones import weights
from nstcli import images
from nstcli.faces import Face, overlap
from nstcli.images import Picture
from nstcli.recipe import DEFAULT
from nstcli.results.records import Form
from nstcli.run import job as jobs_module
from nstcli.run.events import Made
from nstcli.run.faces import FaceFinder
from nstcli.run.job import DETECTOR, Job, Settings, fetch, settings_for
from nstcli.run.worker import Worker
from tests.conftest import Plugin, draw
from tests.nstcli.run.test_backends import by, job_of

pytestmark = pytest.mark.usefixtures("tiny_plugin")

# Left, top, right, bottom in shares of the photo.
LEFT_HALF = Face((0.1, 0.2, 0.4, 0.8), 0.99)


class Finder:
    """Finds the same faces in every photo, and counts the photos."""

    def __init__(self) -> None:
        self.faces: tuple[Face, ...] = (LEFT_HALF,)
        self.seen: list[tuple[int, int]] = []

    def find(self, picture: Picture) -> tuple[Face, ...]:
        self.seen.append((picture.width, picture.height))
        return tuple(face.scaled(picture.width, picture.height) for face in self.faces)


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Finder:
    made = Finder()
    monkeypatch.setattr(FaceFinder, "find", lambda _, picture: made.find(picture))
    return made


def keeping(strength: float, **choices: Any) -> Settings:
    wanted = {**DEFAULT, "model": "tiny", "steps": 8, "size": 48, "keep_faces": strength, **choices}
    return settings_for(wanted, Form())


def made(jobs: Sequence[Job]) -> list[Made]:
    outcomes = [outcome for _, outcome in Worker("cpu", by("local")).make(jobs, lambda *_: None)]
    return [outcome for outcome in outcomes if isinstance(outcome, Made)]


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return images.decode(data, "result").rgb.astype(int)


def test_a_face_stays_nearer_to_the_photo_and_the_rest_is_painted(
    finder: Finder, write_picture: Callable[..., Path]
) -> None:
    photo, artwork = write_picture("photo.png", 60, 80, seed=1), write_picture("art.png", seed=9)
    plain, face = made([job_of(photo, artwork, keeping(strength)) for strength in (0, 1)])
    assert finder.seen == [(80, 60)]  # the photo as it is, not as it is painted
    before = images.resize(images.decode(photo.read_bytes(), "photo"), 48).rgb.astype(int)
    moved = [np.abs(pixels(each.data) - before).mean(2) for each in (plain, face)]
    rows, columns = slice(12, 24), slice(8, 16)
    assert moved[1][rows, columns].mean() < 0.8 * moved[0][rows, columns].mean()
    assert moved[1][:, 36:].mean() > 0.9 * moved[0][:, 36:].mean()
    recipe = face.record.recipe
    assert (recipe["keep_faces"], len(recipe["detector"])) == (1.0, 64)
    assert plain.record.recipe["detector"] == ""
    assert not face.record.notes


def test_a_photo_without_faces_is_painted_as_ever_and_says_so(
    finder: Finder, write_picture: Callable[..., Path]
) -> None:
    finder.faces = ()
    photo = write_picture("photo.png", seed=1)
    artworks = [write_picture(f"art/{n}.png", seed=9 + n) for n in range(2)]
    jobs = [job_of(photo, art, keeping(strength)) for strength in (0, 1) for art in artworks]
    assert len({job.key for job in jobs}) == 4
    done = made(jobs)
    assert len(finder.seen) == 1
    for plain, same in zip(done[:2], done[2:], strict=True):
        assert (pixels(plain.data) == pixels(same.data)).all()
        assert plain.record.figures["loss"] == same.record.figures["loss"]
        (note,) = same.record.notes
        assert note.endswith("photo.png: no face was found in it, so all of it is painted alike")


def test_photos_with_and_without_faces_are_painted_together(
    finder: Finder, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their shapes are one; what is in them is each one's own."""
    found = iter([(LEFT_HALF,), ()] * 2)
    monkeypatch.setattr(
        FaceFinder, "find", lambda _, p: tuple(f.scaled(p.width, p.height) for f in next(found))
    )
    artwork = write_picture("art.png", seed=9)
    settings = keeping(1, optimizer="adam")
    jobs = [job_of(write_picture(f"{n}.png", seed=n), artwork, settings) for n in range(2)]
    together = made(jobs)
    alone = [each for job in jobs for each in made([job])]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(pixels(one.data) - pixels(other.data)).max() <= 2


def test_the_detector_is_fetched_where_faces_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[str] = []
    monkeypatch.setattr(weights, "pull", lambda *each, **_: pulled.append(weights.title(*each)))
    fetch(keeping(0).needed, offline=True)
    assert pulled == ["tiny:random"]
    fetch([*keeping(0).needed, *keeping(1).needed, *keeping(2).needed], offline=True)
    assert pulled[1:] == ["tiny:random", *(weights.title(*each) for each in DETECTOR)]


def test_the_key_knows_the_detector(
    monkeypatch: pytest.MonkeyPatch, write_picture: Callable[..., Path]
) -> None:
    pair = write_picture("photo.png"), write_picture("art.png", seed=9)
    before = [job_of(*pair, keeping(strength)).key for strength in (0, 1)]
    monkeypatch.setattr(jobs_module, "_pinned", lambda found: "other" if found else "")
    after = [job_of(*pair, keeping(strength)).key for strength in (0, 1)]
    assert before[0] == after[0]
    assert before[1] != after[1]


class Detector:
    """Sees one sure face and one doubtful thing, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shapes: list[torch.Size] = []

    def __call__(self, image: torch.Tensor) -> list[Face]:
        self.shapes.append(image.shape)
        return [Face((10, 20, 30, 40), 0.95, ((15, 25),)), Face((1, 1, 9, 9), 0.7)]


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [(30, 40, (10, 20, 30, 40)), (1500, 3072, (30, 60, 90, 120)), (4096, 4, (10, 80, 30, 160))],
)
def test_a_large_photo_is_looked_at_smaller(
    height: int, width: int, box: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a detection takes no more memory, and faces are in the photo's own pixels."""
    seen, finder = Detector(), FaceFinder()
    monkeypatch.setattr(FaceFinder, "_detector", seen)
    (face,) = finder.find(Picture(np.zeros((height, width, 3), np.uint8)))
    assert max(seen.shapes[0]) <= 1024
    assert face.box == pytest.approx(box, rel=0.01) or width < 5
    assert face.probability == 0.95


@pytest.mark.network
def test_a_face_is_found_in_the_large_photo_where_it_is(tiny_plugin: Plugin) -> None:
    skimage = pytest.importorskip("skimage")
    rgb = skimage.data.astronaut()
    (small,) = FaceFinder().find(Picture(rgb))
    (large,) = FaceFinder().find(Picture(np.repeat(np.repeat(rgb, 4, 0), 4, 1)))
    assert overlap(large, small.scaled(4, 4)) > 0.85
    assert FaceFinder().find(Picture(draw(40, 60))) == ()
