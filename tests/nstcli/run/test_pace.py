"""What pictures took foretells what others will take."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nstcli.plan.pair import Pair
from nstcli.recipe import DEFAULT
from nstcli.results.records import Form
from nstcli.run.events import PairDone
from nstcli.run.job import Execution, Job, settings_for
from nstcli.run.pace import Paces
from tests.conftest import Plugin
from tests.nstcli import flat

pytestmark = pytest.mark.usefixtures("tiny_plugin")


@pytest.fixture
def photo(write_picture: Any) -> Path:
    path: Path = write_picture("photo.png", 300, 400)
    return path


def job_of(photo: Path, **choices: object) -> Job:
    settings = settings_for(
        {**DEFAULT, "model": "tiny", "size": 400, "steps": 10, **choices}, Form()
    )
    return Job.of(Pair.of(photo, photo, "x.png"), settings, "c", "s")


def made(job: Job, seconds: float, **known: object) -> PairDone:
    record = flat.record(
        {
            "key": "k", "output_sha256": "o", "content": "cat.png", "content_sha256": "c",
            "style": "ink.png", "style_sha256": "s", "recipe": job.settings.recipe.dump(),
            "format": "png", "quality": 95, "version": "1", "device": "cpu", "precision": "float32",
            "width": 400, "height": 300, "seconds": seconds, "steps": 10, **known,
        }
    )  # fmt: skip
    return PairDone(job.pair, record)


def told(*events: PairDone, execution: Execution | None = None) -> Paces:
    """Return what a later run knows."""
    execution = execution or Execution()
    paces = Paces(execution)
    for event in events:
        paces(event)
    paces.save()
    return Paces(execution)


def test_the_same_again_takes_the_same(photo: Path) -> None:
    job = job_of(photo)
    assert Paces(Execution()).seconds([job]) == 0
    assert Paces(Execution()).unknown([job, job]) == [[job, job]]
    paces = told(made(job, 2.0))
    assert paces.seconds([job]) == pytest.approx(2, rel=1e-6)
    assert paces.seconds([job] * 3) == pytest.approx(6, rel=1e-6)
    assert paces.unknown([job]) == []


def test_what_took_longer_by_chance_counts_by_its_mean(photo: Path) -> None:
    job = job_of(photo)
    assert told(made(job, 1.0), made(job, 3.0)).seconds([job]) == pytest.approx(2, rel=1e-6)


def test_steps_and_sizes_are_taken_into_account(photo: Path) -> None:
    paces = told(made(job_of(photo, scales=1), 2.0))
    assert paces.seconds([job_of(photo, scales=1, steps=30)]) == pytest.approx(6, rel=1e-6)
    assert paces.seconds([job_of(photo, scales=1, size=200)]) == pytest.approx(0.5, rel=1e-6)
    # At two scales, half of the steps have a quarter of the pixels. 400 px have two.
    coarse = told(made(job_of(photo), 2.0))
    assert coarse.seconds([job_of(photo, steps=20)]) == pytest.approx(4, rel=1e-6)
    assert coarse.seconds([job_of(photo, size=200)]) == pytest.approx(0.8, rel=1e-6)


def test_one_that_ended_early_counts_the_steps_that_it_took(photo: Path) -> None:
    job = job_of(photo, scales=1)
    assert told(made(job, 1.0, steps=5)).seconds([job]) == pytest.approx(2, rel=1e-6)


def test_what_costs_nothing_makes_no_other_kind(photo: Path) -> None:
    paces = told(made(job_of(photo), 2.0))
    for same in (
        {"style_weight": 7.0}, {"seed": 3, "init": "noise"}, {"tolerance": 0.1}, {"steps": 3},
    ):  # fmt: skip
        assert paces.unknown([job_of(photo, **same)]) == []
    for other in (
        {"tv_weight": 1.0}, {"style_weight": 0.0}, {"optimizer": "adam"}, {"style_layers": "relu1"},
        {"scales": 3}, {"pooling": "avg"}, {"padding": "reflect"}, {"weights": "other"},
    ):  # fmt: skip
        assert len(paces.unknown([job_of(photo, **other)])) == 1, other


def test_other_means_have_other_paces(photo: Path) -> None:
    job = job_of(photo)
    two = told(made(job, 2.0), execution=Execution(jobs=2))
    assert two.seconds([job, job]) == pytest.approx(2, rel=1e-6)  # both at a time
    assert Paces(Execution()).unknown([job]) == [[job]]
    assert Paces(Execution(precision="float32")).unknown([job]) == [[job]]


def test_a_photo_that_cannot_be_read_is_taken_for_a_square(photo: Path, tmp_path: Path) -> None:
    job = job_of(photo, scales=1)
    paces = told(made(job, 3.0))
    gone = replace(job, pair=Pair.of(tmp_path / "gone.png", photo, "x.png"))
    assert paces.seconds([gone]) == pytest.approx(4, rel=1e-6)


def test_what_was_measured_is_known(photo: Path) -> None:
    paces = Paces(Execution())
    paces.learn(job_of(photo), 5.0)
    assert paces.seconds([job_of(photo)]) == pytest.approx(5, rel=1e-6)


def test_where_nothing_can_be_remembered_the_work_goes_on(photo: Path, tiny_plugin: Plugin) -> None:
    tiny_plugin.cache.write_text("")
    job = job_of(photo)
    assert told(made(job, 2.0)).unknown([job]) == [[job]]
