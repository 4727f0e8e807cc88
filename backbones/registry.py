"""Which backbones there are: our own table and other distributions' entry points, loaded alike."""

import hashlib
import json
import warnings
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from backbones.hints import closest
from backbones.spec import Backbone, BackboneError, WeightSet

GROUP = "nst.backbones"

BUILTIN = (
    EntryPoint("vgg19", "backbones.vgg:VGG19", GROUP),
    EntryPoint("vgg16", "backbones.vgg:VGG16", GROUP),
    EntryPoint("squeezenet", "backbones.squeezenet:SQUEEZENET", GROUP),
    EntryPoint("mobilenet", "backbones.mobilenet:MOBILENET", GROUP),
)


class BackboneWarning(UserWarning):
    """A plugin that cannot have the name it asks for."""


def names() -> tuple[str, ...]:
    """Return the name of every registered backbone, our own first; nothing is imported for it."""
    return tuple(_registered())


def get(name: str) -> Backbone:
    """Return the backbone with this name.

    Raises:
        BackboneError: there is none, or the plugin that provides it is broken.
    """
    registered = _registered()
    if name not in registered:
        raise BackboneError(
            f"unknown backbone {name!r}{closest(name, registered)}; "
            f"there are: {', '.join(registered)}"
        )
    entry = registered[name]
    try:
        backbone = entry.load()
    except Exception as error:
        # Foreign code may fail in any way; whatever it is, it is this plugin that is broken.
        raise BackboneError(
            f"backbone {name!r} from {_origin(entry)} cannot be loaded: "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(backbone, Backbone):
        raise BackboneError(
            f"backbone {name!r} from {_origin(entry)} is a {type(backbone).__name__}, "
            "not a backbones.Backbone"
        )
    if backbone.name != name:
        raise BackboneError(
            f"backbone {name!r} from {_origin(entry)} calls itself {backbone.name!r}; "
            "its entry point must have the same name"
        )
    return backbone


def load_all() -> tuple[list[Backbone], list[BackboneError]]:
    """Load every registered backbone; return those that work, and why the others do not."""
    found, broken = [], []
    for name in names():
        try:
            found.append(get(name))
        except BackboneError as error:
            broken.append(error)
    return found, broken


def plugin_sha256(backbone: Backbone, weight_set: WeightSet, layers: Iterable[str]) -> str:
    """Return a digest of all that a plugin's records say of what these layers will show.

    That is what stands between the weights file and an activation: the preprocessing, which module
    a layer's name means, the stem, the minimum size, which ends the scales, and what is pinned of
    the converted tensors. Empty for our own backbones: when one of these is to change,
    `nstcli.recipe.VERSION` is raised. What functions of a plugin do, nobody can tell from here;
    `convert` and `build` count by their names.
    """
    if backbone.name in {entry.name for entry in BUILTIN}:
        return ""
    wants = weight_set.preprocessing
    told = {
        "channels": wants.channels,
        # A plugin may write 1 for 1.0.
        "numbers": [float(number) for number in (wants.scale, *wants.mean, *wants.std)],
        "modules": {name: backbone.layer(name).module for name in layers},
        "stem": backbone.stem and backbone.stem.module,
        "minimum_size": backbone.minimum_size,
        "content_sha256": weight_set.content_sha256,
        "functions": [
            getattr(each, "__qualname__", None) for each in (backbone.build, weight_set.convert)
        ],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _registered() -> dict[str, EntryPoint]:
    """Map each name to the entry point that has it; who comes too late is warned about."""
    found = {entry.name: entry for entry in BUILTIN}
    # Sorted, so that of two plugins with one name the same one wins on every machine.
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, _origin(entry))):
        holder = found.setdefault(entry.name, entry)
        if holder.value != entry.value:
            warnings.warn(
                f"{_origin(entry)} offers a backbone named {entry.name!r}, "
                f"but {_origin(holder)} already does; the latter is used",
                BackboneWarning,
                stacklevel=1,  # always from here, so that Python shows it once a process
            )
    return found


def _origin(entry: EntryPoint) -> str:
    """Say who provides an entry point."""
    if entry in BUILTIN:
        return "nst itself"
    return f"the package {entry.dist.name!r}" if entry.dist else f"{entry.value!r}"
