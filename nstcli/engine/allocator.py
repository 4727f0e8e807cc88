"""Memory that is freed is kept for the next step, instead of being given back to the system."""

import ctypes
from contextlib import suppress

# glibc's names for its settings (malloc.h); -1 is its word for never.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1


class _Mallinfo2(ctypes.Structure):
    """glibc's account of its memory (malloc.h), of all its arenas together."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, where it is one that can be told to.

    Every step frees and takes the same activations. glibc gives blocks above 32 MiB back to the
    system at once, which clears their pages anew for each step: from half a megapixel on, that
    took most of the time of the light networks. What is kept is needed until the last pair is
    made; the peak grows by a few percent.
    """
    with suppress(AttributeError, OSError, TypeError):  # another library, another system
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)


def kept_bytes() -> int:
    """Return what this process has freed and the C library kept, which the system counts as used.

    0 where the library does not tell (glibc does from 2.33 on).
    """
    with suppress(AttributeError, OSError, TypeError):
        account = ctypes.CDLL(None).mallinfo2
        account.restype = _Mallinfo2
        return int(account().fordblks)
    return 0
