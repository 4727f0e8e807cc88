"""The form of a cached weights file: safetensors, with our notes in the file's metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from backbones.atomic import write_atomic
from backbones.spec import BackboneError, Preprocessing
from backbones.weights.hashing import content_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_KEY = "nst"


@dataclass(frozen=True)
class Notes:
    """What a cached file says of itself.

    Attributes:
        backbone: name of the backbone it is for.
        weight_set: name of the weight set it holds.
        origin: where it came from, in words.
        sha256: digest of the file it was converted from.
        content_sha256: digest over its tensors (`hashing.content_sha256`).
        preprocessing: what the network expects of its input.
    """

    backbone: str
    weight_set: str
    origin: str
    sha256: str
    content_sha256: str
    preprocessing: Preprocessing


def write(path: Path, tensors: Mapping[str, Tensor], notes: Notes) -> None:
    """Write the tensors and notes to `path`, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.torch import save

    # One entry alone: safetensors writes several in an order that changes from run to run.
    write_atomic(path, save(dict(tensors), {_KEY: json.dumps(asdict(notes))}))


def read_notes(path: Path) -> Notes | None:
    """Return the file's notes, or None for a safetensors file that is not one of ours.

    Raises:
        BackboneError: it is damaged.
        OSError: it is not there or cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    return _parse(metadata[_KEY], path) if _KEY in metadata else None


def check(path: Path) -> Notes:
    """Read the whole file, without torch, and return its notes.

    Raises:
        BackboneError: it is damaged: cut short, or its tensors are not those that were written.
        OSError: it is not there or cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    notes = _own_notes(path)
    try:
        with safe_open(path, framework="np") as file:
            found = content_sha256({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    return _compare(path, notes, found)


def read(path: Path) -> tuple[dict[str, Tensor], Notes]:
    """Return the file's tensors, on the CPU, and its notes, after checking them.

    Raises:
        BackboneError: it is damaged.
        OSError: it is not there or cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    notes = _own_notes(path)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    found = content_sha256({name: tensor.numpy() for name, tensor in tensors.items()})
    return tensors, _compare(path, notes, found)


def _own_notes(path: Path) -> Notes:
    notes = read_notes(path)
    if notes is None:
        raise _damaged(path, "its notes are missing")
    return notes


def _compare(path: Path, notes: Notes, found: str) -> Notes:
    if found != notes.content_sha256:
        raise _damaged(path, "its tensors are not those that were written")
    return notes


def _parse(text: str, path: Path) -> Notes:
    try:
        fields = json.loads(text)
        wants = fields.pop("preprocessing")
        preprocessing = Preprocessing(
            wants["channels"], wants["scale"], tuple(wants["mean"]), tuple(wants["std"])
        )
        return Notes(**fields, preprocessing=preprocessing)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _damaged(path, f"its notes cannot be read ({error})") from error


def _damaged(path: Path, why: str) -> BackboneError:
    return BackboneError(f"{path} is damaged: {why}")
