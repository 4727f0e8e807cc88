"""Devices: which one to use, how many pairs it takes at once, and how workers share the cores."""

import os

import loky
import torch

from nstcli.errors import InputError
from nstcli.text import plural

# Pairs that a GPU optimizes at once unless the user says: below 512 px, one alone leaves most of
# it idle. On a CPU, one pair keeps all cores busy.
_AT_ONCE = 8


def choose(wanted: str) -> str:
    """Return a device's name as torch knows it; `auto` is a GPU when there is one.

    Raises:
        InputError: there is no such device here.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    available[:0] = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if wanted == "auto":
        return available[0]
    if wanted == "cuda" and "cuda:0" in available:
        return "cuda:0"
    if wanted not in available:
        raise InputError(f"no device '{wanted}' here; there are: auto, {', '.join(available)}")
    return wanted


def described(device: str) -> str:
    """Return a device's name for people; that of the processor with the threads it works with."""
    return f"cpu ({plural(torch.get_num_threads(), 'thread')})" if device == "cpu" else device


def at_once(device: str, wanted: int | None) -> int:
    """Return how many pairs to optimize together at most, if memory allows."""
    return wanted or (1 if device == "cpu" else _AT_ONCE)


def share_memory(device: str, share: float) -> None:
    """Let torch take no more than a part of a GPU's memory, where several workers have one GPU."""
    if device.startswith("cuda") and share < 1:
        torch.cuda.set_per_process_memory_fraction(share, device)


def share_cores(workers: int) -> None:
    """Let torch use a worker's share of the cores; OMP_NUM_THREADS, where it is set, wins.

    torch counts the cores of the machine. A container may have the time of fewer, and threads
    beyond them would wait for each other.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        cores = min(torch.get_num_threads(), loky.cpu_count())
        torch.set_num_threads(max(1, cores // workers))
