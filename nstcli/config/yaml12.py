"""Flat YAML with the plain values of YAML 1.2.

PyYAML follows YAML 1.1, where `1e5` is a text, `no` is false, `1:30` is ninety and `010` is eight.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, ScalarNode


class _Loader(yaml.SafeLoader):
    """Builds plain values only, resolved as in the core schema (YAML 1.2.2, 10.3.2)."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; PyYAML would let the last of several equal keys win."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.MarkedYAMLError(problem="a key is given twice", problem_mark=node.start_mark)
        return mapping


for _tag, _pattern, _starts in (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), ["", *_starts]
    )


def _decimal(loader: yaml.SafeLoader, node: ScalarNode) -> int:
    """Read a whole number; PyYAML would take the digits of `010` for octal."""
    return int(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


def load(text: str) -> dict[str, Any]:
    """Read a mapping of keys to values; a file that is empty has none.

    Raises:
        ValueError: it is no valid YAML, with the line, or it is something else than a mapping.
    """
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, see above
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{error.problem or error.context}{where}") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError("should be settings like 'size: 512', one a line")
    return {str(key): value for key, value in found.items()}
