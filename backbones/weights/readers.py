"""Read weights files without running anything that they contain."""

from __future__ import annotations

import pickle
import re
import struct
from typing import IO, TYPE_CHECKING, Any

from backbones.spec import BackboneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np

# Global a pickle may ask for -> where today's numpy has it. Old files know numpy's old layout.
_ALLOWED = {
    ("numpy", "ndarray"): ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
}

# What a damaged stream makes the unpicklers of Python and torch raise, besides their own error.
_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
    RuntimeError,
    struct.error,
)


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
        try:
            content = _NumpyUnpickler(stream, encoding="latin1").load()
        except _MALFORMED as error:
            raise BackboneError(f"{path.name} is a damaged pickle: {error}") from error
    _check_arrays(content, path.name)
    return content


def read_state_dict(path: Path) -> Any:
    """Read what `torch.save` wrote, with torch's own restricted unpickler, to the CPU."""
    import torch

    try:
        # A file that was saved on a graphics card must open without one.
        return torch.load(path, map_location="cpu", weights_only=True)
    except _MALFORMED as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted:
            raise _refusal(path.name, wanted[1]) from error
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


class _NumpyUnpickler(pickle.Unpickler):
    """An unpickler for numpy arrays and plain containers alone."""

    def __init__(self, stream: IO[bytes], *, encoding: str) -> None:
        super().__init__(stream, encoding=encoding)
        self._file = getattr(stream, "name", "the file")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "dtype"):
            return _dtype
        if (module, name) not in _ALLOWED:
            raise _refusal(str(self._file).rpartition("/")[2], f"{module}.{name}")
        return super().find_class(*_ALLOWED[module, name])


def _dtype(code: str, align: object = False, copy: object = False) -> np.dtype[Any]:
    """Make a dtype as old numpy pickled it: with 0 and 1 for flags, which numpy 2.4 deprecates."""
    import numpy as np

    return np.dtype(code, bool(align), bool(copy))


def _check_arrays(content: object, file: str) -> None:
    """Refuse arrays of Python objects, whose elements would be anything."""
    import numpy as np

    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list | tuple):
        for part in content:
            _check_arrays(part, file)
    elif isinstance(content, np.ndarray) and content.dtype.kind not in "fiub":
        raise BackboneError(f"{file} holds an array of {content.dtype}, not of numbers; refused")


def _refusal(file: str, wanted: str) -> BackboneError:
    return BackboneError(
        f"{file} asks for {wanted} when it is read, which a weights file does not need; "
        "refused, and nothing of it was run"
    )
