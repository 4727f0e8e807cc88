"""Read pickles of numpy arrays without letting them touch numpy.

Such a pickle asks for three globals: `numpy.ndarray`, `numpy.dtype` and numpy's `_reconstruct`.
They are answered with stand-ins that only note what the file says of each array; the arrays are
then made of those notes. Handing out numpy's own would not do: `dtype.__setstate__` takes any
flags, and a wrong one turns numbers into pointers, for the whole process if the dtype is shared.

A few bytes of a pickle can also keep an unpickler busy for years or take all memory, so `examine`
walks through one before anything is built of it.
"""

from __future__ import annotations

import mmap
import pickle
import pickletools
import re
import struct
from typing import IO, TYPE_CHECKING, Any, cast

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
    RuntimeError,
    struct.error,
)

# A state dict takes some fifty instructions a tensor. The largest thing that an instruction of one
# byte makes, an empty set, has 216 bytes.
_INSTRUCTIONS = 1_000_000
# Of a tuple with all that is in it, as if nothing were shared. Python's own random state has 628.
_PARTS, _DEPTH = 10_000, 100

_NUMBER = re.compile(r"[fiu][1248]|b1")


def load(stream: IO[bytes], name: str) -> Any:
    """Return the dicts, lists, strings, numbers and arrays in a pickle file; `name` is for errors.

    Raises:
        BackboneError: it is damaged, or asks for anything else.
    """
    try:
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            examine(data)
            data.seek(0)
            return _arrays(_Unpickler(cast(IO[bytes], data), name).load(), {})
    except MALFORMED as error:
        raise BackboneError(f"{name} is a damaged pickle: {error}") from error


def examine(stream: Any) -> set[str]:
    """Walk through one pickle, build nothing, and return the globals it asks for by name.

    The costs that grow faster than the file are kept down: the hash of a tuple goes through all
    that is in it, shared parts as often as they are met; a place in the memo makes room for all
    places before it; lengths make room for what never comes.

    Args:
        stream: has `read` and `readline` that return no more than there is, without making room
            for more first: not an open file, but an `mmap` or a `BytesIO`.

    Raises:
        ValueError: it is damaged, or not like any weights file; also others of `MALFORMED`.
    """
    stack: list[tuple[int, int] | None] = []  # of each thing its parts and depth; None is a mark
    memo: dict[int, tuple[int, int] | None] = {}
    wanted: set[str] = set()
    instruction: tuple[pickletools.OpcodeInfo, Any, int | None]
    for count, instruction in enumerate(pickletools.genops(stream), 1):
        code, argument, _ = instruction
        if count > _INSTRUCTIONS:
            raise ValueError(f"it has more than {_INSTRUCTIONS} instructions")
        if code.name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            if argument > count:  # writers count the places
                raise ValueError(f"it uses place {argument} of a memo of at most {count}")
            memo[argument] = stack[-1]
        elif code.name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif code.name in {"GET", "BINGET", "LONG_BINGET"}:
            stack.append(memo[argument])
        elif code.name == "MARK":
            stack.append(None)
        else:
            if code.name == "GLOBAL":
                wanted.add(argument)
            stack += [_made(code, _taken(code, stack))] * len(code.stack_after)
    return wanted


def _taken(
    code: pickletools.OpcodeInfo, stack: list[tuple[int, int] | None]
) -> list[tuple[int, int] | None]:
    """Take from the stack what an instruction takes; return it without the mark."""
    below = len(code.stack_before)
    if pickletools.markobject in code.stack_before:
        below = code.stack_before.index(pickletools.markobject)
        mark = max(place for place, each in enumerate(stack) if each is None)
        taken = stack[mark + 1 :]
        del stack[mark:]
    else:
        taken = []
    if below > len(stack):
        raise ValueError(f"its instruction {code.name} finds nothing to work on")
    if below:
        taken = stack[-below:] + taken
        del stack[-below:]
    return taken


def _made(code: pickletools.OpcodeInfo, taken: list[tuple[int, int] | None]) -> tuple[int, int]:
    """Return parts and depth of what an instruction makes of these.

    Lists and the like count as one: they have no hash, which goes no further there.
    """
    if any(each is None for each in taken):
        raise ValueError(f"its instruction {code.name} finds a mark")
    kinds = {kind.name for kind in code.stack_after}
    if kinds <= {"list", "dict", "set"}:
        return 1, 1
    inside = [each for each in taken if each]
    parts = 1 + sum(each[0] for each in inside)
    depth = 1 + max((each[1] for each in inside), default=0)
    if parts > _PARTS or depth > _DEPTH:
        raise ValueError("it holds things within things without end")
    return parts, depth


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


def _arrays(content: Any, made: dict[int, Any]) -> Any:
    """Replace the stand-ins by arrays, in containers at any depth; `made` has those done by id.

    So what is shared is made once and shared again. One that contains itself has no end, which
    Python tells by a RecursionError.
    """
    if id(content) in made:
        return made[id(content)]
    if isinstance(content, dict):
        made[id(content)] = result = {k: _arrays(value, made) for k, value in content.items()}
        return result
    if isinstance(content, list | tuple):
        made[id(content)] = listed = [_arrays(value, made) for value in content]
        return listed
    if isinstance(content, _ArrayStandIn):
        made[id(content)] = array = content.array()
        return array
    if content is None or isinstance(content, str | bytes | int | float):
        return content
    raise ValueError(f"it holds a {type(content).__name__}")
