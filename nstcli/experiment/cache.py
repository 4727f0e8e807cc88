"""What an experiment counted of its variants and will need again; kept in its output folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from backbones.files import parse_json, write_atomic


class Cache:
    """Whole numbers by kind and key, in one file. Whatever is wrong with it, it counts as empty.

    Two processes with one file do each other no harm: the one that writes last is remembered.
    """

    def __init__(self, path: Path):
        self._path = path
        self._known = _read(path)
        self._changed = False

    def get(self, kind: str, key: str) -> int | None:
        """Return what was counted, if it was."""
        value = self._known.get(kind, {}).get(key)
        return value if isinstance(value, int) and value > 0 else None

    def put(self, kind: str, key: str, value: int) -> None:
        """Remember it, for good from the next `save` on."""
        self._known.setdefault(kind, {})[key] = value
        self._changed = True

    def save(self) -> None:
        """Write down what is new.

        Raises:
            OSError: the folder cannot be written to.
        """
        if not self._changed:
            return
        self._changed = False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, json.dumps(self._known, indent=1, sort_keys=True).encode())


def digest(value: object) -> str:
    """Return a key for anything that JSON can hold."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {kind: values for kind, values in found.items() if isinstance(values, dict)}
