"""Flat YAML with the plain values of YAML 1.2.

PyYAML follows YAML 1.1, where `1e5` is a text, `no` is false, `1:30` is ninety and `010` is eight.
ruamel.yaml would need the same table: it has dates, `0b11` and `1_000` beyond 1.2's core schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

# Settings hold lists and tables at most; Python could follow a few hundred levels.
_DEEPEST = 20
# Ends of lines that other programs know.
_LINE_ENDS = frozenset("\x85\u2028\u2029")
# Python would not print numbers of some thousand digits.
_LONGEST = 1000


def _error_at(problem: str, place: Any) -> yaml.MarkedYAMLError:
    """Tell what is wrong with an event or a node."""
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


class _Loader(yaml.SafeLoader):
    """Builds plain values only, resolved as in the core schema (YAML 1.2.2, 10.3.2)."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way
    yaml_constructors = {  # noqa: RUF012 - it, too
        tag: build
        for tag, build in yaml.SafeLoader.yaml_constructors.items()
        # None stands for every other tag, which it refuses.
        if tag is None or tag.rpartition(":")[2] in {"null", "bool", "float", "str", "seq", "map"}
    }

    _depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Refuse what would grow without end when it is built, or printed."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _error_at("lists or tables are nested too deeply", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent) and not isinstance(node, ScalarNode):
            raise _error_at("an alias may stand for a single value only", event)
        return node

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Say where a value is that is not what its tag promises, such as `!!int x`."""
        try:
            # Whole at once, so that tables which are none fail here; they are not deep.
            return super().construct_object(node, deep=True)
        except (LookupError, ValueError) as error:
            kind = node.tag.rpartition(":")[2]
            raise _error_at(f"a value cannot be read as {kind}", node) from error

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are texts as they are written, like those of TOML."""
        mapping: dict[Any, Any] = {
            self.construct_scalar(key): self.construct_object(value) for key, value in node.value
        }
        # PyYAML would let the last of several equal keys win.
        if len(mapping) < len(node.value):
            raise _error_at("a key is given twice", node)
        return mapping


for _tag, _pattern, _starts in (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), ["", *_starts]
    )


def _integer(loader: yaml.SafeLoader, node: ScalarNode) -> int:
    """Read a whole number; PyYAML would take the digits of `010` for octal."""
    digits = loader.construct_scalar(node)
    if len(digits) > _LONGEST:
        raise ValueError
    return int(digits, {"0o": 8, "0x": 16}.get(digits[:2], 10))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


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
    return found


def dump(settings: Mapping[str, Any]) -> str:
    """Write settings so that `load` reads the same, in their order."""
    text: str = yaml.dump(settings, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    if _LINE_ENDS.intersection(text):  # which PyYAML would not read as it has written them
        text = yaml.dump(settings, Dumper=_Dumper, sort_keys=False)
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes also the texts that are values in YAML 1.2 alone, and repeats what occurs twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way
        start: [
            *yaml.SafeDumper.yaml_implicit_resolvers.get(start, []),
            *_Loader.yaml_implicit_resolvers.get(start, []),
        ]
        for start in {**yaml.SafeDumper.yaml_implicit_resolvers, **_Loader.yaml_implicit_resolvers}
    }

    def ignore_aliases(self, data: Any) -> bool:
        """Write no aliases: those of lists and tables would not be read."""
        return True
