"""Records of one content and one style, made of plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nstcli.results.records import KnownInput, Record

FIGURES = (
    "loss",
    "content_error",
    "style_error",
    "style_error_before",
    "step_seconds",
    "step_spread",
)


def record(values: Mapping[str, Any]) -> Record:
    """Make a record; figures, and what is known of content and style, stand beside its fields."""
    known = dict(values)
    inputs = tuple(
        KnownInput(role=role, path=known.pop(role), sha256=known.pop(f"{role}_sha256"))
        for role in ("content", "style")
    )
    figures = {name: known.pop(name) for name in FIGURES if name in known}
    return Record(inputs=inputs, figures=figures, **known)


def read(path: Path) -> dict[str, Any]:
    """Read a record or failure as it lies on the disk, with the paths of its inputs by role."""
    found = json.loads(path.read_text("utf-8"))
    return {**found, **{each["role"]: each["path"] for each in found["inputs"]}}
