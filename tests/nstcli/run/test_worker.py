"""Pairs from end to end, where memory is short or a picture too large for its format."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nstcli import images
from nstcli.engine.memory import Needs
from nstcli.engine.methods import optimize
from nstcli.errors import InputError, StoppedError
from nstcli.recipe import DEFAULT
from nstcli.results.folder import Store
from nstcli.results.records import Form
from nstcli.run import loader, worker
from nstcli.run.check import check
from nstcli.run.events import Failed, Made
from nstcli.run.job import Execution, Job, Settings, settings_for
from nstcli.run.worker import Worker
from tests.conftest import Plugin
from tests.nstcli.run.test_backends import by, job_of, settings_of

# The advice where no smaller size is one.
ROOM = "close other programs, or allow more --memory"


class Activations:
    """What fills the memory of a device."""


def test_what_did_not_fit_together_is_let_go_before_pairs_are_tried_alone(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = optimize.stylize_together
    alive: weakref.WeakSet[Activations] = weakref.WeakSet()
    calls: list[tuple[int, int]] = []

    def scarce(extractor: Any, pairs: Any, *arguments: Any) -> Any:
        calls.append((len(pairs), len(alive)))
        held = Activations()
        alive.add(held)
        if len(pairs) > 1:
            raise MemoryError
        return real(extractor, pairs, *arguments)

    monkeypatch.setattr(optimize, "stylize_together", scarce)
    settings = settings_of(2)
    style = write_picture("art/ink.png", seed=9)
    jobs = [job_of(write_picture(f"{n}.png", seed=n), style, settings) for n in range(3)]
    made_by = Worker("cpu", by("local"))
    outcomes = [outcome for _, outcome in made_by.make(jobs, lambda *_: None)]
    assert [type(outcome) for outcome in outcomes] == [Made] * 3
    assert calls == [(3, 0), (1, 0), (1, 0), (1, 0)]


def make(settings: Settings, jobs: list[Job], **options: Any) -> list[Any]:
    """Return what becomes of each."""
    made_by = Worker("cpu", by("local", **options))
    return [outcome for _, outcome in made_by.make(jobs, lambda *_: None)]


# Of each pixel of a content, as it was decoded and in float32: what is there of a pair's needs.
THERE = 3 * (1 + 4)


@pytest.mark.parametrize(
    ("free", "error"),
    [
        (1200 * 32 * 24 + 999, None),
        (1200 * 32 * 24, "content.png: out of memory at 32 px (needs about 0.0 GiB, 0.0 free); "),
        (700 * 40 * 30, "style.png: out of memory at 40 px (needs about 0.0 GiB, 0.0 free); "),
    ],
)
def test_either_picture_may_be_too_large(
    tiny_plugin: Plugin,
    write_picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    error: str | None,
) -> None:
    """A style is read once, which takes less, but may have far more pixels than its content."""
    optimizing = 1200 if error is None or "content" in error else 1
    settings = settings_of(2)
    monkeypatch.setattr(optimize, "needs", lambda *_: Needs(999, optimizing, 700))
    monkeypatch.setattr(loader, "free_bytes", lambda *_: free - THERE * 32 * 24)
    pictures = write_picture("content.png"), write_picture("style.png", 30, 40, seed=1)
    if error is None:
        pictures = pictures[0], write_picture("small.png", seed=1)
    (outcome,) = make(settings, [job_of(*pictures, settings)])
    if error is None:
        assert isinstance(outcome, Made)
    else:
        assert isinstance(outcome, Failed)
        assert error + "try --size " in outcome.error


def test_what_is_kept_of_a_content_leaves_its_next_pair_as_much_room(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted among what a pair needs, so that the second is no larger than the first."""
    room: list[float] = []
    real = loader.chosen

    def noting(needed: Needs, *arguments: Any) -> Any:
        room.append(arguments[3])
        return real(needed, *arguments)

    others = gc.get_objects()  # of other tests; some of their tensors have no storage to ask for
    known = {id(each) for each in others}

    def free(*_: object) -> int:
        made = [each for each in gc.get_objects() if id(each) not in known]
        tensors = [each for each in made if issubclass(type(each), torch.Tensor)]
        return 2**30 - sum({x.data_ptr(): x.nbytes for x in tensors}.values())

    monkeypatch.setattr(loader, "chosen", noting)
    monkeypatch.setattr(loader, "free_bytes", free)
    settings = settings_of(2)
    content = write_picture("content.png", 256, 256)
    styles = [write_picture(f"{seed}.png", 16, 16, seed=seed) for seed in (1, 2)]
    made_by = Worker("cpu", by("local"))
    for style in styles:
        ((_, outcome),) = made_by.make([job_of(content, style, settings)], lambda *_: None)
        assert isinstance(outcome, Made)
    assert room[1] > room[0] - 2**16


def test_styles_kept_for_other_pairs_go_where_memory_is_short(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a pair is made, and how, does not depend on what was made before it."""
    kept: list[int] = []
    real = loader.Loader._keep

    def keeping(self: loader.Loader, *arguments: Any) -> None:
        real(self, *arguments)
        kept.append(len(self._styles))

    loaders = []
    begin = loader.Loader.__init__

    def noting(self: loader.Loader, *arguments: Any) -> None:
        begin(self, *arguments)
        loaders.append(self)

    monkeypatch.setattr(loader.Loader, "_keep", keeping)
    monkeypatch.setattr(loader.Loader, "__init__", noting)
    monkeypatch.setattr(loader, "free_bytes", lambda *_: 2**30 if not loaders[0]._styles else 1000)
    settings = settings_of(2)
    content = write_picture("content.png")
    jobs = [job_of(content, write_picture(f"{n}.png", seed=n), settings) for n in (1, 2)]
    assert [type(each) for each in make(settings, jobs)] == [Made, Made]
    assert kept == [1, 1]


def test_an_animation_that_does_not_fit_fails_its_pairs_alone(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(worker, "Filming", exhausted)
    settings = settings_of(2)
    jobs = [
        job_of(write_picture(f"{n}.png", seed=n), write_picture("s.png"), settings) for n in (1, 2)
    ]
    outcomes = make(settings, jobs)
    assert [type(each) for each in outcomes] == [Failed, Failed]
    assert "out of memory" in outcomes[0].error


def test_where_no_size_fits_none_is_advised(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network needs 8 px on the shorter edge, which is a quarter of the longer one here."""
    settings = settings_of(2)
    pictures = write_picture("strip.png", 16, 64), write_picture("style.png", 64, 64, seed=1)
    monkeypatch.setattr(optimize, "needs", lambda *_: Needs(0, 100.0, 1.0))
    for free, advice in ((100 * 32 * 8, "try --size 32"), (100 * 31 * 8, ROOM)):
        besides = free - THERE * 64 * 16
        monkeypatch.setattr(loader, "free_bytes", lambda *_, besides=besides: besides)
        (outcome,) = make(settings, [job_of(*pictures, settings)])
        assert isinstance(outcome, Failed)
        assert outcome.error.endswith(f"; {advice}")


@pytest.mark.parametrize(
    ("size", "text", "advice"),
    [
        (512, "DefaultCPUAllocator: can't allocate memory: you tried", "try --size 256"),
        (512, "DefaultCPUAllocator: not enough memory: you tried", "try --size 256"),
        (15, "DefaultCPUAllocator: not enough memory: you tried", ROOM),
    ],
)
def test_what_torch_says_of_memory_is_understood(
    tiny_plugin: Plugin,
    write_picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    text: str,
    advice: str,
) -> None:
    def exhausted(*_: object) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(optimize, "stylize_together", exhausted)
    settings = settings_of(2)
    settings = replace(settings, recipe=replace(settings.recipe, size=size))
    pictures = write_picture("a.png"), write_picture("b.png", seed=1)
    (outcome,) = make(settings, [job_of(*pictures, settings)])
    assert isinstance(outcome, Failed)
    assert outcome.error == f"out of memory at {size} px; {advice}"


def test_a_worker_takes_no_more_than_its_share(
    tiny_plugin: Plugin, write_picture: Callable[..., Path]
) -> None:
    settings = settings_of(2)
    jobs = [job_of(write_picture("a.png"), write_picture("b.png", seed=1), settings)]
    assert isinstance(make(settings, jobs, memory=2.0**40)[0], Made)
    (outcome,) = make(settings, jobs, memory=1000.0)
    assert isinstance(outcome, Failed)
    assert "a.png: out of memory at 32 px" in outcome.error


def test_a_result_that_its_format_cannot_hold_is_refused_before_it_is_begun(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimize, "stylize_together", lambda *_: pytest.fail("begun"))
    settings = settings_of(2)
    recipe = replace(settings.recipe, size=20_000)
    settings = replace(settings, recipe=recipe, form=Form("webp"))
    pictures = write_picture("wide.png", 8, 16_384), write_picture("style.png", seed=1)
    (outcome,) = make(settings, [job_of(*pictures, settings)])
    assert isinstance(outcome, Failed)
    assert outcome.error.endswith(
        "wide.png: webp holds at most 16383 pixels per edge, not 16384 × 8; use png"
    )


@pytest.mark.parametrize("problem", [InputError("it is too much"), MemoryError()])
def test_a_picture_that_cannot_be_encoded_fails_alone(
    tiny_plugin: Plugin,
    write_picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
) -> None:
    real, calls = images.encode, []

    def encode(*arguments: Any) -> bytes:
        calls.append(arguments)
        if len(calls) == 1:
            raise problem
        return real(*arguments)

    settings = settings_of(2)
    style = write_picture("art/ink.png", seed=9)
    jobs = [job_of(write_picture(f"{n}.png", seed=n), style, settings) for n in range(2)]
    monkeypatch.setattr(images, "encode", encode)
    failed, made = make(settings, jobs)
    assert isinstance(failed, Failed)
    assert failed.error == (str(problem) or "out of memory at 512 px; try --size 256")
    assert isinstance(made, Made)


def test_what_a_batch_needs_is_told_by_its_largest_pictures(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], tmp_path: Path
) -> None:
    # Without the nearest term, for which a style of any size takes the same.
    choices = {**DEFAULT, "model": "tiny", "steps": 2, "nearest_weight": 0.0}
    settings = settings_for(choices, Form())
    small, strip = write_picture("small.png"), write_picture("strip.png", 8, 400)
    large = write_picture("large.png", 400, 400)

    def needed(*pairs: tuple[Path, Path]) -> int:
        wanted = [(job_of(*each, settings).pair, settings) for each in pairs]
        return check(wanted, Store(tmp_path / "out")).foretold(Execution(tile="off")).memory

    assert needed() == 0
    assert needed((large, small)) > needed((strip, large)) > 5 * needed((strip, small))
    assert needed((strip, small), (small, large)) == needed((strip, large))


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_a_network_without_room_ends_the_batch_and_says_so(
    tiny_plugin: Plugin, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr(worker.FeatureExtractor, "load", load)
    with pytest.raises(StoppedError, match="not enough memory to load the network tiny"):
        Worker("cpu", by("local")).load(settings_of(2))


def test_other_errors_of_a_network_are_bugs(
    tiny_plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(worker.FeatureExtractor, "load", load)
    with pytest.raises(RuntimeError, match="shapes"):
        Worker("cpu", by("local")).load(settings_of(2))


def test_artworks_are_read_as_much_larger_as_the_recipe_wants(
    tiny_plugin: Plugin, write_picture: Callable[..., Path]
) -> None:
    """And the photo is not; what grows beyond its own pixels is told of."""
    pictures = write_picture("content.png"), write_picture("style.png", 30, 40, seed=1)
    sizes, notes = [], []
    for scale in (0.5, 1.0, 2.0):
        settings = settings_of(1, style_scale=scale)
        made_by = Worker("cpu", by("local"))
        made_by.load(settings)
        loaded = made_by._ready.loader.load(job_of(*pictures, settings))
        sizes.append([tuple(s.style.image.shape[-2:]) for s in loaded.scales])
        notes += loaded.notes
        assert loaded.scales[-1].content.image.shape[-2:] == (24, 32)
    assert sizes == [[(15, 20)], [(30, 40)], [(60, 80)]]
    assert len(notes) == 1
    assert notes[0].endswith("style.png: enlarged to 80×60 px, more than it has")
