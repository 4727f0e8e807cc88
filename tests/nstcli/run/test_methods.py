"""Methods: what each row of the table keeps, and that a row and a module are all that one is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from nstcli.engine.memory import Needs
from nstcli.engine.methods import Painted, Parts
from nstcli.engine.precision import FLOAT32
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style
from nstcli.errors import InputError
from nstcli.images import decode
from nstcli.methods import METHODS, Method
from nstcli.plan import blends, inputs
from nstcli.plan.pair import Input
from nstcli.plan.walk import Selection
from nstcli.recipe import DEFAULT, Recipe, effective, unheeded
from nstcli.results.store import SingleFile
from nstcli.run.check import check
from nstcli.run.events import Failed, Made
from nstcli.run.job import Job, Settings
from nstcli.run.worker import Worker
from nstcli.terms import INPUTS
from tests.conftest import Plugin
from tests.nstcli.run.test_backends import by, job_of, settings_of


@pytest.mark.parametrize("name", METHODS)
def test_a_row_names_options_that_there_are(name: str) -> None:
    row = METHODS[name]
    named = {*row.own, *(row.shared or ()), *row.only}
    assert named <= set(DEFAULT)
    assert all(row.heeds(option) for option in {*named, "method", "size"})
    assert row.inputs >= set(INPUTS)
    assert row.backbone == "" or not row.heeds("model")


def test_every_option_means_something_to_a_method() -> None:
    for option in DEFAULT:
        assert any(row.heeds(option) for row in METHODS.values())


@dataclass(frozen=True, eq=False)
class Tinting:
    """Mixes the photo with the colour that its style file names; it has no backbone."""

    precision = FLOAT32
    minimum_size = 1
    as_loaded = True

    def needs(self, recipe: Recipe, regions: int) -> Needs:
        return Needs(0, 24.0, 0.0)

    def factors(self, recipe: Recipe, content: Tensor, style: Tensor) -> list[float]:
        return [1.0]

    def read_content(self, image: Tensor, recipe: Recipe) -> Content:
        return Content(image, {})

    def read_network(self, data: bytes, recipe: Recipe) -> Style:
        if not data.startswith(b"tint "):
            raise InputError("no tint")
        level = torch.tensor(float(data[5:]))
        return Style((), {(None, "level"): level}, {})  # type: ignore[dict-item]

    def style_layers(self, recipe: Recipe) -> Sequence[str]:
        return ()

    def paint(
        self,
        pairs: Sequence[Sequence[Scale]],
        recipe: Recipe,
        on_steps: object,
        between: Callable[[], None],
    ) -> list[Painted]:
        between()
        levels = [next(iter(scales[-1].style.statistics.values())) for scales in pairs]
        return [
            Painted(scales[-1].content.image.lerp(level, 0.5), {"level": level.item()})
            for scales, level in zip(pairs, levels, strict=True)
        ]


TINT = Method(
    "a_method_of_a_test",
    shared=frozenset({"size", "colors"}),
    only={"colors": ("style",)},
    networks=frozenset({".tint"}),
    inputs=frozenset(INPUTS),
)


@pytest.fixture
def tint(tiny_plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A method that a row and a module add; return settings that ask for it."""
    module = ModuleType(TINT.module)
    module.painter = lambda parts, recipe: _without_backbone(parts)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, TINT.module, module)
    monkeypatch.setitem(METHODS, "tint", TINT)  # type: ignore[arg-type]
    settings = settings_of(2)
    return replace(settings, recipe=replace(settings.recipe, method="tint", weights=""))


def _without_backbone(parts: Parts) -> Tinting:
    assert parts.extractor is None
    assert parts.companions == {}
    return Tinting()


def made(settings: Settings, *jobs: Job, **options: Any) -> list[Any]:
    worker = Worker("cpu", by("local", **options))
    return [outcome for _, outcome in worker.make(jobs, lambda *_: None)]


@pytest.fixture
def write_tint(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_styles_may_be_networks(
    tint: Settings, write_picture: Callable[..., Path], write_tint: Callable[..., Path]
) -> None:
    photo = write_picture("photo.png")
    jobs = [job_of(photo, write_tint(f"{n}.tint", f"tint {n}"), tint) for n in (0, 1)]
    dark, light = made(tint, *jobs)
    assert isinstance(dark, Made)
    assert isinstance(light, Made)
    apart = decode(light.data, "").rgb.astype(int) - decode(dark.data, "").rgb
    assert set(apart.ravel()) <= {127, 128}
    record = light.record
    assert (record.steps, record.curve, record.shortfall) == (0, (), "")
    assert record.figures == {"level": 1.0, "threads": record.figures["threads"]}
    assert record.recipe == {
        "version": tint.recipe.version,
        "method": "tint",
        "size": tint.recipe.size,
        "colors": "style",
        "plugin": tint.recipe.plugin,
        "detector": "",
        "companions": "",
    }
    assert tint.needed == []


def test_one_bad_network_leaves_the_others(
    tint: Settings, write_picture: Callable[..., Path], write_tint: Callable[..., Path]
) -> None:
    photo = write_picture("photo.png")
    jobs = [
        job_of(photo, write_tint(f"{n}.tint", text), tint) for n, text in enumerate(("x", "tint 1"))
    ]
    bad, good = made(tint, *jobs)
    assert isinstance(bad, Failed)
    assert bad.error.endswith("0.tint: no tint")
    assert isinstance(good, Made)


def test_networks_are_found_hashed_and_not_decoded(
    tint: Settings,
    tmp_path: Path,
    write_picture: Callable[..., Path],
    write_tint: Callable[..., Path],
) -> None:
    photo, network = write_picture("photo.png"), write_tint("a.tint", "tint 1")
    found = inputs.find(str(tmp_path), blends.styles_in(Selection(), "tint", blend=False))
    assert [source.path for source in found] == [network]
    job = job_of(photo, network, tint)
    checked = check([(job.pair, tint)], SingleFile(tmp_path / "result.png"))
    assert not checked.failures
    assert checked.jobs[0].key == job.key
    assert checked.memory_needed("auto") == 24 * 32 * 24
    write_tint("a.tint", "tint 0")
    assert job_of(photo, network, tint).key != job.key


def test_what_a_method_can_do_nothing_with_is_refused(
    tint: Settings,
    tmp_path: Path,
    write_picture: Callable[..., Path],
    write_tint: Callable[..., Path],
) -> None:
    photo = write_picture("photo.png")
    pair = job_of(photo, write_tint("a.tint", "tint 1"), tint).pair
    masked = replace(pair, inputs=(*pair.inputs, Input("style-mask", photo)))
    checked = check([(masked, tint)], SingleFile(tmp_path / "result.png"))
    (failure,) = checked.failures
    assert "--method tint can do nothing with a style-mask" in failure.error


def test_a_picture_made_at_once_is_held_to_its_time(
    tint: Settings, write_picture: Callable[..., Path], write_tint: Callable[..., Path]
) -> None:
    job = job_of(write_picture("photo.png"), write_tint("a.tint", "tint 1"), tint)
    (outcome,) = made(tint, job, timeout=1e-9)
    assert isinstance(outcome, Failed)
    assert outcome.error == ("not done after 1e-09 s; try a longer --timeout or a smaller --size")


def test_options_that_mean_nothing_to_a_method_are_told_and_in_no_key(tint: Settings) -> None:
    assert unheeded("tint", ["size", "steps", "method"]) == [
        "--steps means nothing to --method tint, and is left out"
    ]
    other = replace(tint.recipe, steps=7, optimizer="adam", style_scale=2.0)
    assert other.effective() == tint.recipe.effective()
    assert (
        effective(other.dump())
        == other.effective()
        == {
            "version": other.version,
            "method": "tint",
            "size": other.size,
            **({"plugin": other.plugin} if other.plugin else {}),
        }
    )
