"""Checkpoints: all that a training goes on from, in one safetensors file.

What comes after one is what would have come without it, to the last bit: the weights, those of the
average, Adam's memory and the usual gradient are kept as they are, and the batch of a step depends
on nothing but its number and the seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backbones.atomic import write_atomic
from backbones.safe_json import parse_json
from nstcli.errors import InputError
from nstcli.text import shown
from nstcli.training.loop import State
from nstcli.training.recipe import TrainingRecipe
from nstcli.version import VERSION

_KEY = "nst-training"


def path_of(network: Path) -> Path:
    """Return where the checkpoint of a network lies while it is trained."""
    return network.with_name(f"{network.name}.checkpoint")


def write(path: Path, state: State, recipe: Mapping[str, Any]) -> None:
    """Write a checkpoint in the place of the one before.

    Raises:
        OSError: it cannot be written; the one before stays.
    """
    from safetensors.torch import save

    tensors = {name: tensor.contiguous().cpu() for name, tensor in _tensors(state)}
    told = {
        "recipe": recipe,
        "step": state.step,
        "seconds": state.seconds,
        "terms": state.terms,
        "version": VERSION,
    }
    write_atomic(path, save(tensors, {_KEY: json.dumps(told)}))


def recipe_of(path: Path) -> dict[str, Any]:
    """Return the recipe of the training that a checkpoint is of, as for JSON.

    Raises:
        InputError: it is no checkpoint, or a damaged one.
    """
    recipe: dict[str, Any] = _read(path, with_tensors=False)[0]["recipe"]
    return recipe


def load(path: Path, recipe: TrainingRecipe, device: str) -> State:
    """Return the state that a checkpoint of this recipe holds, on the device.

    Raises:
        InputError: it is no checkpoint, or a damaged one.
    """
    told, tensors = _read(path, with_tensors=True)
    state = State.begun(recipe, device)
    try:
        state.step, state.seconds = int(told["step"]), float(told["seconds"])
        state.terms = tuple(told["terms"])
        state.losses = tensors["losses"]
        if state.step:
            _remember(state)
        for name, tensor in _tensors(state):
            if name != "losses":
                tensor.copy_(tensors[name])
        state.samples = {
            int(name.removeprefix("sample.")): tensor
            for name, tensor in tensors.items()
            if name.startswith("sample.")
        }
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{_broken(path)} ({error})") from error
    return state


@torch.no_grad()
def _remember(state: State) -> None:
    """Give Adam a memory to be filled; by itself, it has one from the first step on."""
    for each in state.network.parameters():
        state.optimizer.state[each] = {
            "step": torch.tensor(float(state.step)),
            "exp_avg": torch.zeros_like(each),
            "exp_avg_sq": torch.zeros_like(each),
        }


def _tensors(state: State) -> Iterator[tuple[str, Tensor]]:
    """List the tensors of a state by the names that they have in the file."""
    yield "losses", state.losses
    yield "usual", state.usual
    for step, sample in state.samples.items():
        yield f"sample.{step}", sample
    parameters = zip(state.network.named_parameters(), state.average.parameters(), strict=True)
    for (name, value), average in parameters:
        yield f"network.{name}", value.detach()
        yield f"average.{name}", average
        memory = state.optimizer.state.get(value, {})
        for key in ("exp_avg", "exp_avg_sq"):
            if key in memory:
                yield f"{key}.{name}", memory[key]


def _read(path: Path, *, with_tensors: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            told = parse_json((file.metadata() or {})[_KEY])
            if not isinstance(told["recipe"], dict):
                raise TypeError("its recipe is no mapping")
            names = list(file.keys()) if with_tensors else ()
            return told, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{_broken(path)} ({error})") from error
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error


def _broken(path: Path) -> str:
    return f"{shown(path)}: no checkpoint of a training, or a damaged one; --force starts anew"
