"""From what a user asks for to the jobs that are left to do; torch is not needed for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backbones
from backbones import Backbone, WeightSet, weights
from backbones.spec import Progress
from nstcli.batch.events import PairFailed
from nstcli.batch.inputs import digest
from nstcli.batch.plan import Job, Pair, shown
from nstcli.batch.records import LOSSY, Record, State, key_of
from nstcli.batch.store import Results
from nstcli.errors import InputError
from nstcli.images import size_of
from nstcli.recipe import Recipe, resolve

if TYPE_CHECKING:
    from nstcli.batch.work import Worker


@dataclass(frozen=True)
class Settings:
    """How pairs are made: the recipe with its network, and the form of the results."""

    backbone: Backbone
    weight_set: WeightSet
    recipe: Recipe
    format: str
    quality: int

    def worker(
        self, device: str, precision: str, offline: bool, progress: Progress | None
    ) -> Worker:
        """Load the network and get ready to make pairs. This imports torch.

        Raises:
            BackboneError: the weights cannot be had.
            InputError: the device is not there.
        """
        from backbones.hooks import FeatureExtractor
        from nstcli.batch.device import choose
        from nstcli.batch.work import Worker
        from nstcli.engine.precision import arranged

        chosen = choose(device)
        extractor = FeatureExtractor.load(
            self.backbone, self.weight_set, offline=offline, progress=progress
        ).to(chosen)
        if extractor.weights_sha256 != self.recipe.weights:
            raise backbones.BackboneError(
                f"the weights {self.backbone.name}:{self.weight_set.name} changed while the pairs "
                "were planned, or their source has others now; run it again"
            )
        if self.recipe.pooling == "avg":
            extractor.pool_by_average()
        memory = weights.cache_folder() / "precision.json"
        extractor, found = arranged(extractor, self.recipe, precision, memory)
        return Worker(extractor, self.recipe, chosen, found, self.format, self.quality)


def memory_needed(settings: Settings, pairs: Sequence[Pair], precision: str) -> int:
    """Return the bytes that the largest pair will need at its peak, in float32 unless forced.

    The network is built with random weights for it: nothing is downloaded. This imports torch.
    """
    from backbones.hooks import FeatureExtractor
    from nstcli.engine.memory import bytes_per_pixel
    from nstcli.engine.precision import arranged

    backbone, recipe = settings.backbone, settings.recipe
    extractor = FeatureExtractor(backbone, backbone.build(), settings.weight_set.preprocessing)
    forced = "float32" if precision == "auto" else precision
    extractor, _ = arranged(extractor, recipe, forced, weights.cache_folder() / "precision.json")
    pixels = max((_pixels(path, recipe.size) for path in {p.content for p in pairs}), default=0)
    return round(bytes_per_pixel(extractor, recipe) * pixels)


def _pixels(path: Path, longest: int) -> int:
    """Count the pixels that a content will have, 0 if it cannot be read."""
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
    format: str,
    quality: int,
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
    sha256 = weights.identity(backbone, chosen)
    if sha256 is None:
        title = f"{backbone.name}:{chosen.name}"
        weights.pull(backbone, chosen, offline=offline, progress=progress(title))
        sha256 = weights.identity(backbone, chosen)
    if sha256 is None:
        raise backbones.BackboneError(f"weights {backbone.name}:{chosen.name} have no identity")
    return Settings(backbone, chosen, resolve(backbone, sha256, choices), format, quality)


@dataclass(frozen=True)
class Standing:
    """A pair before the run: what would make it, and how it stands."""

    job: Job
    state: State


def survey(
    pairs: Sequence[Pair], settings: Settings, store: Results
) -> tuple[list[Standing], list[PairFailed]]:
    """Look at every pair's inputs and at what the output folder holds of it.

    Each input is read once. Pairs of one that cannot be read are returned as failures.
    """
    digests: dict[Path, str | InputError] = {}
    standings, failures = [], []
    for pair in pairs:
        for path in (pair.content, pair.style):
            if path not in digests:
                digests[path] = _digest(path)
        content, style = digests[pair.content], digests[pair.style]
        if isinstance(content, InputError):
            failures.append(PairFailed(pair, f"{shown(pair.content)}: {content}"))
        elif isinstance(style, InputError):
            failures.append(PairFailed(pair, f"{shown(pair.style)}: {style}"))
        else:
            key = key_of(settings.recipe, content, style, settings.format, settings.quality)
            job = Job(pair, key, content, style)
            standings.append(Standing(job, store.state(pair, key)))
    return standings, failures


def _digest(path: Path) -> str | InputError:
    try:
        return digest(path)
    except InputError as error:
        return error


def refuse_inputs_as_outputs(pairs: Sequence[Pair], store: Results) -> None:
    """Keep results from taking the place of photos and artworks.

    Raises:
        InputError: a result would have the path of an input.
    """
    inputs = {path.resolve() for pair in pairs for path in (pair.content, pair.style)}
    for pair in pairs:
        path = store.path(pair)
        if path.resolve() in inputs:
            raise InputError(
                f"the result of {pair.title} would replace its input '{shown(path)}'; "
                "choose another -o"
            )


def refusal(standings: Sequence[Standing], settings: Settings, store: Results) -> str | None:
    """Say why making these pairs needs the user's consent, or None when it does not."""
    touchy = [standing for standing in standings if standing.state.needs_consent]
    if not touchy:
        return None
    problems = []
    for state, count in Counter(standing.state for standing in touchy).items():
        changes = _changes(touchy, settings, store) if state is State.STALE else ""
        why = f" ({changes})" if changes else ""
        subject = (
            f"'{store.where}'"
            if store.path(touchy[0].job.pair) == store.where
            else f"{count} of {len(standings)} results in '{store.where}'"
        )
        problems.append(f"{subject} {'was' if count == 1 else 'were'} {state.value}{why}.")
    return " ".join(problems) + " --overwrite replaces them; -o NEW keeps both."


def _changes(touchy: Sequence[Standing], settings: Settings, store: Results) -> str:
    """Name the settings that differ, most frequent first."""
    changes: Counter[str] = Counter()
    for standing in touchy:
        record = store.load(standing.job.pair.output)
        if record and standing.state is State.STALE:
            changes.update(_differences(record, standing.job, settings))
    named = [change for change, _ in changes.most_common(4)]
    return ", ".join(named) + (", …" if len(changes) > len(named) else "")


def _differences(record: Record, job: Job, settings: Settings) -> list[str]:
    old, new = record.recipe, settings.recipe.model_dump(mode="json")
    changes = [
        f"{name.replace('_', '-')} {_short(old.get(name))} → {_short(new[name])}"
        for name in new
        if old.get(name) != new[name]
    ]
    if record.content_sha256 != job.content_sha256:
        changes.append("content image changed")
    if record.style_sha256 != job.style_sha256:
        changes.append("style image changed")
    if record.quality != settings.quality and settings.format in LOSSY:
        changes.append(f"quality {record.quality} → {settings.quality}")
    return changes


def _short(value: object) -> str:
    """Write a setting the way users do: layers by name, digests by their start."""
    if isinstance(value, dict):
        return ",".join(name if w == 1 else f"{name}={w:g}" for name, w in value.items())
    text = str(value)
    return text[:8] if len(text) == 64 else text
