"""Settings, jobs and execution: what is to be made, how, and by what means. Without torch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, Literal

import backbones
from backbones import Backbone, WeightSet, weights
from backbones.paths import exists
from backbones.spec import Companion, Progress
from nstcli.config.options import ExecutionOptions, OutputOptions
from nstcli.errors import InputError
from nstcli.images import DEFAULT_MAX_PIXELS
from nstcli.methods import METHODS, OPTIMIZE
from nstcli.plan.pair import Pair
from nstcli.recipe import Recipe, resolve
from nstcli.results.records import Form, KnownInput, Stages, key_of, known_inputs
from nstcli.terms import TERMS, Role

# Is given the name of what is downloaded, and returns what shows its progress.
Downloading = Callable[[str], Progress]
# A network, and which of its weights.
WeightsOf = tuple[Backbone | Companion, WeightSet]

# What finds faces.
DETECTOR: tuple[WeightsOf, ...] = tuple((each, each.weight_sets[0]) for each in weights.MTCNN)


@dataclass(frozen=True)
class Settings:
    """How pairs are made: the recipe with its network, and the form of the results."""

    backbone: Backbone
    weight_set: WeightSet
    recipe: Recipe
    form: Form

    @property
    def title(self) -> str:
        """Name what paints: the network with its weights, `vgg19:gatys`, or the method, `adain`."""
        if self.recipe.method == OPTIMIZE:
            return weights.title(self.backbone, self.weight_set)
        return self.recipe.method

    @property
    def network(self) -> tuple[object, ...]:
        """What tells its network from others: pairs of the same one can share what is loaded."""
        recipe = self.recipe
        # Two sets of a plugin may be the same file, seen otherwise.
        weights = recipe.weights, recipe.preprocessing, self.weight_set.preprocessing
        form = recipe.dense, recipe.pooling, recipe.padding
        return recipe.method, recipe.model, *weights, *form, recipe.companions

    @property
    def reading(self) -> tuple[object, ...]:
        """What tells from others what its network sees of inputs: at which size, which layers."""
        recipe, weighs = self.recipe, self.recipe.weights_of_terms
        layers = tuple((term, *names) for term, names in recipe.layers_of_terms.items())
        # A term that weighs nothing may have been left out when the inputs were read.
        aimed = tuple(name for name, term in TERMS.items() if term.target and weighs[name])
        frame = recipe.size, recipe.style_scale, recipe.center_crop, recipe.fit, recipe.keep_size
        return *self.network, *frame, layers, aimed

    def scale_of(self, role: Role) -> float:
        """Return how many times larger than others pictures of a role are read."""
        return self.recipe.style_scale if role == "style" else 1.0

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture of so many pixels that its network cannot see.

        Raises:
            BackboneError: it is below the backbone's minimum size.
        """
        if self.recipe.by.sees:
            self.backbone.check_size(width, height)

    @property
    def companions(self) -> list[WeightsOf]:
        """The networks that its method has beside the backbone, each with its weights."""
        return companions_of(self.recipe)

    @property
    def needed(self) -> list[WeightsOf]:
        """The weights that have to be here: the networks', and of those that find faces to keep."""
        own = [(self.backbone, self.weight_set)] if self.recipe.by.sees else []
        return [*own, *self.companions, *(DETECTOR if self.recipe.keep_faces else ())]


@dataclass(frozen=True)
class Job:
    """A pair to be made with its settings; `inputs` and `key` stand for all its bytes depend on."""

    pair: Pair
    settings: Settings = field(hash=False)  # the key stands for them
    inputs: tuple[KnownInput, ...]
    key: str

    @classmethod
    def of(cls, pair: Pair, settings: Settings, *sha256: str) -> Job:
        """Return the job of a pair whose inputs have these digests, in their order."""
        inputs = known_inputs(pair, sha256)
        return cls(pair, settings, inputs, key_of(settings.recipe, inputs, settings.form))


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
        tile: pixels of a part that pictures are looked at in, each way; `auto` where memory would
            not do otherwise, `off` for all of a picture at once.
        memory: bytes of the main memory that all workers of a computer may take together, infinite
            for what there is; a worker is told of its share.
        address: of the Ray cluster to join, None for one of its own.
        gpus_per_worker: there; None for one, where there are any.
        gpu_share: the part of a GPU's memory that a worker may take, as it is told.
    """

    device: str = "auto"
    precision: str = "auto"
    jobs: int = 1
    pairs_per_step: int | None = None
    timeout: float | None = None
    offline: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS
    backend: str = "auto"
    tile: int | Literal["auto", "off"] = "auto"
    memory: float = math.inf
    address: str | None = None
    gpus_per_worker: float | None = None
    gpu_share: float = 1.0


def form_of(options: OutputOptions, format: str | None = None) -> Form:
    """Return how results become files, in that format if one is known otherwise.

    Raises:
        InputError: the format cannot have so many bits a sample, or nothing here can write mp4.
    """
    stages = stages_of(options)
    kind = format or options.format or "png"
    return Form(kind, options.quality, options.metadata, options.bits, stages)


def stages_of(options: OutputOptions) -> Stages:
    """Return what is to be kept of how pictures come about.

    Raises:
        InputError: an mp4 is wanted, and the package that writes it is not installed.
    """
    if options.animation == "mp4" and find_spec("imageio_ffmpeg") is None:
        raise InputError(
            "mp4 needs the package imageio-ffmpeg: python -m pip install '.[video]' brings it; "
            "--animation gif and webp need nothing"
        )
    return Stages(
        options.save_every,
        options.animation,
        options.boomerang,
        options.animation_size,
        options.animation_seconds,
    )


def execution_of(options: ExecutionOptions, max_pixels: int) -> Execution:
    """Return by what means pairs are to be made.

    Raises:
        InputError: several workers are wanted of the backend that has one.
    """
    if options.backend == "local" and options.jobs > 1:
        raise InputError("--backend local is one worker; leave it out for several --jobs")
    together = options.pairs_per_step
    return Execution(
        device=options.device,
        precision=options.precision,
        jobs=options.jobs,
        pairs_per_step=None if together == "auto" else together,
        timeout=options.timeout,
        offline=options.offline,
        max_pixels=max_pixels,
        tile=options.tile,
        memory=math.inf if options.memory is None else options.memory,
        backend=options.backend or "auto",
        address=options.address,
        gpus_per_worker=options.gpus_per_worker,
    )


class Networks:
    """The backbones and weight sets that several settings name, each looked up once.

    Args:
        offline: never use the network.
        progress: shows downloads.
    """

    def __init__(self, offline: bool = False, progress: Downloading | None = None):
        self._offline = offline
        self._progress = progress
        self._found: dict[tuple[str, str | None, str], tuple[Backbone, WeightSet]] = {}
        self._identities: dict[tuple[str, str | None, str], str] = {}

    def find(self, choices: Mapping[str, Any]) -> tuple[Backbone, WeightSet]:
        """Return the backbone of some choices and its weight set: those of their method, if any.

        Of a method without a backbone it is the one that was chosen, at which nothing looks.

        Raises:
            BackboneError: an unknown name.
        """
        names = _names_of(choices)
        if names not in self._found:
            model, wanted, preprocessing = names
            backbone = backbones.get(model)
            self._found[names] = backbone, weights.select(backbone, wanted, preprocessing)
        return self._found[names]

    def settings(self, choices: Mapping[str, Any], form: Form) -> Settings:
        """Resolve names and defaults; see `settings_for`."""
        names, method = _names_of(choices), METHODS[choices["method"]]
        backbone, chosen = self.find(choices)
        if not method.stepwise and form.stages.any:
            raise InputError(
                f"--method {choices['method']} makes a picture at once; without steps, there is "
                "nothing for --save-every and --animation to show"
            )
        if method.sees and names not in self._identities:
            self._identities[names] = self._identity(backbone, chosen)
        recipe = resolve(backbone, self._identities.get(names, ""), choices)
        weight = recipe.weights_of_terms
        layers = {
            name for term, names in recipe.layers_of_terms.items() for name in names if weight[term]
        }
        plugin = backbones.registry.plugin_sha256(backbone, chosen, layers)
        detector = _pinned(DETECTOR) if recipe.keep_faces else ""
        recipe = replace(
            recipe, plugin=plugin, detector=detector, companions=_pinned(companions_of(recipe))
        )
        return Settings(backbone, chosen, recipe, form)

    def _identity(self, backbone: Backbone, chosen: WeightSet) -> str:
        """Return the sha256 of weights, downloaded only where nothing else can tell it."""
        title = weights.title(backbone, chosen)
        sha256 = weights.identity(backbone, chosen)
        if sha256 is None:
            shown = self._progress(title) if self._progress else None
            weights.pull(backbone, chosen, offline=self._offline, progress=shown)
            sha256 = weights.identity(backbone, chosen)
        if sha256 is None:
            raise backbones.BackboneError(f"weights {title} have no identity")
        return sha256


def fetch(
    needed: Iterable[WeightsOf], offline: bool, downloading: Downloading | None = None
) -> None:
    """Download those of some weights that are not here.

    Raises:
        BackboneError: they cannot be had.
    """
    for title, (network, chosen) in {weights.title(*each): each for each in needed}.items():
        if not exists(weights.cached_path(network, chosen)):
            shown = downloading(title) if downloading else None
            weights.pull(network, chosen, offline=offline, progress=shown)


def companions_of(recipe: Recipe) -> list[WeightsOf]:
    """Return the networks that a recipe takes beside its backbone, each with its weights.

    They are its method's, and all of the method that makes what it starts from.
    """
    named = {each.name: each for each in weights.COMPANIONS}
    found: list[WeightsOf] = []
    if recipe.begun_by and recipe.begun_by.backbone:
        model, _, wanted = recipe.begun_by.backbone.partition(":")
        backbone = backbones.get(model)
        found.append((backbone, backbone.weight_set(wanted or None)))
    for method in (recipe.by, recipe.begun_by):
        names = method.companions if method else ()
        found += [(named[name], named[name].weight_sets[0]) for name in names]
    return found


def _names_of(choices: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """Return the model, weights and preprocessing of choices, as their method has them."""
    method = METHODS[choices["method"]]
    if method.backbone:
        model, _, wanted = method.backbone.partition(":")
        return model, wanted or None, "own"
    return choices["model"], choices["weights"], choices["preprocessing"]


def _pinned(networks: Iterable[WeightsOf]) -> str:
    """Return what stands for weights that are all pinned; "" for none."""
    found = [weights.identity(*each) for each in networks]
    return hashlib.sha256("".join(map(str, found)).encode()).hexdigest() if found else ""


def settings_for(
    choices: Mapping[str, Any],
    form: Form,
    *,
    offline: bool = False,
    progress: Downloading | None = None,
) -> Settings:
    """Resolve names and defaults. Downloads only where nothing else can tell what weights are.

    Args:
        choices: options of the recipe by name, all of them; see `nstcli.recipe.DEFAULT`.
        form: of the results.
        offline: never use the network.
        progress: shows a download.

    Raises:
        BackboneError: an unknown name, or weights that cannot be had.
        InputError: a value out of range.
    """
    return Networks(offline, progress).settings(choices, form)
