"""Records of pairs: how one was made, why it failed, its key, what was measured of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

from nstcli.config.options import AnimationFormat
from nstcli.errors import InputError
from nstcli.plan.pair import Pair, by_role
from nstcli.recipe import Recipe
from nstcli.text import stored


def _known(seconds: float) -> float:
    """Return 0 for a time that cannot be, such as NaN: the rest of the record still holds."""
    return seconds if 0 <= seconds <= _LONGEST else 0.0


# Seconds that no batch takes; such sums still are numbers.
_LONGEST = 1e12
Seconds = Annotated[float, AfterValidator(_known)]
# What a float can hold, and a screen show. A file that says otherwise is none of ours.
Count = Annotated[int, Field(ge=0, lt=2**63)]
Edge = Annotated[int, Field(ge=1, lt=2**31)]


class KnownInput(BaseModel):
    """A picture that a result was made of, or should have been.

    Attributes:
        role: what for: `content`, `style`.
        path: as the user wrote it; bytes that are not UTF-8 are escaped.
        sha256: of its bytes; empty where nobody could read them.
        weight: how much it counted among those of its role.
    """

    model_config = ConfigDict(frozen=True)

    role: str
    path: str
    sha256: str = ""
    weight: FiniteFloat = 1.0


class _Inputs(BaseModel):
    """What a record and a failure have in common."""

    # A figure may be NaN. Written as null, which is no number, it would make the whole unreadable.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    inputs: tuple[KnownInput, ...]

    def input(self, role: str) -> KnownInput:
        """Return its first input of a role; one without path and digest where there is none."""
        return next((i for i in self.inputs if i.role == role), KnownInput(role=role, path=""))

    def paths(self) -> dict[str, object]:
        """Return the paths of its inputs by role, for JSON."""
        return by_role((each.role, each.path, each.weight) for each in self.inputs)


class Record(_Inputs):
    """One finished pair. `key` stands for everything that its bytes depend on.

    Attributes:
        recipe: as it was: a later program may know other fields, and shall still tell what changed.
        seconds: that it took, reading and encoding included.
        steps: of the optimizer that were taken.
        figures: what its method found out of it, such as `loss`, `style_error` and `step_seconds`.
        peak_memory: bytes that the process (on a GPU: its tensors) had taken at most until then.
        curve: (step, loss) of at most a hundred steps, first and last among them.
        notes: what the user should know of its files, a line each.
        shortfall: why the picture is no better than what it began with, and what to change; empty
            where it is.
    """

    key: str
    output_sha256: str
    recipe: dict[str, Any]
    format: str
    quality: int
    bits: int = 8
    version: str
    device: str
    precision: str
    width: Edge
    height: Edge
    seconds: Seconds
    steps: Count
    figures: dict[str, float] = {}
    peak_memory: Count = 0
    curve: tuple[tuple[Count, float], ...] = ()
    notes: tuple[str, ...] = ()
    shortfall: str = ""

    @property
    def stopped(self) -> bool:
        """Whether the optimization was ended before its time."""
        return self.key.endswith(stopped_key(""))

    def figure(self, name: str) -> float | None:
        """Return a number that is known of it: one of its figures or of its own fields."""
        return self.figures.get(name, getattr(self, name, None))


class Failure(_Inputs):
    """Why a pair could not be made, after how many seconds."""

    error: str
    seconds: Seconds


class Measured(BaseModel):
    """Measurements of one result. They hold for the bytes with this sha256 and no others.

    Attributes:
        output_sha256: of the result that was measured.
        judge: the backbone that judged it; it should not be the one that painted.
        witness: the backbone that it asked for some of them; of an older program, none.
        values: by the name of the measure, `style_error`, `lpips`.
        baselines: likewise, of the two pictures that cost nothing: `content` is the unchanged
            content, `style` the style resized to its shape.
    """

    model_config = ConfigDict(frozen=True)

    output_sha256: str
    judge: str
    witness: str = ""
    values: dict[str, FiniteFloat]
    baselines: dict[str, dict[str, FiniteFloat]] = {}


# Formats whose bytes depend on the quality asked for, and those that can have 16 bits a sample.
LOSSY = {"jpg", "webp"}
DEEP = ("png", "tiff")


@dataclass(frozen=True)
class Stages:
    """What is kept of how a picture comes about. No pixel of the picture depends on it.

    Attributes:
        every: steps between two pictures that are kept; None for none.
        animation: the format of an animation; None for none.
        boomerang: whether it runs back to its start.
        edge: its longest edge in pixels, at most.
        seconds: that it takes, at most.
    """

    every: int | None = None
    animation: AnimationFormat | None = None
    boomerang: bool = False
    edge: int = 480
    seconds: float = 6.0

    @property
    def any(self) -> bool:
        """Whether anything is to be kept."""
        return self.every is not None or self.animation is not None

    @property
    def said(self) -> str:
        """Say what is wanted of the animation, for programs."""
        return f"{self.edge} px, {self.seconds:g} s{', and back' if self.boomerang else ''}"


@dataclass(frozen=True)
class Form:
    """How a picture becomes a file, and what is kept beside it.

    With `metadata`, it carries its key and recipe.

    Raises:
        InputError: the format cannot have so many bits a sample.
    """

    format: str = "png"
    quality: int = 95
    metadata: bool = True
    bits: int = 8
    stages: Stages = Stages()

    def __post_init__(self) -> None:
        if self.bits == 16 and self.format not in DEEP:
            formats = " or ".join(DEEP)
            raise InputError(f"--bits 16 needs --format {formats}; {self.format} has 8")


def known_inputs(pair: Pair, sha256: Iterable[str] = ()) -> tuple[KnownInput, ...]:
    """Return the inputs of a pair as records have them, with their digests where they are known."""
    digests = tuple(sha256) or ("",) * len(pair.inputs)
    return tuple(
        KnownInput(role=each.role, path=stored(each.path), sha256=digest, weight=each.weight)
        for each, digest in zip(pair.inputs, digests, strict=True)
    )


@dataclass(frozen=True)
class Before:
    """How a result was made, as its record tells, or the file itself.

    Attributes:
        recipe: what is known of it; a file does not tell what had no effect.
        digests: of its inputs, by role.
        quality: None where that is not told.
        bits: likewise.
    """

    recipe: Mapping[str, Any]
    digests: Mapping[str, object]
    quality: int | None = None
    bits: int | None = None

    @classmethod
    def of_record(cls, record: Record) -> Before:
        """Return what a record tells."""
        digests = digests_by_role(record.inputs)
        return cls(record.recipe, digests, record.quality, record.bits)

    @classmethod
    def of_file(cls, made: Mapping[str, Any]) -> Before | None:
        """Return what a file tells, as `nstcli.images.read_made` has it; None where it does not."""
        recipe = made.get("recipe")
        if not isinstance(recipe, dict):
            return None
        ending = "_sha256"
        digests = {key.removesuffix(ending): made[key] for key in made if key.endswith(ending)}
        return cls(recipe, digests)


def digests_by_role(inputs: Iterable[KnownInput]) -> dict[str, object]:
    """Return the digests of inputs by role, as keys and metadata have them."""
    return by_role((each.role, each.sha256, each.weight) for each in inputs)


def key_of(recipe: Recipe, inputs: Iterable[KnownInput], form: Form) -> str:
    """Return the sha256 that changes whenever the pixels of the result would."""
    parts = {
        "recipe": recipe.effective(),
        **digests_by_role(inputs),
        "format": form.format,
        # A lossless format has no quality to depend on.
        "quality": form.quality if form.format in LOSSY else None,
    }
    if form.bits != 8:  # as keys were before there were others
        parts["bits"] = form.bits
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def stopped_key(key: str) -> str:
    """Return the key of a result whose optimization was stopped before its end."""
    return f"{key}-stopped"
