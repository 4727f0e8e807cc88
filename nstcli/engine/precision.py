"""In which precision and memory layout a network runs fastest here: found by measuring."""

import copy
import json
import platform
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from backbones.files import parse_json, write_atomic
from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import statistic_of
from nstcli.engine.targets import Place, layers_looked_at
from nstcli.recipe import Recipe

# What is timed: 192×144 px tell layouts apart as well as a large picture, and VGG-19 in float32
# takes a tenth of a second for them.
_LONGEST = 192
_REPEATS = 3


@dataclass(frozen=True)
class Precision:
    """How the features are computed; image, Grams, losses and optimizer stay in float32."""

    dtype: str
    layout: str

    def __str__(self) -> str:
        return f"{self.dtype} {self.layout}"


FLOAT32 = Precision("float32", "channels_last")
BFLOAT16 = Precision("bfloat16", "channels_last")
# The fastest for some network on some device; the first is also the fallback.
CANDIDATES = (FLOAT32, BFLOAT16, Precision("float32", "contiguous_format"))


def arranged(
    extractor: FeatureExtractor, recipe: Recipe, wanted: str, memory: Path
) -> tuple[FeatureExtractor, Precision]:
    """Fit the network to the recipe and the precision wanted; return it, and which that is.

    `auto` takes the fastest candidate for this backbone, size and device. It is measured once and
    remembered in the file `memory`, so that a machine gives the same bytes again; `float32` gives
    the same bytes on every run of one machine even without it.
    """
    _settle_cuda(exact=wanted == "float32")
    fitted(extractor, recipe)
    if wanted == "auto":
        chosen = _remembered(extractor, recipe, memory)
    else:
        chosen = FLOAT32 if wanted == "float32" else BFLOAT16
    return _in(extractor, chosen), chosen


def _settle_cuda(exact: bool) -> None:
    """Let convolutions on CUDA be quick, or exact and the same on every run.

    Quick: in TensorFloat-32, which keeps more digits than bfloat16, by whatever algorithm a trial
    finds fastest. Gram matrices are plain products, which torch computes in full float32 anyway.
    """
    cudnn = torch.backends.cudnn
    cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = not exact, not exact, exact


def _in(extractor: FeatureExtractor, precision: Precision) -> FeatureExtractor:
    return extractor.arrange(getattr(torch, precision.dtype), getattr(torch, precision.layout))


def _remembered(extractor: FeatureExtractor, recipe: Recipe, memory: Path) -> Precision:
    try:
        known = parse_json(memory.read_bytes())
    except (OSError, ValueError):
        known = {}
    key = _situation(extractor, recipe)
    for precision in CANDIDATES:
        if isinstance(known, dict) and known.get(key) == str(precision):
            return precision
    chosen = _fastest(extractor, recipe)
    known = {**(known if isinstance(known, dict) else {}), key: str(chosen)}
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(memory, json.dumps(known, indent=1, sort_keys=True).encode())
    except OSError:
        pass  # it is measured again next time, which costs less than a failure here
    return chosen


def _situation(extractor: FeatureExtractor, recipe: Recipe) -> str:
    """Name all that the choice may depend on."""
    device = extractor.gain.device
    if device.type == "cuda":
        machine = torch.cuda.get_device_name(device)
    else:
        capability = torch.backends.cpu.get_cpu_capability()
        machine = f"{platform.node()} {device.type} {capability} ×{torch.get_num_threads()}"
    layers = ",".join(sorted({layer for _, layer in _places(recipe) if layer is not None}))
    size = min(recipe.size, _LONGEST)
    dense = " dense" if recipe.dense else ""
    return f"{machine} · torch {torch.__version__} · {recipe.model}{dense} {layers} · {size} px"


def _fastest(extractor: FeatureExtractor, recipe: Recipe) -> Precision:
    """Time one evaluation per candidate; one that the device cannot do is out."""
    edge = max(extractor.backbone.minimum_size, min(recipe.size, _LONGEST))
    image = torch.full((1, 3, max(extractor.backbone.minimum_size, edge * 3 // 4), edge), 0.5)
    image = image.to(extractor.gain.device)
    places = _places(recipe)
    seconds = {}
    for precision in CANDIDATES:
        candidate = _in(copy.deepcopy(extractor), precision)
        try:
            seconds[precision] = min(_evaluation(candidate, image, places) for _ in range(_REPEATS))
        except (RuntimeError, TypeError):
            continue
    return min(seconds, key=lambda precision: seconds[precision], default=FLOAT32)


def _places(recipe: Recipe) -> set[Place]:
    """Return what the terms of a recipe look at."""
    layers = layers_looked_at(recipe)
    return {(statistic_of(term), layer) for term, names in layers.items() for layer in names}


def _evaluation(
    extractor: FeatureExtractor, image: torch.Tensor, places: Collection[Place]
) -> float:
    """Return the seconds that one forward and backward pass through the statistics take."""
    image = image.clone().requires_grad_()
    started = time.perf_counter()
    found = extractor(image, {layer for _, layer in places if layer is not None})
    looked_at = (
        statistic.of(image if layer is None else found[layer]) for statistic, layer in places
    )
    loss = torch.stack([each.float().square().sum() for each in looked_at]).sum()
    (gradient,) = torch.autograd.grad(loss, image)
    gradient.sum().item()  # waits for the device
    return time.perf_counter() - started


def fitted(extractor: FeatureExtractor, recipe: Recipe) -> FeatureExtractor:
    """Change how the network pools and what its stem sees, in place, and return it."""
    if recipe.pooling == "avg":
        extractor.pool_by_average()
    if recipe.dense:
        extractor.see_every_pixel()
    return extractor
