"""Files of networks: safetensors, with what is known of the training in the file's metadata."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.atomic import write_atomic
from backbones.paths import is_file, is_folder
from backbones.safe_json import parse_json
from backbones.weights.hashing import content_sha256
from nstcli.errors import InputError
from nstcli.text import printable, shown
from nstcli.version import VERSION

if TYPE_CHECKING:
    from torch import Tensor

    from nstcli.networks.transformation import TransformationNetwork

SUFFIX = ".safetensors"
# What the tensors are; there may be other kinds.
KIND = "transformation"
_KEY = "nst-network"
# Of the cached weights of backbones: `backbones.weights.cachefile`.
_WEIGHTS_KEY = "nst"


@dataclass(frozen=True)
class Notes:
    """What a file says of its network.

    Attributes:
        style: name of the artwork.
        recipe: of the training, as for JSON: all that its weights depend on but the device.
        licence: of whom the style and the training pictures are, as far as is known.
        thumbnail: the style in small, an encoded picture (JPEG); empty if there is none.
        steps: of the training.
        photos: how many pictures it was trained on.
        seconds: of the training.
        loss: at its end, the mean over the last steps.
        levels: see `TransformationNetwork`.
        width: likewise; what is read has that of the tensors.
        residuals: likewise.
        kind: what the tensors are, of `KIND` alone as yet.
        version: of the program that trained it.
        content_sha256: digest over its tensors (`backbones.weights.hashing.content_sha256`);
            `write` fills it in.
    """

    style: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    thumbnail: bytes = b""
    steps: int = 0
    photos: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    levels: float = 1.0
    width: int = 32
    residuals: int = 5
    kind: str = KIND
    version: str = VERSION
    content_sha256: str = ""

    def dump(self) -> dict[str, Any]:
        """Return it as for JSON."""
        loss = self.loss if math.isfinite(self.loss) else None
        thumbnail = base64.b64encode(self.thumbnail).decode()
        return {**asdict(self), "loss": loss, "thumbnail": thumbnail}

    @classmethod
    def load(cls, told: Mapping[str, Any]) -> Notes:
        """Return what `dump` has written; what a later program says besides is left out.

        Raises:
            ValueError: a value that cannot be. So are TypeError and LookupError.
        """
        known = {name: told[name] for name in cls.__dataclass_fields__ if name in told}
        known["loss"] = math.nan if known.get("loss") is None else float(known["loss"])
        known["thumbnail"] = base64.b64decode(known.get("thumbnail", ""), validate=True)
        for name in ("style", "licence", "kind", "version", "content_sha256"):
            if not isinstance(known.get(name, ""), str):
                raise TypeError(f"{name} is no text")
        for name in ("steps", "photos", "seconds", "levels", "width", "residuals"):
            least = 0 if name in ("steps", "photos", "seconds") else 1
            value = known.get(name, least)
            if not isinstance(value, int | float) or not least <= value < math.inf:
                raise ValueError(f"{name} is {value!r}")
        if not isinstance(known.get("recipe", {}), dict):
            raise TypeError("recipe is no mapping")
        return cls(**known)


def write(path: Path, network: TransformationNetwork, notes: Notes) -> None:
    """Write a network and what is known of it, whole or not at all.

    The same network and notes give the same bytes.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.torch import save

    tensors = {
        name: each.detach().float().contiguous().cpu()
        for name, each in network.state_dict().items()
    }
    notes = replace(
        notes,
        levels=network.levels,
        width=network.width,
        residuals=network.residuals,
        content_sha256=_digest(tensors),
    )
    # One entry alone: safetensors writes several in an order that changes from run to run.
    text = json.dumps(notes.dump(), ensure_ascii=True, sort_keys=True)
    write_atomic(path, save(tensors, {_KEY: text}))


def read(path: Path) -> tuple[TransformationNetwork, Notes]:
    """Return a network on the CPU, frozen, and what is known of it.

    Raises:
        InputError: it cannot be read, is damaged, or no network of ours; or a layer has another
            shape than such a network's.
    """
    from nstcli.networks.transformation import TransformationNetwork

    notes, tensors = _read(path, "pt")
    name = shown(path)
    if _digest(tensors) != notes.content_sha256:
        raise InputError(f"{name}: damaged; its tensors are not those that were written")
    network = TransformationNetwork.of(tensors, name, notes.levels)
    return network, replace(notes, width=network.width, residuals=network.residuals)


def read_notes(path: Path) -> Notes:
    """Return what is known of a network, without its tensors and without torch.

    Raises:
        InputError: it cannot be read, is damaged, or no network of ours.
    """
    return _read(path, "")[0]


def _digest(tensors: Mapping[str, Tensor]) -> str:
    return content_sha256({name: each.numpy() for name, each in tensors.items()})


def _read(path: Path, form: str) -> tuple[Notes, dict[str, Tensor]]:
    """Read notes and, in the form of a framework if one is named, tensors."""
    from safetensors import SafetensorError, safe_open

    name = shown(path)
    if not is_file(path):
        what = "is a folder, not a file" if is_folder(path) else "no such file"
        raise InputError(f"{name}: {what}")
    try:
        with safe_open(path, framework=form or "np") as file:
            notes = _notes(file.metadata() or {}, name)
            if not form:
                return notes, {}
            return notes, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(
            f"{name}: no network, or a damaged one: it is no safetensors file ({error})"
        ) from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error


def _notes(metadata: Mapping[str, str], name: str) -> Notes:
    if _KEY not in metadata:
        if _WEIGHTS_KEY in metadata:
            raise InputError(f"{name}: it holds the weights of a backbone, not a network of nst")
        raise InputError(f"{name}: it holds tensors, but no notes that make it a network of nst")
    try:
        notes = Notes.load(parse_json(metadata[_KEY]))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        told = printable(str(error))
        raise InputError(f"{name}: damaged; its notes cannot be read ({told})") from error
    if notes.kind != KIND:
        raise InputError(
            f"{name}: a network of the kind '{printable(notes.kind)}', which this version does "
            f"not know; nst {printable(notes.version)} trained it"
        )
    return notes
