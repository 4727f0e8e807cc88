"""Write settings as TOML; Python's own module reads it only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nstcli.config.validation import written


def dump(settings: Mapping[str, object]) -> str:
    """Write texts, numbers, switches and lists of them, a line each; then the tables of these."""
    tables = {key: value for key, value in settings.items() if isinstance(value, Mapping)}
    lines = [line(key, value) for key, value in settings.items() if key not in tables]
    for key, table in tables.items():
        lines += ["", f"[{_key(key)}]", *(line(name, value) for name, value in table.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def line(key: str, value: object) -> str:
    """Write a setting that is no table."""
    return f"{_key(key)} = {_value(value)}"


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: object) -> str:
    """Write what JSON and TOML call alike, a text, a number or a list; but DEL, TOML escapes."""
    return written(value).replace("\x7f", "\\u007f")
