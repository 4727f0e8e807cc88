"""What is known of finished and failed pairs: one file each, the source of truth of a batch."""

from __future__ import annotations

import hashlib
import json
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from backbones.files import write_atomic
from nstcli.batch.plan import Pair, shown
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
    recipe: Recipe
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
    notes: tuple[str, ...] = ()


class State(Enum):
    """How a pair stands before a run; the value is how people call it."""

    UP_TO_DATE = "up to date"
    MISSING = "missing"
    FAILED = "failed before"
    DAMAGED = "damaged"
    STALE = "made with other settings"
    EDITED = "changed after it was made"
    FOREIGN = "not made by nst"

    @property
    def needs_consent(self) -> bool:
        """Tell whether making the pair would replace something a user may want to keep."""
        return self in {State.STALE, State.EDITED, State.FOREIGN}


def key_of(
    recipe: Recipe, content_sha256: str, style_sha256: str, format: str, quality: int
) -> str:
    """Return the sha256 that changes exactly when the bytes of the result would."""
    parts = {
        "recipe": recipe.model_dump(mode="json"),
        "content": content_sha256,
        "style": style_sha256,
        "format": format,
        # A lossless format has no quality to depend on.
        "quality": quality if format in {"jpg", "webp"} else None,
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Results(Protocol):
    """Where results go, and what is known of those that lie there."""

    folder: Path

    def load(self, output: str) -> Record | None:
        """Return the record of a result, if there is one."""

    def state(self, pair: Pair, key: str) -> State:
        """Tell how a pair stands that would be made with this key."""

    def prepare(self) -> None:
        """Make what the other methods write to."""

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Keep a finished result; nothing is lost if this is interrupted."""

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Write down why a pair could not be made."""


class Store:
    """An output folder with its records: the `Results` of a batch."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._pairs = folder / ".nst" / "pairs"
        self._failures = folder / ".nst" / "failures"

    def load(self, output: str) -> Record | None:
        """Return the record of a result; an unreadable one counts as none."""
        try:
            return Record.model_validate_json((self._pairs / f"{output}.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def state(self, pair: Pair, key: str) -> State:
        """Tell how a pair stands, by its record and the bytes that lie in the folder."""
        record, data = self.load(pair.output), self._read(pair.output)
        if data is None:
            failed = (self._failures / f"{pair.output}.json").exists()
            return State.FAILED if failed else State.MISSING
        if record is None:
            # Killed between a result and its record: the result itself tells that it is ours.
            return State.MISSING if embedded_key(data) == key else State.FOREIGN
        if hashlib.sha256(data).hexdigest() != record.output_sha256:
            return State.EDITED if _is_image(data, pair.output) else State.DAMAGED
        return State.UP_TO_DATE if record.key == key else State.STALE

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            OSError: they cannot be made, or not be written to.
        """
        for folder in (self._pairs, self._failures):
            folder.mkdir(parents=True, exist_ok=True)

    def save(self, pair: Pair, data: bytes, record: Record) -> None:
        """Write a result, then its record, and forget an earlier failure.

        Raises:
            OSError: the disk is full, or the folder gone or read-only.
        """
        write_atomic(self.folder / pair.output, data)
        text = record.model_dump_json(indent=1) + "\n"
        write_atomic(self._pairs / f"{pair.output}.json", text.encode())
        (self._failures / f"{pair.output}.json").unlink(missing_ok=True)

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Write down why a pair could not be made."""
        failure: dict[str, Any] = {
            "content": shown(pair.content),
            "style": shown(pair.style),
            "error": error,
            "seconds": round(seconds, 3),
        }
        text = json.dumps(failure, indent=1) + "\n"
        write_atomic(self._failures / f"{pair.output}.json", text.encode())

    def _read(self, output: str) -> bytes | None:
        path = self.folder / output
        return path.read_bytes() if path.exists() else None


def embedded_key(data: bytes) -> str | None:
    """Return the key that a result carries in its own metadata, if it is one of ours."""
    from nstcli.images import read_metadata

    try:
        key = json.loads(read_metadata(data).get("nst", "{}")).get("key")
    except (ValueError, AttributeError):
        return None
    return key if isinstance(key, str) else None


def _is_image(data: bytes, name: str) -> bool:
    from nstcli.errors import InputError
    from nstcli.images import decode

    try:
        decode(data, name)
    except InputError:
        return False
    return True
