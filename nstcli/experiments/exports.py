"""The files of a comparison besides its pictures: JSON, CSV, Markdown, sheet, gallery."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backbones.atomic import write_atomic
from backbones.paths import is_folder, resolved
from nstcli.errors import InputError, StoppedError
from nstcli.experiments import captions
from nstcli.experiments.comparison_sheet import write_sheet
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.figures import BASELINES, Column, Figure, Row, columns, compared
from nstcli.experiments.variant import Variant
from nstcli.measures import MEASURES, Measure
from nstcli.plan.pair import Pair
from nstcli.report.summaries import Summaries
from nstcli.results.records import Record
from nstcli.text import shown
from nstcli.version import VERSION

# Raise it when a field changes its meaning or goes; new fields may come at any time.
_SCHEMA = 1

_RECORD = (
    "device", "precision", "width", "height", "steps", "seconds", "training_seconds",
    "step_seconds", "step_spread", "peak_memory",
)  # fmt: skip


def as_json(
    experiment: Experiment,
    rows: Sequence[Row],
    machine: Mapping[str, Any],
    time_budget: float | None,
) -> str:
    """Tell everything: the table, every picture with its recipe's place, settings and machine.

    Seconds and bytes are plain numbers, a `spread` is half the distance between the quartiles.
    """
    document = {
        "made_by": f"nst {VERSION}",
        "schema": _SCHEMA,
        "time_budget": time_budget,
        "machine": machine,
        "measures": {name: _said(measure) for name, measure in MEASURES.items()},
        "recipes": {
            variant.title: variant.settings.recipe.dump()
            for variant in experiment.variants
            if variant.settings
        },
        "rows": [{**asdict(row), "best": sorted(row.best)} for row in rows],
        "pictures": [
            {
                **_picture(experiment, variant, pair),
                "baselines": _baselines(experiment, variant, pair),
            }
            for variant in experiment.variants
            for pair in variant.pairs
        ],
    }
    # In ASCII: an output stream that cannot encode a letter would make it no JSON any more.
    return json.dumps(document, indent=1) + "\n"


def as_csv(experiment: Experiment) -> str:
    """Write a line for every pair of every backbone; what is not known stays empty."""
    stream = io.StringIO()
    baselines = [f"{name}_baseline_{metric}" for name in BASELINES for metric in MEASURES]
    names = [*_KNOWN, *_RECORD, "judge", "witness", *MEASURES, *baselines, "error"]
    # Judgements of another version may know other measures.
    writer = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for variant in experiment.variants:
        for pair in variant.pairs:
            line = _picture(experiment, variant, pair)
            for name, values in _baselines(experiment, variant, pair).items():
                line |= {f"{name}_baseline_{key}": value for key, value in values.items()}
            writer.writerow(line)
    return stream.getvalue()


def as_markdown(title: str, rows: Sequence[Row], remarks: Sequence[str]) -> str:
    """Write the table for a README or an issue; the best values are bold."""
    shown = columns(rows)
    headings = [compared(rows), *(column.heading for column in shown), "judge"]
    lines = [
        escaped(title),
        "",
        markdown_line(headings),
        markdown_line(["---", *["---:"] * len(shown), "---"]),
        *(markdown_line(_cells(row, shown)) for row in rows),
        "",
        *(f"{escaped(remark)}  " for remark in remarks),
    ]
    failed = [row for row in rows if row.error]
    lines += [f"{escaped(row.title)}: {escaped(row.error)}  " for row in failed]
    return "\n".join(lines) + "\n"


def _said(measure: Measure) -> dict[str, str]:
    """Tell what there is to know of a measure."""
    return {
        "heading": measure.heading,
        "near": measure.near,
        "best": "highest" if measure.best is max else "lowest",
        "says": measure.says,
        "cannot": measure.cannot,
        "source": measure.source,
    }


_KNOWN = ("content", "style", "result", "backbone", "weight_set", "parameters")


def _picture(experiment: Experiment, variant: Variant, pair: Pair) -> dict[str, Any]:
    record = experiment.records.get(pair.output)
    known = experiment.judgement(variant, pair)
    return {
        **pair.for_json(),
        "backbone": variant.backbone.name,
        "weight_set": variant.weight_set.name,
        "parameters": variant.parameters,
        **(_of_record(record) if record else {}),
        "judge": variant.judge,
        "witness": experiment.witness,
        **(known.values if known else {}),
        "error": experiment.failures.get(pair.output) or variant.error,
    }


def _of_record(record: Record) -> dict[str, Any]:
    values = {name: record.figure(name) for name in _RECORD}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _baselines(experiment: Experiment, variant: Variant, pair: Pair) -> dict[str, dict[str, float]]:
    known = experiment.judgement(variant, pair)
    return known.baselines if known else {}


def _cells(row: Row, shown: Sequence[Column]) -> list[str]:
    cells = []
    for column in shown:
        figure = row.figures.get(column.key)
        text = _written(column, figure) if figure else ""
        cells.append(f"**{text}**" if column.key in row.best else text)
    title = f"*{escaped(row.title)}*" if row.baseline else escaped(row.title)
    return [title, *cells, row.judge]


def _written(column: Column, figure: Figure) -> str:
    """Write a figure, with its spread if there is any."""
    text = column.write(figure.value)
    return f"{text} ± {column.write(figure.spread)}" if figure.spread else text


def markdown_line(cells: Sequence[str]) -> str:
    """Write a line of a table of Markdown."""
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Take their meaning from the characters that Markdown reads in a line."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|" else c for c in " ".join(text.split()))


@dataclass(frozen=True)
class Exports:
    """Where figures are to be written; None for nowhere."""

    json: Path | None = None
    csv: Path | None = None
    markdown: Path | None = None

    def refuse(self, inputs: Sequence[Path], output: Path) -> None:
        """Find out before the work what would go wrong after it.

        Args:
            inputs: all photos and artworks.
            output: folder of the comparison, which the work makes if it is not there.

        Raises:
            InputError: there is no such folder, an input would be replaced, or one export by
                another.
        """
        inputs_taken = {resolved(path) for path in inputs}
        exports_taken: set[Path] = set()
        for path in (self.json, self.csv, self.markdown):
            if path is None:
                continue
            if is_folder(path):
                raise InputError(f"cannot export to '{shown(path)}': that is a folder")
            if not is_folder(path.parent) and resolved(path.parent) != resolved(output):
                where = shown(path.parent)
                raise InputError(f"cannot export to '{shown(path)}': no folder '{where}'")
            if resolved(path) in inputs_taken:
                raise InputError(f"exporting to '{shown(path)}' would replace an input")
            if resolved(path) in exports_taken:
                raise InputError(f"two exports to '{shown(path)}'; give each a file of its own")
            exports_taken.add(resolved(path))

    def write(
        self,
        experiment: Experiment,
        table: Sequence[Row],
        title: str,
        budget: float | None,
        machine: Callable[[], Mapping[str, Any]],
    ) -> list[Path]:
        """Write those that are wanted, and return their paths.

        `machine` tells what is to be known of this computer.

        Raises:
            StoppedError: one cannot be written.
        """
        texts: dict[Path, str] = {}
        if self.json:
            texts[self.json] = as_json(experiment, table, machine(), budget)
        if self.csv:
            texts[self.csv] = as_csv(experiment)
        if self.markdown:
            remarks = captions.remarks(experiment, table, best="in bold")
            texts[self.markdown] = as_markdown(title, table, remarks)
        for path, text in texts.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)  # where nothing could be made
                write_atomic(path, text.encode(errors="backslashreplace"))
            except OSError as error:
                problem = error.strerror or error
                raise StoppedError(f"cannot write '{shown(path)}': {problem}") from error
        return list(texts)


def summarise(
    experiment: Experiment, complain: Callable[[str], None], *, gallery: bool
) -> list[Path]:
    """Write sheet, gallery and manifest, and return what to look at.

    Where one of them cannot be written, `complain` is told why.
    """
    found: list[Path] = []
    try:
        found.append(write_sheet(experiment))
    except (OSError, InputError) as error:
        complain(f"the sheet cannot be written: {error}")
    page = Summaries(experiment.store, complain, gallery).finish(changed=True)
    return found + ([page] if page == experiment.store.layout.gallery else [])
