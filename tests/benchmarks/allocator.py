"""The C library's memory as it is in a program that tells it nothing."""

import ctypes
from contextlib import suppress

# glibc's names (malloc.h), and what its own adjustment ends at once large blocks have been freed.
_SETTLED = {"trim threshold": (-1, 64 * 2**20), "mmap threshold": (-3, 32 * 2**20)}
_MMAP_MAX = (-4, 65536)


def as_usual() -> None:
    """Undo `keep_freed_memory`, so that the reference finds what the existing tools find."""
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for setting in (*_SETTLED.values(), _MMAP_MAX):
            mallopt(*setting)
