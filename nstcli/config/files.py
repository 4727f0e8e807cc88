"""Config files: TOML or YAML, by their suffix; the nearest one is found from a folder upwards."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from backbones.hints import closest_file
from nstcli.errors import InputError

NAME = "nst.toml"
PROJECT = "pyproject.toml"


def read(path: Path) -> dict[str, Any]:
    """Return what a config file says; of a `pyproject.toml`, its table `[tool.nst]`.

    Raises:
        InputError: it is not there, cannot be read, or is no valid TOML or YAML.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"no such config file: '{path}'{closest_file(path)}") from None
    except OSError as error:
        raise InputError(f"the config file '{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the config file '{path}' is not UTF-8 text") from error
    if path.suffix.lower() == ".toml":
        table = _toml(text, path)
        return _own_table(table) or {} if path.name == PROJECT else table
    if path.suffix.lower() in {".yaml", ".yml"}:
        from nstcli.config.yaml12 import load

        try:
            return load(text)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
    raise InputError(f"the config file '{path}' must end in .toml, .yaml or .yml")


def nearest(folder: Path) -> Path | None:
    """Return the config file of the first folder upwards that has one: `nst.toml` or `[tool.nst]`.

    Raises:
        InputError: a `pyproject.toml` with such a table is no valid TOML.
    """
    for place in (folder, *folder.parents):
        try:
            if (place / NAME).is_file():
                return place / NAME
            if (place / PROJECT).is_file() and _is_ours(place / PROJECT):
                return place / PROJECT
        except OSError:  # a folder that others keep closed
            continue
    return None


def _is_ours(path: Path) -> bool:
    """Tell whether a project's file has settings of ours; what else is in it is not our matter."""
    text = path.read_bytes().decode(errors="replace")
    return "tool" in text and "nst" in text and _own_table(_toml(text, path)) is not None


def _own_table(table: dict[str, Any]) -> dict[str, Any] | None:
    tools = table.get("tool")
    ours = tools.get("nst") if isinstance(tools, dict) else None
    return ours if isinstance(ours, dict) else None


def _toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a number of thousands of digits is no TOMLDecodeError
        raise InputError(f"{path}: {error}") from error
    except RecursionError:
        raise InputError(f"{path}: lists or tables are nested too deeply") from None
