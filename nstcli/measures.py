"""The figures of a judged picture, a field each with all that is to be said of it; without torch.

Tables, exports, the gallery and the README read the fields of `Metrics`. How a figure comes about
is in `nstcli.metrics`: a new one is a field here and a line in `nstcli.metrics.judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Measure:
    """What there is to know of a figure.

    Attributes:
        heading: its name for people.
        near: the input that it holds the picture against.
        says: what a good value means; with what value that is.
        cannot: what it does not know.
        source: who found or named the formula.
        form: how a value is written.
        best: picks the better of values.
        by: who sees it, where that depends on who painted. Witnesses are the same for all that is
            compared, judges need not be.
        lasting: stays in a table longest where there is little room.
    """

    heading: str
    near: Literal["content", "style"]
    says: str
    cannot: str
    source: str
    form: str = ".3f"
    best: Callable[[Iterable[float]], float] = min
    by: Literal["", "judge", "witness"] = ""
    lasting: bool = False


def _measure(*arguments: str, **named: Any) -> Any:
    return field(metadata={"measure": Measure(*arguments, **named)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Metrics:
    """One picture, held against the content and the style that it was made from.

    A figure that a pair has not is no number.
    """

    content_error: float = _measure(
        "content error",
        "content",
        "0: the judge sees the same things at the same places",
        "whether a difference is damage or a brush stroke: no good picture has 0",
        "Gatys et al. 2016, eq. 1, relative to the photo's energy",
        by="judge",
        lasting=True,
    )
    structure: float = _measure(
        "structure",
        "content",
        "0: what looked alike in the photo looks alike, so that its subject stands",
        "whether a thing is still recognised, or anything finer than a twentieth of the picture",
        "self-similarity: Shechtman, Irani 2007; Kolkin et al. 2019",
        by="witness",
        lasting=True,
    )
    edges: float = _measure(
        "kept edges",
        "content",
        "1: lines run where the photo has them",
        "how strong they are, or whether there are others beside them",
        "structure tensor: Bigün, Granlund 1987",
        best=max,
    )
    lpips: float = _measure(
        "LPIPS",
        "content",
        "0: it looks like the photo to people who are shown small patches",
        "a fine painting from a spoiled photo: it was fitted to blur, noise and compression",
        "Zhang et al. 2018, with VGG-16",
        lasting=True,
    )
    lpips_alex: float = _measure(
        "LPIPS-Alex",
        "content",
        "0: the same with AlexNet, as published tables have it",
        "what LPIPS cannot, either",
        "Zhang et al. 2018, with AlexNet",
    )
    dists: float = _measure(
        "DISTS",
        "content",
        "0: the photo's structure is there, and each texture of it or one like it",
        "where a texture is: it was fitted so that resampled grass counts as the same",
        "Ding et al. 2020",
    )
    ssim: float = _measure(
        "SSIM",
        "content",
        "1: edges and contrasts are where they were",
        "anything of colour; every strong style lowers it",
        "Wang et al. 2004",
        best=max,
        lasting=True,
    )
    faces: float = _measure(
        "kept faces",
        "content",
        "1: every face of the photo is still found where it was; without faces there is no figure",
        "whose face it is; and what friends would know may be none to a detector of photos",
        "MTCNN (Zhang et al. 2016)",
        best=max,
    )
    style_error: float = _measure(
        "style error",
        "style",
        "0: the judge sees the artwork's textures and colours on the whole",
        "what weak channels see, or where; those that paint optimize something alike",
        "Gatys et al. 2016, eq. 4, relative to the artwork's energy",
        form=".4f",
        by="judge",
        lasting=True,
    )
    local_style_error: float = _measure(
        "local style error",
        "style",
        "0: every place looks like some place of the artwork",
        "whether all of the artwork was used, or the right part of it for each thing",
        "windows' means and deviations (Huang, Belongie 2017) against the nearest",
        by="judge",
    )
    sliced: float = _measure(
        "sliced Wasserstein",
        "style",
        "0: the witness finds the artwork's strokes, and no noise in their place",
        "where they are, or any shape that is larger than a stroke",
        "Rabin et al. 2011; Heitz et al. 2021",
        by="witness",
    )
    frechet: float = _measure(
        "Fréchet",
        "style",
        "0: the artwork's textures are there, weak ones too",
        "where they are",
        "Dowson, Landau 1982, as in FID (Heusel et al. 2017)",
        by="judge",
    )
    color: float = _measure(
        "colour",
        "style",
        "0: the palette is the artwork's, in units of CIELAB",
        "which thing has which colour, nor two pure colours from their mixtures",
        "Dowson, Landau 1982, of the pixels",
        form=".1f",
    )


MEASURES: Mapping[str, Measure] = {each.name: each.metadata["measure"] for each in fields(Metrics)}
