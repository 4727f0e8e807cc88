"""Which backbones there are: our own table and other distributions' entry points, loaded alike."""

import warnings
from importlib.metadata import EntryPoint, entry_points

from backbones.hints import closest
from backbones.spec import Backbone, BackboneError, BackboneWarning

GROUP = "nst.backbones"

BUILTIN = (
    EntryPoint("vgg19", "backbones.vgg:VGG19", GROUP),
    EntryPoint("vgg16", "backbones.vgg:VGG16", GROUP),
    EntryPoint("squeezenet", "backbones.squeezenet:SQUEEZENET", GROUP),
    EntryPoint("mobilenet", "backbones.mobilenet:MOBILENET", GROUP),
)


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
