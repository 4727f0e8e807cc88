"""Pairs from end to end, where memory is short."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nstcli.batch import work
from nstcli.batch.outcomes import Made
from tests.conftest import Plugin
from tests.nstcli.batch.test_backends import by, job_of, settings_of


class Activations:
    """What fills the memory of a device."""


def test_what_did_not_fit_together_is_let_go_before_pairs_are_tried_alone(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = work.stylize_together
    alive: weakref.WeakSet[Activations] = weakref.WeakSet()
    calls: list[tuple[int, int]] = []

    def scarce(extractor: Any, pairs: Any, *arguments: Any) -> Any:
        calls.append((len(pairs), len(alive)))
        held = Activations()
        alive.add(held)
        if len(pairs) > 1:
            raise MemoryError
        return real(extractor, pairs, *arguments)

    monkeypatch.setattr(work, "stylize_together", scarce)
    settings = settings_of(2)
    style = write_picture("art/ink.png", seed=9)
    jobs = [job_of(write_picture(f"{n}.png", seed=n), style, settings) for n in range(3)]
    worker = settings.worker("cpu", by("local"))
    outcomes = [outcome for _, outcome in worker.make(jobs, lambda *_: None)]
    assert [type(outcome) for outcome in outcomes] == [Made] * 3
    assert calls == [(3, 0), (1, 0), (1, 0), (1, 0)]
