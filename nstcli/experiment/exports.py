"""The comparison as files: JSON with everything, CSV with a line a picture, Markdown to show."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import nstcli
from nstcli.experiment.experiment import Contest, Entry
from nstcli.experiment.figures import BASELINES, Column, Figure, Row, columns
from nstcli.metrics.record import Metrics
from nstcli.plan.pair import Pair
from nstcli.results.records import Record
from nstcli.text import stored

# Raise it when a field changes its meaning or goes; new fields may come at any time.
_SCHEMA = 1

_RECORD = (
    "device", "precision", "width", "height", "steps", "seconds", "step_seconds", "step_spread",
    "peak_memory",
)  # fmt: skip
_METRICS = tuple(field.name for field in fields(Metrics))


def as_json(
    contest: Contest, rows: Sequence[Row], machine: Mapping[str, Any], time_budget: float | None
) -> str:
    """Tell everything: the table, every picture with its recipe's place, settings and machine.

    Seconds and bytes are plain numbers, a `spread` is half the distance between the quartiles.
    """
    document = {
        "made_by": f"nst {nstcli.__version__}",
        "schema": _SCHEMA,
        "time_budget": time_budget,
        "machine": machine,
        "recipes": {
            entry.title: entry.settings.recipe.dump() for entry in contest.entries if entry.settings
        },
        "rows": [_row(row) for row in rows],
        "pictures": [
            {**_picture(contest, entry, pair), "baselines": _baselines(contest, pair)}
            for entry in contest.entries
            for pair in entry.pairs
        ],
    }
    # In ASCII: an output stream that cannot encode a letter would make it no JSON any more.
    return json.dumps(document, indent=1) + "\n"


def as_csv(contest: Contest) -> str:
    """Write a line for every pair of every backbone; what is not known stays empty."""
    stream = io.StringIO()
    baselines = [f"{name}_baseline_{metric}" for name in BASELINES for metric in _METRICS]
    names = [*_KNOWN, *_RECORD, "judge", *_METRICS, *baselines, "error"]
    # Judgements of another version may know other measures.
    writer = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for entry in contest.entries:
        for pair in entry.pairs:
            line = _picture(contest, entry, pair)
            for name, values in _baselines(contest, pair).items():
                line |= {f"{name}_baseline_{key}": value for key, value in values.items()}
            writer.writerow(line)
    return stream.getvalue()


def as_markdown(title: str, rows: Sequence[Row], remarks: Sequence[str]) -> str:
    """Write the table for a README or an issue; the best values are bold."""
    shown = columns(rows)
    headings = ["backbone", *(column.heading for column in shown), "judge"]
    lines = [
        _escaped(title),
        "",
        _line(headings),
        _line(["---", *["---:"] * len(shown), "---"]),
        *(_line(_cells(row, shown)) for row in rows),
        "",
        *(f"{_escaped(remark)}  " for remark in remarks),
    ]
    failed = [row for row in rows if row.error]
    lines += [f"{_escaped(row.title)}: {_escaped(row.error)}  " for row in failed]
    return "\n".join(lines) + "\n"


_KNOWN = ("content", "style", "result", "backbone", "weight_set", "parameters")


def _picture(contest: Contest, entry: Entry, pair: Pair) -> dict[str, Any]:
    who = entry.contender
    record = contest.records.get(pair.output)
    known = contest.measured.get(pair.output)
    return {
        "content": stored(pair.content),
        "style": stored(pair.style),
        "result": pair.output,
        "backbone": who.backbone.name,
        "weight_set": who.weight_set.name,
        "parameters": entry.parameters,
        **(_of_record(record) if record else {}),
        "judge": who.judge,
        **(known.values if known else {}),
        "error": contest.failures.get(pair.output) or entry.error,
    }


def _of_record(record: Record) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _RECORD}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _baselines(contest: Contest, pair: Pair) -> dict[str, dict[str, float]]:
    known = contest.measured.get(pair.output)
    return known.baselines if known else {}


def _row(row: Row) -> dict[str, Any]:
    return {
        "title": row.title,
        "baseline": row.baseline,
        "judge": row.judge,
        "pairs": row.pairs,
        "made": row.made,
        "judged": row.judged,
        "figures": {
            key: {"value": figure.value, "spread": figure.spread}
            for key, figure in row.figures.items()
        },
        "best": sorted(row.best),
        "error": row.error,
    }


def _cells(row: Row, shown: Sequence[Column]) -> list[str]:
    cells = []
    for column in shown:
        figure = row.figures.get(column.key)
        text = _written(column, figure) if figure else ""
        cells.append(f"**{text}**" if column.key in row.best else text)
    title = f"*{_escaped(row.title)}*" if row.baseline else _escaped(row.title)
    return [title, *cells, row.judge]


def _written(column: Column, figure: Figure) -> str:
    """Write a figure, with its spread if there is any."""
    text = column.write(figure.value)
    return f"{text} ± {column.write(figure.spread)}" if figure.spread else text


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Take their meaning from the characters that Markdown reads in a line."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|" else c for c in " ".join(text.split()))
