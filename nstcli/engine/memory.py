"""Memory that a pair needs, measured on the meta device, and what is free.

A pair that cannot fit is refused and not begun.
"""

import copy
import ctypes
import math
import sys
import weakref
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from backbones.hooks import FeatureExtractor
from nstcli.engine.cgroups import left_by_groups
from nstcli.engine.guidance import EVERYWHERE, Guidance, Region
from nstcli.engine.losses import statistic_of
from nstcli.engine.matching import OFFERED_PIXELS, bytes_per_pixel
from nstcli.engine.objective import Objective, Part, evaluate, parts, weighted
from nstcli.engine.targets import Style, layers_looked_at, read_content, read_style
from nstcli.engine.tiling import Tiling
from nstcli.optimizers import OPTIMIZERS
from nstcli.recipe import Recipe
from nstcli.terms import TERMS

if sys.platform != "win32":
    import resource

# float32 pictures that are there besides an evaluation and what an optimizer remembers: the best
# one and the gradient before.
_PICTURES = 2
_PICTURE_BYTES = 3 * 4
# The content as it was decoded.
_DECODED_BYTES = 3
# How much more than its tensors a process takes, since convolutions need memory of their own and
# freed blocks do not fit: measured with VGG-19, SqueezeNet and MobileNet in both precisions, from
# 512 to 1024 px, where what comes out is 10 % too little at worst. Reading has few tensors and
# all large, of which the next fits into the hole of none.
_OPTIMIZING, READING = 1.2, 1.6
# The same of a tile, between whose tensors pictures do not fit: by 1.2, SqueezeNet took 1 % more
# than the 4 GB that it had at 4096 px.
_IN_TILES = 1.3
# Edge of the picture that is measured, in pixels: large enough that what does not grow with it,
# Gram matrices above all, counts for nothing. The other one is for networks that must compute.
_EDGE = 1024
_EDGE_COMPUTED = 128
# glibc's names for its settings (malloc.h); -1 is its word for never.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1


@dataclass(frozen=True)
class InTiles:
    """The bytes that a pair takes at its peak where it is looked at in tiles that end at one layer.

    Attributes:
        neck: that layer; see `Tiling`.
        share: of a step's work, what is done in tiles.
        fixed: whatever its size: the places of the style to be matched, besides what is fixed
            anyway.
        held: for each pixel of the content at its largest scale, at any scale.
        picture: for each pixel of the picture at a scale, what the optimizer keeps included.
        tile: for each pixel of a tile, with those around it.
        behind: for each pixel of the picture, while what comes after the neck is looked at.
        grid: for each pixel of a tile, besides, while places of that are compared.
    """

    fixed: float
    held: float
    picture: float
    tile: float
    behind: float = 0.0
    grid: float = 0.0
    neck: str | None = None
    share: float = 1.0

    def at_work(self, pixels: float, tile: float) -> float:
        """Return what is there for a time, of a picture and a tile of so many pixels."""
        return max(self.tile * tile, self.behind * pixels + self.grid * tile)


@dataclass(frozen=True)
class Needs:
    """The bytes that a pair takes at its peak.

    Attributes:
        fixed: whatever its size; convolutions keep the weights in a layout of their own.
        painting: for each pixel of the content that is at work: in a step, or in a tile.
        reading: for each pixel of the style, in a forward pass, with what is kept of it to match.
        kept: for each pixel of the content, at work or not.
        listed: for each pixel of a style that is not too large to offer all its places.
        at_once: pixels that are at work at a time, at most.
        tiled: whether it may be looked at in tiles instead.
    """

    fixed: int
    painting: float
    reading: float
    kept: float = 0.0
    listed: float = 0.0
    at_once: float = math.inf
    tiled: bool = False

    def of_content(self, pixels: float) -> float:
        """Return the bytes for a content of so many pixels, besides what is fixed."""
        listed = self.listed * min(pixels, OFFERED_PIXELS)  # its style is about as large
        return self.painting * min(pixels, self.at_once) + self.kept * pixels + listed

    def of_style(self, pixels: float) -> float:
        """Return the bytes for a style of so many pixels, likewise."""
        return self.reading * min(pixels, self.at_once)


def needs(extractor: FeatureExtractor, recipe: Recipe, regions: int = 0) -> Needs:
    """Find out what pictures need with this network, in its present precision, and this recipe.

    `regions` are those with masks and styles of their own: 1 where maps alone say what holds
    where, 0 where nothing does. A recipe that keeps faces makes such maps.
    """
    regions = max(regions, bool(recipe.keep_faces))
    reading, optimizing, offered, pixels = measure_tensors(extractor, recipe, regions)
    pictures = _pictures(recipe)
    to_read = READING * reading.peak / pixels + _PICTURE_BYTES
    return Needs(
        sum(parameter.nbytes for parameter in extractor.network.parameters()),
        max(_OPTIMIZING * optimizing.peak / pixels + pictures, to_read),  # contents are read, too
        to_read + _for_matching(extractor, recipe),
        listed=offered / min(pixels, OFFERED_PIXELS),
        tiled=additive(recipe),
    )


def _pictures(recipe: Recipe) -> int:
    """Return the bytes for each pixel of the pictures that are there besides an evaluation."""
    own = OPTIMIZERS[recipe.optimizer].pictures(recipe.history)
    return (_PICTURES + own) * _PICTURE_BYTES + _DECODED_BYTES


def lighter(recipe: Recipe) -> tuple[str, float]:
    """Name the optimizer that keeps fewest pictures, and the bytes of a pixel that it spares."""
    kept = {name: each.pictures(recipe.history) for name, each in OPTIMIZERS.items()}
    least = min(kept, key=lambda name: kept[name])
    return least, float((kept[recipe.optimizer] - kept[least]) * _PICTURE_BYTES)


def additive(recipe: Recipe) -> bool:
    """Tell whether all that a recipe looks at adds up over the tiles of a picture."""
    return all(statistic_of(term).additive for term in layers_looked_at(recipe))


def in_tiles(extractor: FeatureExtractor, recipe: Recipe, regions: int = 0) -> list[InTiles]:
    """Find out the same in tiles of any size, for each layer that they may end at."""
    weights = recipe.weights_of_terms
    layers = {
        name
        for term, names in layers_looked_at(recipe).items()
        for name in names
        if name and weights[term]
    }
    found = []
    blank = copy.deepcopy(extractor).to("meta")
    for neck in (None, *extractor.necks(layers)):
        try:
            each = _measured_in_tiles(blank, extractor, recipe, regions, _EDGE, neck)
        except RuntimeError:  # see `measure_tensors`
            each = _measured_in_tiles(extractor, extractor, recipe, regions, _EDGE_COMPUTED, neck)
        found.append(replace(each, picture=each.picture + _pictures(recipe)))
    return found


def _for_matching(extractor: FeatureExtractor, recipe: Recipe) -> float:
    """Return what each pixel of a style takes while its places are matched."""
    weights, layers = recipe.weights_of_terms, recipe.layers_of_terms
    terms = [name for name, term in TERMS.items() if term.target == "matched" and weights[name]]
    value_bytes = next(extractor.network.parameters()).itemsize
    channels = [sum(extractor.backbone.layer(name).channels for name in layers[t]) for t in terms]
    return max((bytes_per_pixel(count, value_bytes) for count in channels), default=0)


class TensorBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the tensors that come and go while it is active, those of autograd included.

    Attributes:
        now: bytes of those that are there.
        peak: the most that were there at a time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Ask torch not to shield this from its compiler, whose import takes seconds."""
        return False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch, and take note of what it returns."""
        result = function(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple | list) else (result,):
            if isinstance(each, Tensor):
                self._add(each.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:  # a view, or changed in place
            return
        self._known.add(storage)
        self._grow(storage.nbytes())
        weakref.finalize(storage, self._grow, -storage.nbytes())

    def _grow(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)


def measure_tensors(
    extractor: FeatureExtractor, recipe: Recipe, regions: int = 0
) -> tuple[TensorBytes, TensorBytes, int, int]:
    """Measure the tensors that reading a style takes, and those that optimizing a picture takes.

    Returns both, the bytes besides of the places that are offered to match, and the pixels that
    either of them is for.
    """
    try:
        # Tensors of this device have shapes and no content, so that it takes no time.
        return _measured(copy.deepcopy(extractor).to("meta"), recipe, regions, _EDGE)
    except RuntimeError:  # a network that looks at the content
        return _measured(extractor, recipe, regions, _EDGE_COMPUTED)


def _measured(
    extractor: FeatureExtractor, recipe: Recipe, regions: int, edge: int
) -> tuple[TensorBytes, TensorBytes, int, int]:
    edge = max(edge, extractor.backbone.minimum_size)
    image = torch.full((1, 3, edge, edge), 0.5, device=extractor.gain.device)
    with TensorBytes() as reading:
        style = read_style(extractor, [image], recipe)
    with TensorBytes() as optimizing:
        content = read_content(extractor, image.clone(), recipe)
        coarser = optimizing.now // 3  # of all scales together, a quarter each of the next
        picture = image.clone().requires_grad_()
        guidance = _guidance(image, style, regions)
        objective = parts(extractor, content, style, recipe, guidance=guidance)
        offered = _offered(objective)
        optimizing.peak = optimizing.now  # what matching takes for a while is counted by itself
        terms = evaluate(extractor, picture, objective)
        loss = weighted(terms, recipe)
        torch.autograd.grad(loss.sum(), picture)
    optimizing.peak += coarser - offered
    return reading, optimizing, offered, edge**2


def _offered(parts: Sequence[Part]) -> int:
    """Return the bytes of the lists of places that terms are matched with."""
    return sum(p.target.value.nbytes for p in parts if p.target.rows is not None)


def _guidance(image: Tensor, style: Style, regions: int) -> Guidance:
    """Let maps and so many regions say what holds where, if there are any."""
    if not regions:
        return EVERYWHERE
    maps = [torch.ones_like(image[:, :1]) for _ in range(regions + 2)]
    held = [Region(mask, style) for mask in maps[2:]]
    return Guidance(maps[0], maps[1], tuple(held))


def _measured_in_tiles(
    extractor: FeatureExtractor,
    seeing: FeatureExtractor,
    recipe: Recipe,
    regions: int,
    edge: int,
    neck: str | None,
) -> InTiles:
    """Measure what pairs need whose one tile is all of them.

    `seeing` is a network that computes, and so tells what its layers see.
    """
    edge = max(edge, extractor.backbone.minimum_size)
    tiling, pixels = Tiling((edge, edge), neck), edge**2
    image = torch.full((1, 3, edge, edge), 0.5, device=extractor.gain.device)
    with TensorBytes() as reading:
        style = read_style(extractor, [image], recipe, tiling=tiling)
    with TensorBytes() as there:
        content = read_content(extractor, image.clone(), recipe, tiling=tiling)
        held, to_read = there.now, max(there.peak, reading.peak)
        there.peak = there.now
        picture = image.clone().requires_grad_()
        guidance = _guidance(image, style, regions)
        pieces = parts(extractor, content, style, recipe, picture, guidance, tiling)
        offered = _offered(pieces)
        matching, kept = there.peak - there.now - offered, there.now
        objective = Objective.of(extractor, pieces, image.shape, tiling)
        assert objective.tiles  # noqa: S101 - they were asked for
        there.peak = kept
        found = objective.in_tile(picture, objective.tiles.whole)
        torch.autograd.grad(found, picture, [torch.ones_like(each) for each in found])
        step = there.peak - kept
        behind = grid = laid = 0.0
        if objective.tiles.neck:
            x = found.pop().detach()
            laid = 2.0 * x.nbytes  # and its gradient
            del found
            quarters = Objective.of(
                seeing, pieces, image.shape, replace(tiling, size=(edge // 2, edge // 2))
            )
            whole, less = (
                _peak_behind(replace(each, extractor=extractor), x, there)
                for each in (objective, quarters)
            )
            grid = (whole - less) * 4 / 3
            behind = whole - grid
    fixed = sum(parameter.nbytes for parameter in extractor.network.parameters()) + 2.0 * offered
    return InTiles(
        fixed,
        held * 4 / 3 / pixels,  # of all scales together, a quarter each of the next
        (kept - held - offered + laid) / pixels,
        max(_IN_TILES * step, READING * max(to_read, matching)) / pixels,
        _IN_TILES * behind / pixels,
        _IN_TILES * grid / pixels,
        objective.tiles.neck,
        _share(extractor, neck, {part.layer for part in pieces if part.layer}, image),
    )


def _peak_behind(objective: Objective, x: Tensor, there: TensorBytes) -> int:
    """Measure a step through what comes after the neck, from its activations."""
    before = there.peak = there.now
    x = x.detach().requires_grad_()
    found = [*objective.behind(x).values()]
    torch.autograd.grad(found, x, [torch.ones_like(each) for each in found])
    return there.peak - before


def _share(
    extractor: FeatureExtractor, neck: str | None, layers: Collection[str], image: Tensor
) -> float:
    """Return the share of a forward pass to some layers that is done at the neck."""
    if neck is None:
        return 1.0
    from torch.utils.flop_counter import FlopCounterMode  # brings a compiler, a third of a second

    counted = []
    for names in ([neck], layers):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            extractor(image, names)
        counted.append(counter.get_total_flops())
    return float(counted[0] / max(1, counted[1]))


def free_bytes(device: torch.device, share: float = math.inf) -> int:
    """Return the memory that a device can still give, without pushing others out.

    What this process holds unused counts as free. A container, or another control group of Linux,
    has no more than its limits, which psutil does not look at. `share` is the most that the process
    may take of the main memory altogether, in bytes; of a GPU's, see `device.share_memory`.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        taken = torch.cuda.memory_allocated(device)
        held = torch.cuda.memory_reserved(device) - taken
        part = torch.cuda.get_per_process_memory_fraction(device)
        return max(0, min(int(free) + held, int(part * total) - taken))
    system, kept = psutil.virtual_memory(), kept_bytes()
    used = psutil.Process().memory_info().rss - kept
    limits = system.total, left_by_groups(kept), share - used
    return max(0, int(min(system.available + kept, *limits)))


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


def largest_size(height: int, width: int, needed: Callable[[float], float], free: float) -> int:
    """Return the longest edge at which a picture of this shape needs no more than `free` bytes.

    `needed` tells the bytes of so many pixels. The edge is a multiple of 16, which may be 0.
    """
    longest, pixels = max(height, width), height * width
    edges = range(longest // 16 * 16, 0, -16)
    return next((e for e in edges if needed(pixels * (e / longest) ** 2) <= free), 0)


def advice(size: int, smallest: int, device: str) -> str:
    """Say what helps where memory is short: this size, unless a network needs more pixels."""
    if size >= smallest:
        return f"try --size {size}"
    more = ", or allow more --memory" if device == "cpu" else ""
    return f"close other programs{more}"


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


class _Mallinfo2(ctypes.Structure):
    """glibc's account of its memory (malloc.h), of all its arenas together."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def kept_bytes() -> int:
    """Return what this process has freed and the C library kept, which the system counts as used.

    0 where the library does not tell (glibc does from 2.33 on).
    """
    with suppress(AttributeError, OSError, TypeError):
        account = ctypes.CDLL(None).mallinfo2
        account.restype = _Mallinfo2
        return int(account().fordblks)
    return 0
