"""`nstcli.train`: what `nst train` does, from Python."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nstcli
from nstcli.errors import InputError
from nstcli.networks import file
from tests.conftest import draw

Train = Callable[..., nstcli.Trained]


@pytest.fixture
def train(tiny_plugin: object, tmp_path: Path, write_picture: Callable[..., Path]) -> Train:
    photos = [write_picture(f"photos/{name}.png", 20, 24, seed=n) for n, name in enumerate("abc")]
    style = write_picture("ink.png", 20, 20, seed=7)
    usual: dict[str, Any] = {
        "model": "tiny",
        "size": 16,
        "width": 2,
        "batch_size": 1,
        "steps": 4,
        "sample": photos[0],
        "precision": "float32",
        "device": "cpu",
    }

    def call(output: str = "ink.safetensors", **options: Any) -> nstcli.Trained:
        options = {**usual, **options}
        given = options.pop("style", style)
        return nstcli.train(given, photos[0].parent, tmp_path / output, **options)

    return call


def test_a_network_comes_of_it(train: Train) -> None:
    made = train()
    assert made.notes is not None
    assert (made.notes.style, made.notes.steps, made.notes.photos) == ("ink", 4, 3)
    assert made.notes == file.read(made.path)[1]
    assert made.sheet.exists()


def test_whoever_listens_may_stop_it_and_go_on(train: Train) -> None:
    whole, heard = train("whole.safetensors"), []

    def listen(step: Any) -> bool:
        heard.append(step.number)
        return True

    assert train(on_step=listen).notes is None
    made = train(on_step=lambda step: heard.append(step.number))
    assert heard == [1, 2, 3, 4]
    assert made.notes is not None
    assert whole.notes is not None
    assert made.notes.content_sha256 == whole.notes.content_sha256


def test_a_style_in_memory_and_a_bar(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    made = train(style=[draw(20, 20, 1), (draw(20, 24, 2), 0.5)], progress=True)
    assert made.notes is not None
    assert made.notes.style == "style-1+style-2"
    assert "style-1+style-2: 3 photos · tiny:random" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"stpes": 3}, "did you mean 'steps'"),
        ({"nearest_weight": 3}, "unknown option 'nearest_weight'"),
        ({"width": 0}, "width=0: should be greater than or equal to 1"),
        ({"learning_rate": "fast"}, "learning_rate='fast'"),
        ({"loss": "cosine"}, "loss='cosine'"),
        ({"minutes": 2}, "two budgets"),
    ],
)
def test_what_cannot_be_is_said(train: Train, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        train(**options)
