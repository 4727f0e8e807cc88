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
from nstcli.errors import InputError
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
    notes: tuple[str, ...] = ()


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

    @property
    def needs_consent(self) -> bool:
        """Tell whether making the pair would replace something a user may want to keep."""
        return self in {State.STALE, State.EDITED, State.FOREIGN}


# Formats whose bytes depend on the quality asked for.
LOSSY = {"jpg", "webp"}


def key_of(
    recipe: Recipe, content_sha256: str, style_sha256: str, format: str, quality: int
) -> str:
    """Return the sha256 that changes whenever the pixels of the result would."""
    parts = {
        "recipe": recipe.model_dump(mode="json"),
        "content": content_sha256,
        "style": style_sha256,
        "format": format,
        # A lossless format has no quality to depend on.
        "quality": quality if format in LOSSY else None,
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Results(Protocol):
    """Where results go, and what is known of those that lie there."""

    where: Path

    def path(self, pair: Pair) -> Path:
        """Return where the result of a pair is or will be."""

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
        self.where = self.folder = folder
        self._pairs = folder / ".nst" / "pairs"
        self._failures = folder / ".nst" / "failures"

    def load(self, output: str) -> Record | None:
        """Return the record of a result; an unreadable one counts as none."""
        try:
            return Record.model_validate_json(self._record(output).read_bytes())
        except (OSError, ValidationError):
            return None

    def state(self, pair: Pair, key: str) -> State:
        """Tell how a pair stands, by its record and the bytes that lie in the folder."""
        record, data = self.load(pair.output), read_result(self.path(pair))
        if data is None:
            return State.FAILED if self._failure(pair.output).exists() else State.MISSING
        if record is None:  # killed between a result and its record
            state = state_by_itself(data, key)
            return State.MISSING if state is State.UP_TO_DATE else state
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
        # The old record goes first: killed in between, the result speaks for itself.
        self._record(pair.output).unlink(missing_ok=True)
        write_atomic(self.path(pair), data)
        text = record.model_dump_json(indent=1) + "\n"
        write_atomic(self._record(pair.output), text.encode())
        self._failure(pair.output).unlink(missing_ok=True)

    def fail(self, pair: Pair, error: str, seconds: float) -> None:
        """Write down why a pair could not be made."""
        failure: dict[str, Any] = {
            "content": shown(pair.content),
            "style": shown(pair.style),
            "error": error,
            "seconds": round(seconds, 3),
        }
        text = json.dumps(failure, indent=1) + "\n"
        write_atomic(self._failure(pair.output), text.encode())

    def path(self, pair: Pair) -> Path:
        """Return where the result of a pair is or will be."""
        return self.folder / pair.output

    def _record(self, output: str) -> Path:
        return self._pairs / f"{output}.json"

    def _failure(self, output: str) -> Path:
        return self._failures / f"{output}.json"


def read_result(path: Path) -> bytes | None:
    """Return the bytes under a result's name, or None if there is nothing.

    Raises:
        InputError: something is there that is no file, or cannot be read.
    """
    if path.is_dir():
        raise InputError(f"'{shown(path)}' is a folder where a result should go; move it away")
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"cannot read '{shown(path)}': {error.strerror or error}") from error


def state_by_itself(data: bytes, key: str) -> State:
    """Tell the state of a result by the key in its own metadata."""
    found = embedded_key(data)
    if found is None:
        return State.FOREIGN
    if found == key:
        return State.UP_TO_DATE
    return State.STOPPED if found == stopped_key(key) else State.STALE


def stopped_key(key: str) -> str:
    """Return the key of a result whose optimization was stopped before its end."""
    return f"{key}-stopped"


def embedded_key(data: bytes) -> str | None:
    """Return the key that a result carries in its own metadata, if it is one of ours."""
    from nstcli.images import read_metadata

    try:
        key = json.loads(read_metadata(data).get("nst", "{}")).get("key")
    except (ValueError, AttributeError):
        return None
    return key if isinstance(key, str) else None


def _is_image(data: bytes, name: str) -> bool:
    from nstcli.images import decode

    try:
        decode(data, name)
    except InputError:
        return False
    return True
