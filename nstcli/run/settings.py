"""What all pairs of a run have in common, and what it costs; torch is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backbones
from backbones import Backbone, WeightSet, weights
from backbones.paths import exists
from backbones.spec import Progress
from nstcli.images import DEFAULT_MAX_PIXELS, size_of
from nstcli.plan.pair import Pair
from nstcli.recipe import Recipe, resolve
from nstcli.results.records import Form

if TYPE_CHECKING:
    from nstcli.run.worker import Worker


@dataclass(frozen=True)
class Execution:
    """By what means pairs are made; nothing of it changes a result by more than rounding.

    Attributes:
        device: `auto`, or names of devices, divided by commas.
        precision: `auto`, `float32` or `bfloat16`.
        jobs: workers at a time; no less than one per device.
        pairs_per_step: optimized together on one device, None for as many as do good there.
        timeout: seconds that a pair may take, None for any time.
        offline: never use the network.
        max_pixels: that a picture may have before it is decoded.
        backend: a name of `BACKENDS`, or `auto`.
        memory: bytes of the main memory that a worker may take, None for what there is.
    """

    device: str = "auto"
    precision: str = "auto"
    jobs: int = 1
    pairs_per_step: int | None = None
    timeout: float | None = None
    offline: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS
    backend: str = "auto"
    memory: float | None = None


@dataclass(frozen=True)
class Settings:
    """How pairs are made: the recipe with its network, and the form of the results."""

    backbone: Backbone
    weight_set: WeightSet
    recipe: Recipe
    form: Form

    @property
    def title(self) -> str:
        """Name the network with its weights, `vgg19:gatys`."""
        return weights.title(self.backbone, self.weight_set)

    def fetch(self, offline: bool, progress: Progress | None) -> None:
        """Download the weights if they are not here.

        Raises:
            BackboneError: they cannot be had.
        """
        if not exists(weights.cached_path(self.backbone, self.weight_set)):
            weights.pull(self.backbone, self.weight_set, offline=offline, progress=progress)

    def worker(self, device: str, execution: Execution) -> Worker:
        """Load the network on a device and get ready to make pairs. This imports torch.

        Raises:
            BackboneError: the weights cannot be had.
        """
        from backbones.hooks import FeatureExtractor
        from nstcli.engine.memory import keep_freed_memory
        from nstcli.engine.precision import arranged
        from nstcli.run.loader import Readings
        from nstcli.run.worker import Worker

        keep_freed_memory()  # before anything is measured
        extractor = FeatureExtractor.load(
            self.backbone, self.weight_set, offline=execution.offline
        ).to(device)
        if extractor.weights_sha256 != self.recipe.weights:
            raise backbones.BackboneError(
                f"the weights {self.title} changed while the pairs "
                "were planned, or their source has others now; run it again"
            )
        memory = weights.cache_folder() / "precision.json"
        extractor, found = arranged(extractor, self.recipe, execution.precision, memory)
        return Worker(
            extractor,
            Readings(
                extractor,
                self.recipe,
                device,
                execution.max_pixels,
                self.form.format,
                execution.memory,
            ),
            self.recipe,
            device,
            found,
            self.form,
            execution.timeout,
        )


def memory_needed(settings: Settings, pairs: Sequence[Pair], precision: str) -> int:
    """Return the bytes that the largest pair will need at its peak, in float32 unless forced.

    The network is built with random weights for it: nothing is downloaded. This imports torch.
    """
    from backbones.hooks import FeatureExtractor
    from nstcli.engine.memory import needs
    from nstcli.engine.precision import arranged

    backbone, recipe = settings.backbone, settings.recipe
    extractor = FeatureExtractor(backbone, backbone.build(), settings.weight_set.preprocessing)
    forced = "float32" if precision == "auto" else precision
    extractor, _ = arranged(extractor, recipe, forced, weights.cache_folder() / "precision.json")
    needed = needs(extractor, recipe)
    contents, styles = (
        max((_pixels(path, recipe.size) for path in paths), default=0)
        for paths in ({pair.content for pair in pairs}, {pair.style for pair in pairs})
    )
    growing = max(needed.optimizing * contents, needed.reading * styles)
    return round(needed.fixed + growing) if growing else 0


def _pixels(path: Path, longest: int) -> int:
    """Count the pixels that a picture will have, 0 if it cannot be read."""
    try:
        found = size_of(path.read_bytes())
    except OSError:
        return 0
    width, height = found or (0, 0)
    scale = min(1.0, longest / max(width, height, 1))
    return round(width * scale) * round(height * scale)


def settle(
    model: str,
    weight_set: str | None,
    choices: Mapping[str, Any],
    *,
    form: Form,
    offline: bool,
    progress: Callable[[str], Progress],
) -> Settings:
    """Resolve names and defaults. Downloads only where nothing else can tell what weights are.

    Raises:
        BackboneError: an unknown name, or weights that cannot be had.
        InputError: a value out of range.
    """
    backbone = backbones.get(model)
    chosen = weights.select(backbone, weight_set)
    title = weights.title(backbone, chosen)
    sha256 = weights.identity(backbone, chosen)
    if sha256 is None:
        weights.pull(backbone, chosen, offline=offline, progress=progress(title))
        sha256 = weights.identity(backbone, chosen)
    if sha256 is None:
        raise backbones.BackboneError(f"weights {title} have no identity")
    return Settings(backbone, chosen, resolve(backbone, sha256, choices), form)
