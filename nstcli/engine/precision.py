"""In which precision and memory layout a network runs fastest here: found by measuring."""

import copy
import platform
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from backbones.hooks import POOLS, FeatureExtractor
from nstcli.engine.losses import statistic_of
from nstcli.engine.targets import Place, layers_looked_at
from nstcli.recipe import Recipe
from nstcli.remembered import Remembered

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
    extractor: FeatureExtractor, recipe: Recipe, wanted: str, cache_file: Path
) -> tuple[FeatureExtractor, Precision]:
    """Fit the network to the recipe and the precision wanted; return it, and which that is.

    `auto` takes the fastest candidate for this backbone, size and device. It is measured once and
    remembered in `cache_file`, so that a machine gives the same bytes again; `float32` gives the
    same bytes on every run of one machine even without it.
    """
    adapted(extractor, recipe)
    form = (" dense" if recipe.dense else "") + (" padded" if recipe.padding != "own" else "")
    return in_precision(extractor, _places(recipe), recipe.size, form, wanted, cache_file)


def in_precision(
    extractor: FeatureExtractor,
    places: Collection[Place],
    size: int,
    form: str,
    wanted: str,
    cache_file: Path,
) -> tuple[FeatureExtractor, Precision]:
    """Do what `arranged` does with a network whose form is as it should be.

    Args:
        extractor: the network.
        places: at which it is looked.
        size: longest edge of the pictures.
        form: tells networks of one backbone apart that take another time.
        wanted: see `arranged`.
        cache_file: likewise.
    """
    _configure_cudnn(exact=wanted == "float32")
    if wanted == "auto":
        size = min(size, _LONGEST)
        key = _cache_key(extractor, places, size, form)
        chosen = _cached_or_fastest(extractor, places, size, key, cache_file)
    else:
        chosen = FLOAT32 if wanted == "float32" else BFLOAT16
    return _converted(extractor, chosen), chosen


def _configure_cudnn(exact: bool) -> None:
    """Let convolutions on CUDA be quick, or exact and the same on every run.

    Quick: in TensorFloat-32, which keeps more digits than bfloat16, by whatever algorithm a trial
    finds fastest. Gram matrices are plain products, which torch computes in full float32 anyway.
    """
    cudnn = torch.backends.cudnn
    cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = not exact, not exact, exact


def _converted(extractor: FeatureExtractor, precision: Precision) -> FeatureExtractor:
    return extractor.arrange(getattr(torch, precision.dtype), getattr(torch, precision.layout))


def _cached_or_fastest(
    extractor: FeatureExtractor, places: Collection[Place], size: int, key: str, cache_file: Path
) -> Precision:
    remembered = Remembered(cache_file)
    for precision in CANDIDATES:
        if remembered.values.get(key) == str(precision):
            return precision
    chosen = _fastest(extractor, places, size)
    remembered.put(key, str(chosen))
    with suppress(OSError):  # it is measured again next time, which costs less than a failure
        remembered.save()
    return chosen


def _cache_key(extractor: FeatureExtractor, places: Collection[Place], size: int, form: str) -> str:
    """Name all that the choice may depend on."""
    device = extractor.gain.device
    if device.type == "cuda":
        machine = torch.cuda.get_device_name(device)
    else:
        capability = torch.backends.cpu.get_cpu_capability()
        machine = f"{platform.node()} {device.type} {capability} ×{torch.get_num_threads()}"
    layers = ",".join(sorted({layer for _, layer in places if layer is not None}))
    title = f"{extractor.backbone.name}{form} {layers}"
    return f"{machine} · torch {torch.__version__} · {title} · {size} px"


def _fastest(extractor: FeatureExtractor, places: Collection[Place], size: int) -> Precision:
    """Time one evaluation per candidate; one that the device cannot do is out."""
    edge = max(extractor.backbone.minimum_size, size)
    image = torch.full((1, 3, max(extractor.backbone.minimum_size, edge * 3 // 4), edge), 0.5)
    image = image.to(extractor.gain.device)
    seconds = {}
    for precision in CANDIDATES:
        candidate = _converted(copy.deepcopy(extractor), precision)
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


def adapted(extractor: FeatureExtractor, recipe: Recipe) -> FeatureExtractor:
    """Change how the network pools and pads and what its stem sees, in place, and return it."""
    if recipe.pooling != "max":
        extractor.pool_by(POOLS[recipe.pooling])
    if recipe.dense:
        extractor.use_dense_stem()
    if recipe.padding != "own":
        extractor.pad_by(recipe.padding)
    return extractor
