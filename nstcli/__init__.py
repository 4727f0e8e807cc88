"""Neural style transfer for folders: every photo in the manner of every artwork.

    import nstcli

    result = nstcli.stylize("photo.jpg", "art.jpg", model="squeezenet", size=256)
    result.save("painted.png")

    for result in nstcli.batch("photos", "artworks", output="painted"):
        print(result.path, result.error)

Importing this is cheap: torch is imported when the first picture is made.
"""

from typing import TYPE_CHECKING, Any

from nstcli.version import VERSION

if TYPE_CHECKING:
    from nstcli.api import (
        Experiment,
        Result,
        Trained,
        animate,
        backbones,
        batch,
        experiment,
        invert,
        layers,
        stylize,
        texture,
        train,
    )

__all__ = [
    "Experiment",
    "Result",
    "Trained",
    "animate",
    "backbones",
    "batch",
    "experiment",
    "invert",
    "layers",
    "stylize",
    "texture",
    "train",
]

__version__ = VERSION


def __getattr__(name: str) -> Any:
    if name in __all__:
        from nstcli import api

        return getattr(api, name)
    raise AttributeError(f"module 'nstcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
