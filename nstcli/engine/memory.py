"""How much memory a pair will need, so that one that cannot fit is refused and not begun."""

import math
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import torch
from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.recipe import Recipe

if sys.platform != "win32":
    import resource

# Edge of the picture that is measured, in pixels; large enough that its border counts little.
_EDGE = 128
# float32 pictures that the loop and the optimizer keep: the picture, its gradient, the best one,
# and what each optimizer remembers (L-BFGS: ten curvature pairs and a few vectors at work).
_PICTURES = {"adam": 3 + 4, "lbfgs": 3 + 2 * 10 + 7}
_PICTURE_BYTES = 3 * 4
# Where Linux tells a container of its limits.
_CGROUP = Path("/sys/fs/cgroup")
# What passes through the first layers and the allocator besides: measured as the difference
# between the sum of the rest and the peak of a process, SqueezeNet and VGG-19 at 512 and 1024 px.
_PASSING_BYTES = 340


def bytes_per_pixel(extractor: FeatureExtractor, recipe: Recipe) -> float:
    """Return the bytes that one pixel of a picture takes while it is optimized.

    The activations that autograd keeps are weighed on a small picture, since only the network
    itself knows them; the largest of them is there three times while its gradient is computed.
    """
    edge = max(_EDGE, extractor.backbone.minimum_size)
    image = torch.full((1, 3, edge, edge), 0.5, device=extractor.gain.device, requires_grad=True)
    parameters = {p.untyped_storage().data_ptr() for p in extractor.network.parameters()}
    kept: dict[int, int] = {}

    def weigh(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
        # What is kept stays alive until here, so that no two have the same address.
        features = extractor(image, [*recipe.content_layers, *recipe.style_layers])
        del features
    activations = (sum(kept.values()) + 3 * max(kept.values(), default=0)) / edge**2
    return activations + _PICTURES[recipe.optimizer] * _PICTURE_BYTES + _PASSING_BYTES


def free_bytes(device: torch.device) -> int:
    """Return the memory that a device can still give, without pushing others out."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch has taken from the device before and holds unused is free to us.
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + held
    return int(min(psutil.virtual_memory().available, _left_to_the_container()))


def _left_to_the_container() -> float:
    """Return what the limit of a Linux container leaves, which psutil does not look at."""
    try:
        limit, used, kinds = (
            (_CGROUP / f"memory.{name}").read_text("ascii").strip()
            for name in ("max", "current", "stat")
        )
        if limit == "max":
            return math.inf
        # Files that were read and are not in use count as used, but make room when it is wanted.
        cached = dict(line.split() for line in kinds.splitlines())["inactive_file"]
        return max(0, int(limit) - int(used) + int(cached))
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

    A multiple of 16, at least 16.
    """
    return max(16, int(longest * math.sqrt(max(free, 0.0) / needed)) // 16 * 16)
