"""The form of a cached weights file: safetensors, with our notes in the file's metadata.

What is checked here is that a file agrees with itself; `cache.differing` holds it against the
record of its weight set.
"""

from __future__ import annotations

import errno
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from backbones.atomic import write_atomic
from backbones.safe_json import parse_json
from backbones.spec import SHA256, BackboneError, Preprocessing
from backbones.weights.hashing import content_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

_KEY = "nst"

# What safetensors calls the types that networks of ours have and that numpy can hold. Others, such
# as bfloat16, `write` is never given.
_TYPES = {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL"}


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

    def __post_init__(self) -> None:
        for told in (self.backbone, self.weight_set, self.origin):
            if not isinstance(told, str):
                raise TypeError(f"{told!r} is no text")
        for told in (self.sha256, self.content_sha256):
            if not isinstance(told, str) or not SHA256.fullmatch(told):
                raise ValueError(f"{told!r} is no sha256")


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
    with _opened(path, "np") as file:
        return _notes(file, path)


def check(path: Path) -> Notes:
    """Read the whole file, without torch, and return its notes.

    Raises:
        BackboneError: it is damaged: cut short, or its tensors are not those that were written.
        OSError: it is not there or cannot be read.
    """
    return read(path, "np")[1]


def read(path: Path, form: Literal["np", "pt"] = "pt") -> tuple[dict[str, Any], Notes]:
    """Return the file's tensors, on the CPU, and its notes, after checking them.

    Args:
        path: of the file.
        form: of the tensors: "pt" for torch's, "np" for numpy's, which needs no torch.

    Raises:
        BackboneError: it is damaged.
        OSError: it is not there or cannot be read.
    """
    with _opened(path, form) as file:
        notes = _notes(file, path)
        if notes is None:
            raise _damaged(path, "its notes are missing")
        names = list(file.keys())
        for name in names:
            kind = file.get_slice(name).get_dtype()
            if kind not in _TYPES:
                raise _damaged(path, f"its tensor {name} is {kind}")
        tensors = {name: file.get_tensor(name) for name in names}
        arrays = {name: each.numpy() for name, each in tensors.items()} if form == "pt" else tensors
        if content_sha256(arrays) != notes.content_sha256:
            raise _damaged(path, "its tensors are not those that were written")
    return tensors, notes


@contextmanager
def _opened(path: Path, form: str) -> Iterator[Any]:
    """Open a safetensors file, and name it where it turns out to be broken.

    Raises:
        BackboneError: it is broken.
        MemoryError: it does not fit into memory, whoever says so.
        OSError: it is not there or cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
        raise _damaged(path, "it is no file")
    try:
        with safe_open(path, framework=form) as file:
            yield file
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        if error.errno == errno.ENOMEM or "Cannot allocate memory" in str(error):
            raise MemoryError(f"no memory to read {path}") from error
        raise


def _notes(file: Any, path: Path) -> Notes | None:
    metadata = file.metadata() or {}
    return _parse(metadata[_KEY], path) if _KEY in metadata else None


def _parse(text: str, path: Path) -> Notes:
    try:
        fields = parse_json(text)
        wants = fields.pop("preprocessing")
        preprocessing = Preprocessing(
            wants["channels"], wants["scale"], tuple(wants["mean"]), tuple(wants["std"])
        )
        return Notes(**fields, preprocessing=preprocessing)
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OverflowError,  # a number beyond all floats
        BackboneError,  # a preprocessing that cannot be
    ) as error:
        raise _damaged(path, f"its notes cannot be read ({error})") from error


def _damaged(path: Path, why: str) -> BackboneError:
    return BackboneError(f"{path} is damaged: {why}")
