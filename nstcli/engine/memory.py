"""How much memory a pair will need, so that one that cannot fit is refused and not begun."""

import math
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from backbones.hooks import FeatureExtractor
from nstcli.engine.allocator import kept_bytes
from nstcli.engine.weighing import weigh
from nstcli.recipe import Recipe

if sys.platform != "win32":
    import resource

# float32 pictures that are there besides an evaluation: the best one and the gradient before,
# and what each optimizer remembers (L-BFGS: ten curvature pairs and a few vectors at work).
_PICTURES = {"adam": 2 + 4, "lbfgs": 2 + 2 * 10 + 8}
_PICTURE_BYTES = 3 * 4
# How much more than its tensors a process takes, since convolutions need memory of their own and
# freed blocks do not fit: measured with VGG-19, SqueezeNet and MobileNet in both precisions, from
# 512 to 1024 px, where what comes out is 10 % too little at worst. Reading has few tensors and
# all large, of which the next fits into the hole of none.
_OPTIMIZING, _READING = 1.2, 1.6
# Where Linux tells a container of its limits.
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Needs:
    """The bytes that a pair takes at its peak.

    Attributes:
        fixed: whatever its size; convolutions keep the weights in a layout of their own.
        optimizing: for each pixel of the content, in a step.
        reading: for each pixel of the style, in the only forward pass it gets.
    """

    fixed: int
    optimizing: float
    reading: float


def needs(extractor: FeatureExtractor, recipe: Recipe) -> Needs:
    """Find out what pictures need with this network, in its present precision, and this recipe."""
    reading, optimizing, pixels = weigh(extractor, recipe)
    pictures = _PICTURES[recipe.optimizer] * _PICTURE_BYTES
    for_style = _READING * reading.peak / pixels + _PICTURE_BYTES
    return Needs(
        sum(parameter.nbytes for parameter in extractor.network.parameters()),
        max(_OPTIMIZING * optimizing.peak / pixels + pictures, for_style),  # contents are read, too
        for_style,
    )


def free_bytes(device: torch.device, share: float = math.inf) -> int:
    """Return the memory that a device can still give, without pushing others out.

    What this process holds unused counts as free. `share` is the most that it may take of the main
    memory altogether, in bytes.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + held
    system, kept = psutil.virtual_memory(), kept_bytes()
    used = psutil.Process().memory_info().rss - kept
    limits = system.total, _left_to_the_container(kept), share - used
    return max(0, int(min(system.available + kept, *limits)))


def _left_to_the_container(kept: int) -> float:
    """Return what the limit of a Linux container leaves, which psutil does not look at.

    `kept` are bytes of this process that count as used there and are free to it.
    """
    try:
        limit, used, kinds = (
            (_CGROUP / f"memory.{name}").read_text("ascii").strip()
            for name in ("max", "current", "stat")
        )
        if limit == "max":
            return math.inf
        # Files that were read and are not in use count as used, but make room when it is wanted.
        cached = dict(line.split() for line in kinds.splitlines())["inactive_file"]
        return min(int(limit), int(limit) - int(used) + int(cached) + kept)
    except (OSError, ValueError, KeyError):
        return math.inf


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that this process had taken at any time; on a GPU, its tensors."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    with suppress(OSError, StopIteration):
        # Linux: what getrusage tells begins with the peak of the process that started this one.
        with Path("/proc/self/status").open(encoding="ascii", errors="replace") as lines:
            peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def largest_size(longest: int, needed: float, free: float) -> int:
    """Return the longest edge that needs no more than `free` bytes, if `longest` needs `needed`.

    A multiple of 16, which may be 0.
    """
    return int(longest * math.sqrt(max(free, 0.0) / needed)) // 16 * 16


def advice(size: int, smallest: int) -> str:
    """Say what helps where memory is short: this size, unless a network needs more pixels."""
    return f"try --size {size}" if size >= smallest else "close other programs"
