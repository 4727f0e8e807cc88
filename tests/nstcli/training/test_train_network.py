"""Training by a real backbone: a few steps lower the loss."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nstcli.plan.pair import Source
from nstcli.recipe import DEFAULT
from nstcli.training.loop import Step
from nstcli.training.train import Order, check, run
from tests.nstcli.training.conftest import OPTIONS

pytestmark = pytest.mark.network


@pytest.mark.parametrize("model", ["squeezenet", "vgg19"])
def test_a_few_steps_lower_the_loss(
    model: str, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    for number in range(3):
        photo = write_picture(f"photos/{number}.png", 80, 100, seed=number)
    options = replace(OPTIONS, model=model, size=64, width=4, batch_size=1, steps=40, sample=photo)
    style = Source(write_picture("ink.png", 96, 96, seed=9))
    order = Order(style, (str(photo.parent),), tmp_path / "n.safetensors", options, DEFAULT, "cpu")
    steps: list[Step] = []
    assert run(check(order), lambda event: isinstance(event, Step) and steps.append(event))
    for term in ("content", "style"):
        first, last = (sum(step.terms[term] for step in part) for part in (steps[:8], steps[-8:]))
        assert last < 0.7 * first, term
