"""Files of networks: safetensors, with what is known of the training in the file's metadata.

Those of other programs are read as well: a state dict and nothing else, as `.pth` or safetensors.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones import BackboneError
from backbones.atomic import write_atomic
from backbones.paths import is_file, is_folder
from backbones.safe_json import parse_json
from backbones.weights import readers
from backbones.weights.hashing import content_sha256
from nstcli.errors import InputError
from nstcli.images import EXTENSIONS
from nstcli.methods import NETWORK_SUFFIXES
from nstcli.networks.kinds import KINDS, kind_of
from nstcli.text import printable, shown
from nstcli.version import VERSION

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nstcli.networks.transformation import TransformationNetwork

SUFFIX = ".safetensors"
# Of state dicts that `torch.save` wrote.
_PICKLES = NETWORK_SUFFIXES - {SUFFIX}
# Of `KINDS`, what is trained here.
KIND = "transformation"
# What white is in networks of the kind that others publish.
_PUBLISHED_LEVELS = 255.0
# What normalisations kept of the training before PyTorch 0.4, or count; pictures have their own.
_STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}
# What the tensors of a network know better than its notes.
_TOLD_BY_TENSORS = ("width", "residuals")
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
        kind: what the tensors are, a name of `KINDS`.
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
    known = {name: getattr(network, name) for name in ("levels", "width", "residuals")}
    write_tensors(path, network.state_dict(), replace(notes, **known))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], notes: Notes) -> None:
    """Write a network of any kind by its parameters; see `write`."""
    from safetensors.torch import save

    plain = {name: each.detach().float().contiguous().cpu() for name, each in tensors.items()}
    notes = replace(notes, content_sha256=_digest(plain))
    # One entry alone: safetensors writes several in an order that changes from run to run.
    text = json.dumps(notes.dump(), ensure_ascii=True, sort_keys=True)
    write_atomic(path, save(plain, {_KEY: text}))


def read(path: Path, method: str | None = None) -> tuple[nn.Module, Notes]:
    """Return a network on the CPU, frozen, and what is known of it.

    It takes pictures (N, 3, H, W), RGB in [0, 1], and returns others of the same size.

    Args:
        path: of its file.
        method: that shall paint with it; None for any.

    Raises:
        InputError: it cannot be read, is damaged, or no network that is known, or one for another
            method; or a layer has another shape than such a network's.
    """
    name = shown(path)
    if path.suffix.lower() in _PICKLES:
        notes, tensors = _published(path.stem, _state_dict(path), name)
    else:
        notes, tensors = _read(path, "pt")
    kind = KINDS[notes.kind]
    if method not in (None, kind.method):
        raise InputError(f"{name}: it holds {kind.title}; --method {kind.method} takes it")
    if notes.content_sha256 not in ("", _digest(tensors)):
        raise InputError(f"{name}: damaged; its tensors are not those that were written")
    network = kind.build(tensors, name, notes.levels)
    told = {field: getattr(network, field, getattr(notes, field)) for field in _TOLD_BY_TENSORS}
    return network, replace(notes, **told)


def read_notes(path: Path) -> Notes:
    """Return what is known of a network; of one of our own without its tensors and without torch.

    Raises:
        InputError: as of `read`, as far as that can be told.
    """
    return read(path)[1] if path.suffix.lower() in _PICKLES else _read(path, "")[0]


def picture_of(path: Path) -> bytes | None:
    """Return the file of a small picture that stands for a network, None where there is none.

    It is in the notes, or lies beside the network and is called like it: `candy.jpg`.
    """
    with suppress(InputError):
        found = read_notes(path).thumbnail
        if found:
            return found
    for suffix in sorted(EXTENSIONS):
        with suppress(OSError):
            return path.with_suffix(suffix).read_bytes()
    return None


def _digest(tensors: Mapping[str, Tensor]) -> str:
    return content_sha256({name: each.numpy() for name, each in tensors.items()})


def _read(path: Path, form: str) -> tuple[Notes, dict[str, Any]]:
    """Read notes and tensors in the form of a framework, or their names alone if none is named."""
    from safetensors import SafetensorError, safe_open

    name = shown(path)
    _refuse_no_file(path, name)
    try:
        with safe_open(path, framework=form or "np") as file:
            metadata = file.metadata() or {}
            tensors = {k: file.get_tensor(k) if form else None for k in list(file.keys())}
    except SafetensorError as error:
        if path.suffix.lower() in EXTENSIONS:
            raise InputError(
                f"{name}: a picture, and no safetensors file of a network; artworks are for other "
                "methods"
            ) from error
        raise InputError(
            f"{name}: no network, or a damaged one: it is no safetensors file ({error})"
        ) from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    if _KEY in metadata:
        return _notes(metadata[_KEY], name), tensors
    if _WEIGHTS_KEY in metadata:
        raise InputError(f"{name}: it holds the weights of a backbone, not a network of nst")
    return _published(path.stem, tensors, name)


def _refuse_no_file(path: Path, name: str) -> None:
    if not is_file(path):
        what = "is a folder, not a file" if is_folder(path) else "no such file"
        raise InputError(f"{name}: {what}")


def _state_dict(path: Path) -> Mapping[str, Any]:
    """Read a state dict without running anything of it, or the one state dict that is in it."""
    name = shown(path)
    _refuse_no_file(path, name)
    try:
        content = readers.read(path)
    except BackboneError as error:
        told = printable(str(error).removeprefix(path.name).lstrip())
        raise InputError(f"{name}: {told}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    inner = [each for each in content.values() if isinstance(each, Mapping)]
    return inner[0] if len(inner) == 1 else content


def _published(stem: str, tensors: Mapping[str, Any], name: str) -> tuple[Notes, dict[str, Any]]:
    """Tell what parameters are that others have written, and leave out what is none.

    The names of what was trained on several graphics cards begin with `module.`.
    """
    found = {
        key.removeprefix("module."): value
        for key, value in tensors.items()
        if key.rpartition(".")[2] not in _STATISTICS
    }
    notes = Notes(stem, kind=kind_of(found, name), levels=_PUBLISHED_LEVELS, version="")
    return notes, found


def _notes(text: str, name: str) -> Notes:
    try:
        notes = Notes.load(parse_json(text))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        told = printable(str(error))
        raise InputError(f"{name}: damaged; its notes cannot be read ({told})") from error
    if notes.kind not in KINDS:
        raise InputError(
            f"{name}: a network of the kind '{printable(notes.kind)}', which this version does "
            f"not know; nst {printable(notes.version)} trained it"
        )
    return notes
