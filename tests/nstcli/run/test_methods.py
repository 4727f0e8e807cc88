"""Methods: what each row of the table keeps, and that a row and a module are all that one is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from backbones.weights import title
from nstcli.engine.memory import Needs
from nstcli.engine.methods import Painted, Parts
from nstcli.engine.precision import FLOAT32
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style
from nstcli.errors import InputError
from nstcli.images import decode, encode
from nstcli.methods import METHODS, Method
from nstcli.plan import blends, inputs
from nstcli.plan.pair import Input, Pair
from nstcli.plan.walk import Selection
from nstcli.recipe import DEFAULT, Recipe, effective, unheeded
from nstcli.results.digests import Digests
from nstcli.results.store import SingleFile
from nstcli.run.check import check
from nstcli.run.events import Failed, Made
from nstcli.run.framing import sizes_of
from nstcli.run.job import Execution, Job, Settings
from nstcli.run.worker import Worker
from nstcli.terms import INPUTS, Role
from tests.conftest import Plugin
from tests.nstcli.run.small_networks import of_small_networks, write_style
from tests.nstcli.run.test_backends import by, job_of, settings_of

Write = Callable[..., Path]


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


@pytest.fixture(params=METHODS)
def method(
    request: pytest.FixtureRequest, tiny_plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Every row of the table, of small networks."""
    of_small_networks(monkeypatch)
    return str(request.param)


def of(settings: Settings, write_picture: Callable[..., Path], *others: Input) -> Job:
    """Return a job of a photo of 32×24 px, an artwork, and other inputs."""
    named = (
        Input("content", write_picture("photo.png")),
        Input("style", write_style(settings.recipe.method, write_picture, "art", 1)),
    )
    ordered = sorted((*named, *others), key=lambda each: get_args(Role).index(each.role))
    pair = Pair(tuple(ordered), "result.png")
    known = Digests(None)
    return Job.of(pair, settings, *(known.digest(each.path) for each in pair.inputs))


def pixels(outcome: Any) -> Any:
    assert isinstance(outcome, Made), outcome
    return decode(outcome.data, "").rgb.astype(int)


def test_a_method_makes_the_same_picture_again(method: str, write_picture: Write) -> None:
    job = of(settings_of(2, method=method), write_picture)
    one, other = made(job.settings, job, job)
    assert one.data == other.data
    record = one.record
    assert (record.width, record.height, record.recipe["method"]) == (32, 24, method)
    assert record.key == job.key
    assert bool(record.steps) == bool(record.curve) == METHODS[method].stepwise
    assert job.settings.recipe.effective().items() <= record.recipe.items()


@pytest.mark.parametrize(
    "choices",
    [
        *({"colors": colors} for colors in ("match", "recolor", "luminance")),
        *(
            {"style_scale": 0.5},
            {"center_crop": "1x1"},
            {"fit": "crop"},
            {"keep_size": True, "size": 12},
        ),
    ],
    ids=str,
)
def test_what_holds_for_all_pictures_holds_for_those_of_a_method(
    method: str, choices: dict[str, Any], write_picture: Write
) -> None:
    row = METHODS[method]
    if not all(row.heeds(option) for option in choices):
        return
    for option, able in row.only.items():
        if choices.get(option, able[0]) not in able:
            with pytest.raises(InputError, match=f"--method {method} cannot do --{option}"):
                settings_of(2, method=method, **choices)
            return
    plain, asked = (settings_of(2, method=method, **given) for given in ({}, choices))
    job = of(asked, write_picture)
    (before,), (after,) = made(plain, of(plain, write_picture)), made(asked, job)
    sizes = sizes_of(32, 24, asked.recipe).result
    assert pixels(after).shape[1::-1] == sizes
    assert after.data != before.data
    checked = check([(job.pair, asked)], SingleFile(job.pair.path("content").parent / "result.png"))
    assert checked.foretold(Execution()).memory > 0


@pytest.mark.parametrize(
    "roles",
    [
        ("style",),
        ("content-mask",),
        ("style-mask",),
        ("style-strength-map",),
        ("content-weight-map",),
        ("style", "content-mask", "content-mask"),
        ("style", "style-mask", "style-mask"),
    ],
    ids="+".join,
)
def test_further_inputs_count_or_are_refused(
    method: str, roles: Sequence[Role], write_picture: Write
) -> None:
    settings = settings_of(2, method=method)
    others = [
        Input(
            role,
            write_style(method, write_picture, str(n), 5 + n)
            if role == "style"
            else write_picture(f"{n}.png", seed=5 + n),
        )
        for n, role in enumerate(roles)
    ]
    plain, job = of(settings, write_picture), of(settings, write_picture, *others)
    if not job.pair.roles <= METHODS[method].inputs:
        return
    before, after = made(settings, plain, job)
    # Some may change little under random weights, and none nothing; a weight map does where the
    # photo is not left.
    if set(roles) != {"content-weight-map"}:
        assert (pixels(before) != pixels(after)).any()


def test_where_no_style_is_taken_the_photo_is_left(
    method: str, tmp_path: Path, write_picture: Write
) -> None:
    black = tmp_path / "black.png"
    black.write_bytes(encode(np.zeros((24, 32, 3), np.uint8)))
    settings = settings_of(2, method=method)
    maps = (Input("style-strength-map", black),)
    job = of(settings, write_picture, *maps)
    outcomes = made(settings, of(settings, write_picture), job)
    photo = decode(job.pair.path("content").read_bytes(), "").rgb.astype(int)
    if METHODS[method].stepwise:
        assert abs(pixels(outcomes[1]) - photo).mean() < abs(pixels(outcomes[0]) - photo).mean()
    assert any("no place of the picture" in note for note in outcomes[1].record.notes)


def test_a_picture_that_cannot_be_read_leaves_the_others(method: str, write_picture: Write) -> None:
    settings = settings_of(2, method=method)
    job = of(settings, write_picture)
    gone = write_picture("gone.png", seed=3)
    other = job_of(gone, job.pair.path("style"), settings)
    gone.unlink()
    bad, good = made(settings, other, job)
    assert isinstance(bad, Failed)
    assert "gone.png" in bad.error
    assert isinstance(good, Made)


def test_too_large_a_picture_is_refused_with_advice(method: str, write_picture: Write) -> None:
    settings = settings_of(2, method=method)
    (outcome,) = made(settings, of(settings, write_picture), memory=1000.0)
    assert isinstance(outcome, Failed)
    assert "photo.png: out of memory at 32 px" in outcome.error


@pytest.mark.parametrize("others", [(), ("style", "content-mask", "content-mask")], ids=len)
def test_the_optimizer_starts_from_the_picture_of_another_method(
    tiny_plugin: Plugin,
    monkeypatch: pytest.MonkeyPatch,
    write_picture: Write,
    others: Sequence[Role],
) -> None:
    """Whatever holds where: what it starts from is what that method alone would have made."""
    of_small_networks(monkeypatch)
    begun, alone = settings_of(1, init="adain", scales=1), settings_of(1, method="adain")
    more = [Input(role, write_picture(f"{n}.png", seed=5 + n)) for n, role in enumerate(others)]
    scales = []
    for settings in (begun, alone):
        worker = Worker("cpu", by("local"))
        worker.load(settings)
        scales.append(worker._ready.loader.load(of(settings, write_picture, *more)).scales)
    (first,), (whole,) = scales
    (painted,) = worker._ready.painter.paint([[whole]], alone.recipe, print, lambda: None)
    assert isinstance(painted, Painted)
    assert first.init is not None
    torch.testing.assert_close(first.init, painted.image)
    named = [title(*each) for each in begun.needed]
    assert named == ["tiny:random", "tiny:random", "adain:decoder"]
    assert begun.recipe.companions
    assert begun.recipe.companions != settings_of(1).recipe.companions == ""


def test_what_starts_from_another_method_may_be_looked_at_in_tiles(
    tiny_plugin: Plugin, monkeypatch: pytest.MonkeyPatch, write_picture: Write
) -> None:
    of_small_networks(monkeypatch)
    settings = settings_of(2, init="adain", scales=1)
    job = of(settings, write_picture)
    (outcome,) = made(settings, job, tile=16)
    assert isinstance(outcome, Made), outcome
    assert outcome.record.figures["tile_height"] == 16
    painters: list[Any] = []
    for each in (settings_of(2, scales=1), settings):
        worker = Worker("cpu", by("local"))
        worker.load(each)
        painters.append(worker._ready.painter)
    plain, begun = painters
    for less, more in zip(
        plain.in_tiles(settings.recipe, 0), begun.in_tiles(settings.recipe, 0), strict=True
    ):
        assert less.neck == more.neck
        assert less.fixed < more.fixed
        assert less.held < more.held


@dataclass(frozen=True, eq=False)
class Tinting:
    """Mixes the photo with the colour that its style file names; it has no backbone."""

    precision = FLOAT32
    minimum_size = 1
    as_loaded = True

    def needs(self, recipe: Recipe, regions: int, styles: Sequence[Style] = ()) -> Needs:
        return Needs(0, 24.0, 0.0)

    def factors(
        self, recipe: Recipe, content: Tensor, style: Tensor, finish: float | None
    ) -> list[float]:
        return [finish or 1.0]

    def read_content(self, image: Tensor, recipe: Recipe) -> Content:
        return Content(image, {})

    def read_network(self, path: Path, recipe: Recipe) -> Style:
        data = path.read_bytes()
        if not data.startswith(b"tint "):
            raise InputError(f"{path}: no tint")
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
    assert checked.foretold(Execution()).memory == 24 * 32 * 24
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
