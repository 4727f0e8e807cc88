"""What is said of results that were made with other settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nstcli.results.records import Before
from nstcli.run.check import differences as found_between
from nstcli.run.job import Job
from tests.conftest import Plugin
from tests.nstcli.results.test_records import PAIR, record
from tests.nstcli.run.test_backends import settings_of

SHA = "a" * 32 + "b" * 32


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    settings = settings_of(3)
    old, new = (replace(settings.recipe, **update) for update in (before, now))
    kept = record(b"", "k").model_copy(update={"recipe": old.dump()})
    job = Job.of(PAIR, replace(settings, recipe=new), "c", "s")
    return found_between(Before.of_record(kept), job)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"seed": 7, "steps": 4}, {}, ["steps 4 → 3"]),
        ({"init": "noise", "seed": 7}, {}, ["init noise → content"]),
        ({"seed": 7}, {"init": "noise"}, ["init content → noise", "seed 7 → 0"]),
        ({"tv_weight": 1.0, "tv": "l1"}, {}, ["tv-weight 1.0 → 0.0"]),
        ({"optimizer": "adam", "learning_rate": 0.5}, {}, ["optimizer adam → lbfgs"]),
        ({"padding": "circular"}, {}, ["padding circular → own"]),
        ({}, {"padding": "circular"}, ["padding own → circular"]),
        (
            {"content_layers": {"relu1": 1}},
            {"content_weight": 0.0},
            ["content-weight 1.0 → 0.0"],
        ),
        ({"colors": "recolor"}, {}, ["colors recolor → style"]),
        ({"keep_faces": 1.0, "detector": SHA}, {}, ["keep-faces 1.0 → 0.0"]),
        (
            {"keep_faces": 1.0, "detector": SHA},
            {"keep_faces": 1.0, "detector": SHA[::-1]},
            ["detector aaaaaaaa → bbbbbbbb"],
        ),
        ({"colors": "recolor"}, {"colors": "luminance"}, ["colors recolor → luminance"]),
        ({}, {"colors": "luminance"}, ["colors style → luminance"]),
    ],
)
def test_what_has_no_effect_is_no_difference(
    tiny_plugin: Plugin, before: dict[str, Any], now: dict[str, Any], said: list[str]
) -> None:
    assert sorted(differences(before, now)) == sorted(said)


def test_an_older_result_has_what_there_was_not_yet_turned_off(tiny_plugin: Plugin) -> None:
    settings = settings_of(3)
    known = {name: value for name, value in settings.recipe.dump().items() if name != "colors"}
    kept = record(b"").model_copy(update={"recipe": known})
    assert found_between(Before.of_record(kept), Job.of(PAIR, settings, "content", "style")) == [
        "content image changed",
        "style image changed",
    ]
    now = replace(settings, recipe=replace(settings.recipe, colors="recolor"))
    assert "colors style → recolor" in found_between(
        Before.of_record(kept), Job.of(PAIR, now, "content", "style")
    )


def test_inputs_count(tiny_plugin: Plugin) -> None:
    settings = settings_of(3)
    kept = record(b"").model_copy(update={"recipe": settings.recipe.dump()})
    assert found_between(Before.of_record(kept), Job.of(PAIR, settings, "c", "other")) == [
        "style image changed"
    ]
    assert Path("wave.jpg") == PAIR.path("style")
