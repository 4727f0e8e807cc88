"""What took its time to find out and can be found out again: values by key, in a JSON file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from backbones.atomic import write_atomic
from backbones.safe_json import parse_json


class Remembered:
    """The values of one file. Whatever is wrong with it, it counts as empty.

    Two processes with one file do each other no harm: the one that writes last is remembered.
    """

    def __init__(self, path: Path):
        self._path = path
        self.values = _read(path)
        self._changed = False

    def count(self, key: str) -> int | None:
        """Return a whole number above 0, if one is remembered."""
        value = self.values.get(key)
        return value if isinstance(value, int) and value > 0 else None

    def put(self, key: str, value: str | int) -> None:
        """Remember a value, for good from the next `save` on."""
        self.values[key] = value
        self._changed = True

    def save(self) -> None:
        """Write down what is new.

        Raises:
            OSError: the file cannot be written.
        """
        if not self._changed:
            return
        self._changed = False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, json.dumps(self.values, indent=1, sort_keys=True).encode())


def digest(value: object) -> str:
    """Return a key for anything that JSON can hold."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
