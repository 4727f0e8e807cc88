"""Refuse to write over files that nst did not make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nstcli.errors import InputError
from nstcli.text import shown


def refuse_foreign(
    path: Path, kind: str, is_ours: Callable[[bytes], bool], advice: str = "move it away"
) -> None:
    """Let nothing be written over what is no summary of that kind.

    Args:
        kind: its name, after which ` of nst` makes sense.
        is_ours: tells by the bytes of a file.
        advice: what to do about it.

    Raises:
        InputError: a folder or somebody else's file is there.
        OSError: what is there cannot be read.
    """
    if path.is_dir() or (path.exists() and not is_ours(path.read_bytes())):
        raise InputError(f"'{shown(path)}' is there and no {kind} of nst; {advice}")
