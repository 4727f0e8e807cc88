"""Freed memory is kept where the C library can be told to, and nothing happens elsewhere."""

import ctypes
import platform
import subprocess
import sys

import pytest

from nstcli.engine.memory import keep_freed_memory

# Takes and frees 64 MiB, as a step does, and counts the pages that the system had to clear.
_FAULTS = """
import ctypes, resource, sys
from nstcli.engine.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def step():
    block = libc.malloc(2**26)
    ctypes.memset(block, 1, 2**26)
    libc.free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", _FAULTS, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc")
def test_blocks_that_were_freed_need_no_new_pages() -> None:
    assert faults("keep") < 100 < 10_000 < faults("leave")


@pytest.mark.parametrize("problem", [AttributeError, OSError, TypeError])
def test_another_c_library_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, problem: type[Exception]
) -> None:
    def library(name: object) -> object:
        raise problem

    monkeypatch.setattr(ctypes, "CDLL", library)
    keep_freed_memory()
