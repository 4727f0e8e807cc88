"""A training that takes no time: the tiny backbone, a tiny network, pictures of a few pixels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nstcli.plan.pair import Source
from nstcli.recipe import DEFAULT
from nstcli.training.recipe import TrainingOptions
from nstcli.training.train import Order
from tests.conftest import Plugin

OPTIONS = TrainingOptions(model="tiny", size=16, width=2, batch_size=2, steps=6)
Orders = Callable[..., Order]


@pytest.fixture
def photos(write_picture: Callable[..., Path]) -> Path:
    """A folder of three pictures, one of them in a sub-folder."""
    for number, name in enumerate(("a.png", "b.png", "more/c.jpg")):
        write_picture(f"photos/{name}", 20 + number, 36, seed=number)
    return write_picture("photos/a.png", 20, 36).parent


@pytest.fixture
def order(tiny_plugin: Plugin, photos: Path, write_picture: Callable[..., Path]) -> Orders:
    """Return what makes an order: fields of its options and of itself, by name."""
    style = write_picture("art/ink.png", 20, 24, seed=9)
    sample = write_picture("sample.png", 12, 16, seed=8)

    def make(output: Path, chosen: dict[str, Any] | None = None, **values: Any) -> Order:
        own = {name: values.pop(name) for name in list(values) if name in vars(OPTIONS)}
        return replace(
            Order(
                Source(style),
                (str(photos),),
                output,
                replace(OPTIONS, sample=sample, **own),
                {**DEFAULT, **(chosen or {})},
                device="cpu",
                precision="float32",
            ),
            **values,
        )

    return make
