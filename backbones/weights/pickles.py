"""Read pickles of numpy arrays without letting them touch numpy.

Such a pickle asks for three globals: `numpy.ndarray`, `numpy.dtype` and numpy's `_reconstruct`.
They are answered with stand-ins that only note what the file says of each array; the arrays are
then made of those notes. Handing out numpy's own would not do: `dtype.__setstate__` takes any
flags, and a wrong one turns numbers into pointers, for the whole process if the dtype is shared.
"""

from __future__ import annotations

import pickle
import re
import struct
from typing import IO, TYPE_CHECKING, Any

from backbones.spec import BackboneError

if TYPE_CHECKING:
    import numpy as np

# What a damaged stream makes an unpickler raise, besides its own error.
MALFORMED = (
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

_NUMBER = re.compile(r"[fiu][1248]|b1")


def load(stream: IO[bytes], name: str) -> Any:
    """Return the dicts, lists, strings, numbers and arrays in a pickle; `name` is for errors.

    Raises:
        BackboneError: it is damaged, or asks for anything else.
    """
    try:
        return _arrays(_Unpickler(stream, name).load())
    except MALFORMED as error:
        raise BackboneError(f"{name} is a damaged pickle: {error}") from error


def refusal(name: str, wanted: str) -> BackboneError:
    """Return the error for a file that asks for a global it must not have."""
    return BackboneError(
        f"{name} asks for {wanted} when it is read, which a weights file does not need; "
        "refused, and nothing of it was run"
    )


class _DtypeStandIn:
    """Stands for a `numpy.dtype`: its code, "f4", and then its byte order."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        import numpy as np

        if not _NUMBER.fullmatch(self.code):
            raise ValueError(f"it holds an array of {self.code!r}, which is no kind of number")
        return np.dtype(self.order + self.code)


class _ArrayStandIn:
    """Stands for a `numpy.ndarray`: its shape, kind, order and bytes."""

    def __init__(self, *_empty: object) -> None:
        """Take the arguments of `_reconstruct`, which are the same for all arrays."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.kind, self.fortran, self.data = state

    def array(self) -> np.ndarray:
        import numpy as np

        # Python 2 wrote bytes as a string.
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        flat = np.frombuffer(data, self.kind.dtype())
        return flat.reshape(self.shape, order="F" if self.fortran else "C").copy()


# numpy moved `_reconstruct` when it became 2.0; `ndarray` is only ever an argument of it.
_STAND_INS = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _DtypeStandIn,
    ("numpy.core.multiarray", "_reconstruct"): _ArrayStandIn,
    ("numpy._core.multiarray", "_reconstruct"): _ArrayStandIn,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], name: str) -> None:
        super().__init__(stream, encoding="latin1")
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise refusal(self._name, f"{module}.{name}")
        return _STAND_INS[module, name]


def _arrays(content: Any) -> Any:
    """Replace the stand-ins by arrays, in containers at any depth."""
    if isinstance(content, dict):
        return {key: _arrays(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_arrays(value) for value in content]
    if isinstance(content, _ArrayStandIn):
        return content.array()
    if content is None or isinstance(content, str | bytes | int | float):
        return content
    raise ValueError(f"it holds a {type(content).__name__}")
