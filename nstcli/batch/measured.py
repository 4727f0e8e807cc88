"""What was measured of a finished result: style error, LPIPS and the like, one file each."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from backbones.files import write_atomic


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


def save(folder: Path, output: str, measured: Measured) -> None:
    """Keep what was measured of the result `output` in the output folder `folder`.

    Raises:
        OSError: the disk is full, or the folder gone or read-only.
    """
    path = _path(folder, output)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, measured.model_dump_json(indent=1).encode() + b"\n")


def load(folder: Path, output: str, output_sha256: str) -> Measured | None:
    """Return what was measured of a result; of other bytes under its name, it counts as nothing."""
    try:
        measured = Measured.model_validate_json(_path(folder, output).read_bytes())
    except (OSError, ValidationError):
        return None
    return measured if measured.output_sha256 == output_sha256 else None


def _path(folder: Path, output: str) -> Path:
    return folder / ".nst" / "metrics" / f"{output}.json"
