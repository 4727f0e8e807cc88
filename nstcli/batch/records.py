"""What is known of a pair: its record when it is finished, its failure, its state, its key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict

from nstcli.recipe import Recipe


class Record(BaseModel):
    """One finished pair. `key` stands for everything that its bytes depend on."""

    model_config = ConfigDict(frozen=True)

    key: str
    output_sha256: str
    content: str
    content_sha256: str
    style: str
    style_sha256: str
    # As it was: a later program may know other fields, and shall still tell what changed.
    recipe: dict[str, Any]
    format: str
    quality: int
    version: str
    device: str
    precision: str
    width: int
    height: int
    seconds: float
    steps: int
    loss: float
    content_error: float
    style_error: float
    style_error_before: float
    # Median seconds of a step at full size, and between the quarters of them; bytes of memory that
    # the process (on a GPU: its tensors) had taken at most until then.
    step_seconds: float = 0.0
    step_spread: float = 0.0
    peak_memory: int = 0
    # (step, loss) of at most a hundred steps, first and last among them.
    curve: tuple[tuple[int, float], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether the optimization was ended before its time."""
        return self.key.endswith(stopped_key(""))


class Failure(BaseModel):
    """Why a pair could not be made."""

    model_config = ConfigDict(frozen=True)

    content: str
    style: str
    error: str
    seconds: float


class State(Enum):
    """How a pair stands before a run; the value is how people call it."""

    UP_TO_DATE = "up to date"
    MISSING = "missing"
    FAILED = "failed before"
    DAMAGED = "damaged"
    STOPPED = "stopped early"
    STALE = "made with other settings"
    EDITED = "changed after it was made"
    FOREIGN = "not made by nst"
    UNRECORDED = "without a record"  # made by nst; whether it was changed since, nobody can tell

    @property
    def needs_consent(self) -> bool:
        """Tell whether making the pair would replace something a user may want to keep."""
        return self in {State.STALE, State.EDITED, State.FOREIGN, State.UNRECORDED}


# Formats whose bytes depend on the quality asked for.
LOSSY = {"jpg", "webp"}


@dataclass(frozen=True)
class Form:
    """How a picture becomes a file. With `metadata`, it carries its key and recipe."""

    format: str = "png"
    quality: int = 95
    metadata: bool = True


def key_of(recipe: Recipe, content_sha256: str, style_sha256: str, form: Form) -> str:
    """Return the sha256 that changes whenever the pixels of the result would."""
    parts = {
        "recipe": recipe.telling(),
        "content": content_sha256,
        "style": style_sha256,
        "format": form.format,
        # A lossless format has no quality to depend on.
        "quality": form.quality if form.format in LOSSY else None,
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def stopped_key(key: str) -> str:
    """Return the key of a result whose optimization was stopped before its end."""
    return f"{key}-stopped"


def state_by_key(found: str, key: str) -> State:
    """Tell how an unchanged result stands that was made with the key `found` instead of `key`."""
    if found == key:
        return State.UP_TO_DATE
    return State.STOPPED if found == stopped_key(key) else State.STALE


def embedded_key(data: bytes) -> str | None:
    """Return the key that a result carries in its own metadata, if it is one of ours."""
    from nstcli.images import read_metadata

    try:
        key = json.loads(read_metadata(data).get("nst", "{}")).get("key")
    except (ValueError, AttributeError):
        return None
    return key if isinstance(key, str) else None
