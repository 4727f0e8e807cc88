"""Read weights files without running anything that they contain."""

from __future__ import annotations

import io
import mmap
import re
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from backbones.spec import BackboneError
from backbones.weights import onnx, pickles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


# The old format: a magic number, a version, the machine, the state dict, the names of its storages.
_OLD_PICKLES = 5

# torch lets these be called, and they make room for any number they are given.
_ROOM = {"builtins bytearray", "__builtin__ bytearray"}


def read(path: Path) -> Mapping[str, Any]:
    """Read a weights file: nested mappings of arrays or tensors, by the format its suffix names.

    Raises:
        BackboneError: the suffix is unknown, the file is damaged, or it asks for code.
        OSError: the file cannot be read.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BackboneError(f"{path.name}: weights files end in {', '.join(READERS)}")
    try:
        with warnings.catch_warnings():
            # Of odd escapes and old or odd kinds of tensors; they are for developers.
            warnings.simplefilter("ignore")
            content = reader(path)
    except MemoryError as error:
        raise BackboneError(
            f"{path.name} needs more memory than there is; close other programs"
        ) from error
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
        wanted_globals = _examine_state_dict(path)
    except (*pickles.MALFORMED, zipfile.BadZipFile, zlib.error) as error:
        raise BackboneError(f"{path.name} is no state dict that torch can read: {error}") from error
    room = wanted_globals & _ROOM
    if room:
        raise pickles.refusal(path.name, min(room).replace(" ", "."))
    try:
        # A file that was saved on a graphics card must open without one.
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted:
            raise pickles.refusal(path.name, wanted[1]) from error
        # The rest of torch's message advises to switch the restriction off.
        told = str(error).rpartition("WeightsUnpickler error: ")[2] or type(error).__name__
        first = told.strip().partition("\n")[0]
        raise BackboneError(f"{path.name} is no state dict that torch can read: {first}") from error


def _examine_state_dict(path: Path) -> set[str]:
    """Walk through the pickles of a file that `torch.save` wrote; return the globals they want.

    Raises:
        ValueError: they are not like those of any state dict, or it unpacks to more than it is;
            also others of `pickles.MALFORMED`, and what a broken archive raises.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":  # as torch tells its two formats apart
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return set().union(*(pickles.examine(data) for _ in range(_OLD_PICKLES)))
    with zipfile.ZipFile(path) as pack:
        size, unpacked = path.stat().st_size, sum(info.file_size for info in pack.infolist())
        if unpacked > size:  # torch.save does not compress, nor let members overlap
            raise ValueError(f"its {size} bytes would unpack to {unpacked}; refused")
        own = [info for info in pack.infolist() if info.filename.endswith(".pkl")]
        return set().union(*(pickles.examine(io.BytesIO(pack.read(info))) for info in own))


def read_safetensors(path: Path) -> Any:
    """Read a .safetensors file; the format cannot hold code."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise BackboneError(f"{path.name} is a damaged safetensors file: {error}") from error


def read_onnx(path: Path) -> Any:
    """Read the tensors of an .onnx file; of its graph, nothing is built."""
    try:
        return onnx.tensors(path.read_bytes())
    except ValueError as error:
        raise BackboneError(f"{path.name} is no ONNX file that can be read: {error}") from error


READERS: dict[str, Callable[[Path], Any]] = {
    ".pth": read_state_dict,
    ".pt": read_state_dict,
    ".safetensors": read_safetensors,
    ".ckpt": read_pickle,
    ".pkl": read_pickle,
    ".onnx": read_onnx,
}
