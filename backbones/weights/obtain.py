"""Get a weight set: out of the cache, or from its source into the cache."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.spec import BackboneError, Companion
from backbones.weights import cache, cachefile, convert
from backbones.weights.cache import State
from backbones.weights.hashing import content_sha256
from backbones.weights.selection import title
from backbones.weights.sources import LocalFile

if TYPE_CHECKING:
    from torch import Tensor

    from backbones.spec import Backbone, Fetched, Preprocessing, Progress, WeightSet


@dataclass(frozen=True)
class Weights:
    """Parameters that are ready to be loaded into `backbone.build()`.

    Attributes:
        tensors: the network's state dict, float32 on the CPU.
        preprocessing: what the network expects of its input with them.
        sha256: identity of the weights; the same as `cache.identity` tells.
    """

    tensors: dict[str, Tensor]
    preprocessing: Preprocessing
    sha256: str


def pull(
    backbone: Backbone | Companion,
    weight_set: WeightSet,
    *,
    offline: bool = False,
    progress: Progress | None = None,
) -> Path:
    """See to it that the weight set is in the cache and intact; return its file.

    Several processes may ask at once: one downloads, the others wait and find the result.

    Raises:
        BackboneError: it is not in the cache and cannot be had; no other set is taken instead.
    """
    path = cache.cached_path(backbone, weight_set)
    if isinstance(weight_set.source, LocalFile):
        if not path.is_file():
            raise BackboneError(f"the weights file {path} does not exist")
        return path
    state = cache.verify(backbone, weight_set)
    if state is State.GOOD:
        return path
    if offline:
        raise _failure(backbone, weight_set, _why_not_offline(state, path))
    try:
        with cache.workspace() as scratch:
            if cache.verify(backbone, weight_set) is not State.GOOD:
                _download(backbone, weight_set, path, scratch, progress)
    except BackboneError as error:
        raise _failure(backbone, weight_set, str(error)) from error
    except OSError as error:
        problem = f"the cache folder {path.parent} cannot be written ({error})"
        raise _failure(
            backbone, weight_set, f"{problem}; {cache.VARIABLE} names another"
        ) from error
    return path


def load(
    backbone: Backbone | Companion,
    weight_set: WeightSet,
    *,
    offline: bool = False,
    progress: Progress | None = None,
) -> Weights:
    """Return the tensors of a weight set, pulled first if need be.

    A cached file that turns out damaged is pulled again, unless `offline`.

    Raises:
        BackboneError: it cannot be had, is damaged, or does not fit the network.
    """
    if isinstance(weight_set.source, LocalFile):
        return _load_local(backbone, weight_set)
    path = cache.cached_path(backbone, weight_set)
    try:
        return _read(backbone, weight_set, path)
    except (BackboneError, OSError):
        # Absent or damaged: pull finds out which, and says so where it cannot help.
        pull(backbone, weight_set, offline=offline, progress=progress)
    return _read(backbone, weight_set, path)


def _read(backbone: Backbone | Companion, weight_set: WeightSet, path: Path) -> Weights:
    tensors, notes = cachefile.read(path)
    wrong = cache.differing(backbone, weight_set, tensors, notes)
    if wrong:
        raise BackboneError(
            f"{path} is not the weights {title(backbone, weight_set)}: {wrong}; "
            f"fetch them anew with: nst weights pull {title(backbone, weight_set)}"
        )
    return Weights(tensors, notes.preprocessing, notes.sha256)


def _load_local(backbone: Backbone | Companion, weight_set: WeightSet) -> Weights:
    with tempfile.TemporaryDirectory(prefix="nst-") as scratch:
        fetched = weight_set.source.fetch(Path(scratch), None)
    try:
        tensors = _converted(backbone, weight_set, fetched)
    except BackboneError as error:
        where = weight_set.source.describe()
        raise BackboneError(
            f"the weights file {where} does not fit {backbone.name}: {error}"
        ) from error
    preprocessing = fetched.preprocessing or weight_set.preprocessing
    return Weights(tensors, preprocessing, fetched.sha256)


def _download(
    backbone: Backbone | Companion,
    weight_set: WeightSet,
    path: Path,
    scratch: Path,
    progress: Progress | None,
) -> None:
    source = weight_set.source
    fetched = source.fetch(scratch, progress)
    tensors = _converted(backbone, weight_set, fetched)
    notes = cachefile.Notes(
        backbone=backbone.name,
        weight_set=weight_set.name,
        origin=source.describe(),
        sha256=fetched.sha256,
        content_sha256=content_sha256({name: each.numpy() for name, each in tensors.items()}),
        preprocessing=fetched.preprocessing or weight_set.preprocessing,
    )
    wrong = cache.differing(backbone, weight_set, tensors, notes)
    if wrong:
        raise BackboneError(f"{source.describe()} has other weights than were pinned: {wrong}")
    cachefile.write(path, tensors, notes)


def _converted(
    backbone: Backbone | Companion, weight_set: WeightSet, fetched: Fetched
) -> dict[str, Tensor]:
    template = convert.template(backbone)
    content = fetched.content
    if weight_set.convert is not None:
        content = weight_set.convert(content, template)
    return convert.fit(content, template)


def _why_not_offline(state: State, path: Path) -> str:
    found = f"the cached file {path} is damaged"
    if state is State.ABSENT:
        found = f"they are not in the cache ({path})"
    return f"{found}, and --offline forbids downloading them"


def _failure(backbone: Backbone | Companion, weight_set: WeightSet, problem: str) -> BackboneError:
    """Say which set failed and what would help; nothing is chosen in the user's place."""
    name = title(backbone, weight_set)
    lines = [
        f"cannot get the weights {name}: {problem}",
        "what would help:",
        f"  nst weights pull {name}, where their source can be reached; "
        f"then copy {cache.cache_folder()} here, or name the copy in {cache.VARIABLE}",
    ]
    if isinstance(backbone, Companion):
        return BackboneError("\n".join(lines))  # nobody can choose others
    lines.append("  --weights PATH, a .pth or .safetensors file of this network")
    for other in backbone.weight_sets:
        if other.name != weight_set.name:
            cached = cache.verify(backbone, other) is State.GOOD
            where = "in the cache" if cached else f"from {other.source.describe()}"
            lines.append(
                f"  --weights {backbone.name}:{other.name}, another set, so maybe other pictures: "
                f"{other.description}; {where}"
            )
    return BackboneError("\n".join(lines))
