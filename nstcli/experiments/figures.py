"""The table of a comparison: a row for each backbone and for each baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles

from nstcli.experiments.experiment import Experiment
from nstcli.experiments.variant import Variant
from nstcli.measures import MEASURES
from nstcli.methods import METHODS
from nstcli.plan.pair import Input
from nstcli.results.records import Measured, Record

# What baselines, pictures that cost nothing, are called, by their names in `Measured.baselines`.
BASELINES = {"content": "unchanged content", "style": "resized style"}


@dataclass(frozen=True)
class Column:
    """A figure of the table.

    Attributes:
        key: its name in files.
        heading: for people.
        write: makes a value readable.
        better: whether to mark the lowest or the highest value; None marks none.
        judged: the figure depends on the judge, and ranks only among rows of the same one.
    """

    key: str
    heading: str
    write: Callable[[float], str]
    better: Callable[[Iterable[float]], float] | None = min
    judged: bool = False


def count(value: float) -> str:
    """Write a large count: `12.94 M`, `336 k`, `812`."""
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    return f"{value / 1e3:.0f} k" if value >= 1e3 else f"{value:.0f}"


COLUMNS = (
    Column("steps", "steps", "{:.0f}".format, better=None),
    Column("seconds", "seconds", "{:.1f}".format),
    Column("training_seconds", "training", lambda value: f"{value:.0f} s"),
    Column("step_seconds", "ms per step", lambda value: f"{value * 1000:.1f}"),
    Column("peak_memory", "peak memory", lambda value: f"{value / 1e6:.0f} MB"),
    Column("parameters", "parameters used", count),
    *(
        Column(key, each.heading, f"{{:{each.form}}}".format, each.best, each.by == "judge")
        for key, each in MEASURES.items()
    ),
)
_OF_RECORDS = ("steps", "seconds", "training_seconds", "step_seconds", "peak_memory")


@dataclass(frozen=True)
class Figure:
    """A value, the median over pairs where there are several, and half its quartiles' distance."""

    value: float
    spread: float = 0.0


@dataclass(frozen=True)
class Row:
    """A variant, or a baseline.

    Attributes:
        title: `vgg19:gatys`, or the baseline's name.
        judge: backbone that judged it.
        made: pairs that were made.
        judged: pairs that were judged.
        pairs: pairs that there are.
        figures: by the key of their column; without those that are not known (yet).
        best: keys of the columns where no other row is better.
        baseline: whether it is one.
        error: why there is nothing more; empty if nothing is wrong.
    """

    title: str
    judge: str
    made: int
    judged: int
    pairs: int
    figures: Mapping[str, Figure]
    best: frozenset[str] = frozenset()
    baseline: bool = False
    error: str = ""


def rows(experiment: Experiment, *, same_seconds: bool = False) -> list[Row]:
    """Work out the table as far as it is known: by judge, each with its baselines at the end.

    Best is marked among rows that have all their pairs, since medians over different pairs
    cannot be compared; and where there are at least two.

    Args:
        experiment: what is known.
        same_seconds: everybody was given the same, which then rank nobody.
    """
    found = [_row(experiment, variant) for variant in experiment.variants]
    ranked = _ranked(found, {"seconds"} if same_seconds else set())
    judges = list(dict.fromkeys(row.judge for row in ranked))
    table: list[Row] = []
    for judge in judges:
        table += [row for row in ranked if row.judge == judge]
        table += _baselines(experiment, judge)
    return table


def compared(table: Sequence[Row]) -> str:
    """Say what the rows of a table are: backbones, or methods."""
    return "method" if any(row.title in METHODS for row in table) else "backbone"


def columns(table: Sequence[Row]) -> list[Column]:
    """List the columns that say something: steps only where they differ."""
    values = {
        column.key: {row.figures[column.key].value for row in table if column.key in row.figures}
        for column in COLUMNS
    }
    return [column for column in COLUMNS if len(values[column.key]) > (column.key == "steps")]


def _row(experiment: Experiment, variant: Variant) -> Row:
    outputs = [pair.output for pair in variant.pairs]
    records = [experiment.records[name] for name in outputs if name in experiment.records]
    found = [experiment.judgement(variant, pair) for pair in variant.pairs]
    seen = [known for known in found if known]
    figures = _of_records(records) | _of_measured([known.values for known in seen])
    if variant.parameters:
        figures["parameters"] = Figure(float(variant.parameters))
    errors = [experiment.failures[name] for name in outputs if name in experiment.failures]
    error = variant.error or (errors[0] if errors else "")
    made, judged = len(records), len(seen)
    judge = variant.judge
    return Row(variant.title, judge, made, judged, len(outputs), figures, error=error)


def _of_records(records: Sequence[Record]) -> dict[str, Figure]:
    figures = {}
    for key in _OF_RECORDS:
        values = [float(record.figure(key) or 0.0) for record in records]
        if values and all(values):  # 0 stands for what an older program did not measure
            figures[key] = figure_of(values)
    if "step_seconds" in figures:
        # What a step varies by within a pair, not a pair from others of another shape.
        spread = median(record.figure("step_spread") or 0.0 for record in records) / 2
        figures["step_seconds"] = replace(figures["step_seconds"], spread=spread)
    if "peak_memory" in figures:  # of the process so far: the last pair's holds for all
        highest = max(record.peak_memory for record in records)
        figures["peak_memory"] = Figure(float(highest))
    return figures


def _of_measured(found: Sequence[Mapping[str, float]]) -> dict[str, Figure]:
    return {
        key: figure_of(values)
        for key in MEASURES
        if (values := [known[key] for known in found if key in known])
    }


def figure_of(values: Sequence[float]) -> Figure:
    """Return the median of some values, and half the distance between their quartiles."""
    if len(values) < 2:
        return Figure(values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Figure(middle, (high - low) / 2)


def _ranked(found: Sequence[Row], unranked: set[str]) -> list[Row]:
    """Mark the best values."""
    best: dict[str, set[str]] = {row.title: set() for row in found}
    for column in COLUMNS:
        if column.better is None or column.key in unranked:
            continue
        groups = {row.judge for row in found} if column.judged else {""}
        for group in groups:
            rivals = [r for r in found if not group or r.judge == group]
            rivals = [r for r in rivals if column.key in r.figures and _complete(r, column)]
            if len(rivals) < 2:
                continue
            top = column.better(row.figures[column.key].value for row in rivals)
            for row in rivals:
                # What looks equal in the table is equally good.
                value = row.figures[column.key].value
                if column.write(value) == column.write(top):
                    best[row.title].add(column.key)
    return [replace(row, best=frozenset(best[row.title])) for row in found]


def _complete(row: Row, column: Column) -> bool:
    if column.key == "parameters":
        return True
    return (row.judged if column.key in MEASURES else row.made) == row.pairs


def _baselines(experiment: Experiment, judge: str) -> list[Row]:
    """Work out what a judge says of the unchanged contents and the resized styles."""
    seen: dict[tuple[Input, ...], Measured] = {}
    pairs: set[tuple[Input, ...]] = set()
    for variant in experiment.variants:
        for pair in variant.pairs:
            pairs.add(pair.inputs)
            known = experiment.judgement(variant, pair)
            if known and known.judge == judge:
                seen.setdefault(pair.inputs, known)
    return [
        Row(
            title,
            judge,
            len(pairs),
            len(seen),
            len(pairs),
            _of_measured([known.baselines.get(name, {}) for known in seen.values()]),
            baseline=True,
        )
        for name, title in BASELINES.items()
    ]
