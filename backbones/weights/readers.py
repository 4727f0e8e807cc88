"""Read weights files without running anything that they contain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from backbones.spec import BackboneError
from backbones.weights import pickles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def read(path: Path) -> Mapping[str, Any]:
    """Read a weights file: nested mappings of arrays or tensors, by the format its suffix names.

    Raises:
        BackboneError: the suffix is unknown, the file is damaged, or it asks for code.
        OSError: the file cannot be read.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BackboneError(f"{path.name}: weights files end in {', '.join(READERS)}")
    content = reader(path)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise BackboneError(f"{path.name} holds no mapping of names to tensors")
    return content


def read_pickle(path: Path) -> Any:
    """Read a pickle made of dicts, lists, strings, numbers and numpy arrays; refuse any other."""
    with path.open("rb") as stream:
        return pickles.load(stream, path.name)


def read_state_dict(path: Path) -> Any:
    """Read what `torch.save` wrote, with torch's own restricted unpickler, to the CPU."""
    import torch

    try:
        # A file that was saved on a graphics card must open without one.
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickles.MALFORMED as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted:
            raise pickles.refusal(path.name, wanted[1]) from error
        # The rest of torch's message advises to switch the restriction off.
        told = str(error).rpartition("WeightsUnpickler error: ")[2] or type(error).__name__
        first = told.strip().partition("\n")[0]
        raise BackboneError(f"{path.name} is no state dict that torch can read: {first}") from error


def read_safetensors(path: Path) -> Any:
    """Read a .safetensors file; the format cannot hold code."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise BackboneError(f"{path.name} is a damaged safetensors file: {error}") from error


READERS: dict[str, Callable[[Path], Any]] = {
    ".pth": read_state_dict,
    ".pt": read_state_dict,
    ".safetensors": read_safetensors,
    ".ckpt": read_pickle,
    ".pkl": read_pickle,
}
