"""What is known of a pair: its record when it is finished, its failure, its key, its judgement."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from backbones.files import write_atomic
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


class Measured(BaseModel):
    """Measurements of one result. They hold for the bytes with this sha256 and no others.

    Attributes:
        output_sha256: of the result that was measured.
        judge: the backbone that judged it; it should not be the one that painted.
        values: by the name of the measure, `style_error`, `lpips`.
        baselines: likewise, of the two pictures that cost nothing: `content` is the unchanged
            content, `style` the style resized to its shape.
    """

    model_config = ConfigDict(frozen=True)

    output_sha256: str
    judge: str
    values: dict[str, FiniteFloat]
    baselines: dict[str, dict[str, FiniteFloat]] = {}


def save_measured(folder: Path, output: str, measured: Measured) -> None:
    """Keep what was measured of the result `output` in the output folder `folder`.

    Raises:
        OSError: the disk is full, or the folder gone or read-only.
    """
    path = _measured_path(folder, output)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, measured.model_dump_json(indent=1).encode() + b"\n")


def load_measured(folder: Path, output: str, output_sha256: str) -> Measured | None:
    """Return what was measured of a result; of other bytes under its name, it counts as nothing."""
    try:
        measured = Measured.model_validate_json(_measured_path(folder, output).read_bytes())
    except (OSError, ValidationError):
        return None
    return measured if measured.output_sha256 == output_sha256 else None


def _measured_path(folder: Path, output: str) -> Path:
    return folder / ".nst" / "metrics" / f"{output}.json"
