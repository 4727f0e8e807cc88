"""What a section found, as Markdown for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

Value = str | int | float | None
Row = Mapping[str, Value]


class Column(NamedTuple):
    """One column of a table: the key in its rows, what stands above, how a value is written."""

    key: str
    heading: str
    form: str = "{}"


@dataclass(frozen=True)
class Table:
    """Rows under a caption; the JSON has them unrounded, with keys that no column shows, too."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Section:
    """A part of the benchmark: what was measured and how, and the figures."""

    title: str
    about: str
    tables: Sequence[Table]


def markdown_of_head(command: str, machine: Mapping[str, str]) -> str:
    """Write the top of the report: how to repeat it, and where it was run."""
    lines = [f"- {what}: {value}" for what, value in machine.items()]
    return "\n".join(["# Benchmark of nst", "", f"`{command}`", "", *lines, ""])


def markdown_of(section: Section) -> str:
    """Write a section."""
    parts = [f"## {section.title}", section.about]
    for table in section.tables:
        parts += [f"**{table.caption}**", _markdown_of_table(table)]
    return "\n\n".join(parts) + "\n"


def json_of(command: str, machine: Mapping[str, str], sections: Mapping[str, Section]) -> str:
    """Write all there is, unrounded."""
    found = {name: asdict(section) for name, section in sections.items()}
    return json.dumps({"command": command, "machine": machine, "sections": found}, indent=1) + "\n"


def _markdown_of_table(table: Table) -> str:
    lines = [
        [column.heading for column in table.columns],
        ["---"] * len(table.columns),
        *([_cell(row.get(c.key), c.form) for c in table.columns] for row in table.rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Value, form: str) -> str:
    return "–" if value is None else form.format(value)
