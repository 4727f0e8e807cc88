"""Config files: TOML or YAML, by their suffix; the nearest one is found from a folder upwards."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backbones.hints import closest_file
from nstcli.errors import InputError

NAME = "nst.toml"
PROJECT = "pyproject.toml"
SUFFIXES = (".toml", ".yaml", ".yml")
# What a file has besides settings that describes an experiment.
EXPERIMENT = ("content", "style", "sweep", "backbone")


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


def nearest(folder: Path, pass_over: Callable[[Path], object] = lambda path: None) -> Path | None:
    """Return the config file of the first folder upwards that has one: `nst.toml` or `[tool.nst]`.

    A file of another user is never that: nobody named it, and it could have results replaced.

    Args:
        folder: where the search starts.
        pass_over: hears of each nearer file that belongs to another user.

    Raises:
        InputError: a `pyproject.toml` with such a table is no valid TOML.
    """
    for path in (place / name for place in (folder, *folder.parents) for name in (NAME, PROJECT)):
        trusted = False
        try:
            trusted = _is_trusted(path)
            if path.is_file() and (path.name == NAME or _is_ours(path)):
                if trusted:
                    return path
                pass_over(path)
        except OSError:  # there is none, or only behind a folder that others keep closed
            continue
        except InputError:
            if trusted:
                raise
    return None


def _is_trusted(path: Path) -> bool:
    """Tell whether a file is the user's own, or of root, who rules here anyway.

    To root, it may also be that of whoever called `sudo`. Windows tells no owner in this way: there
    every file is trusted.

    Raises:
        OSError: there is no such file.
    """
    if sys.platform == "win32":
        return True
    user = os.geteuid()
    trusted = {0, user}
    if user == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted.add(int(os.environ["SUDO_UID"]))
    return _owners(path) <= trusted


def _owners(path: Path) -> set[int]:
    """Return who owns a file, and who the link that leads to it, if one does."""
    return {path.stat().st_uid, path.lstat().st_uid}


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
