"""What becomes of a pair in whichever process it is made; nothing of it is on the disk yet."""

from __future__ import annotations

from dataclasses import dataclass

from nstcli.batch.records import Record


@dataclass(frozen=True)
class Made:
    """A finished picture, encoded, and what is known of it."""

    data: bytes
    record: Record


@dataclass(frozen=True)
class Failed:
    """Why there is none, after how many seconds."""

    error: str
    seconds: float


Outcome = Made | Failed
