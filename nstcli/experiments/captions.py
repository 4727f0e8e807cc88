"""The title of a comparison's table, and the remarks below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nstcli.experiments.experiment import Experiment
from nstcli.experiments.figures import Row
from nstcli.measures import MEASURES
from nstcli.text import shown


def title(experiment: Experiment, time_budget: float | None = None) -> str:
    """Say what is compared: `cat × ink · 384 px · 200 steps · seed 0`."""
    pairs = experiment.variants[0].pairs
    contents, styles = ([p.path(role) for p in pairs] for role in ("content", "style"))
    recipes = [variant.settings.recipe for variant in experiment.variants if variant.settings]
    steps = sorted({recipe.steps for recipe in recipes if recipe.by.stepwise})
    parts = [
        f"{_names(contents, 'contents')} × {_names(styles, 'styles')}",
        f"{recipes[0].size} px",
        f"about {time_budget:g} s a pair" if time_budget else "",
        f"{steps[0]} steps" if steps and not time_budget else "",
        f"seed {recipes[0].seed}" if steps else "",
    ]
    return " · ".join(filter(None, parts))


def remarks(experiment: Experiment, rows: Sequence[Row], best: str) -> list[str]:
    """Say how to read the table, and on what it was made.

    `best` says how the best values are marked.
    """
    judges = dict.fromkeys(row.judge for row in rows)
    seen, told = (
        _listed([measure.heading for measure in MEASURES.values() if measure.by == who])
        for who in ("judge", "witness")
    )
    ranked = " The judge's rank only under the same one." if len(judges) > 1 else ""
    if any(row.pairs > 1 for row in rows):
        spread = (
            "Figures are medians over the pairs. ± is half the distance between the quartiles, "
            "per step those of the steps, else those of the pairs."
        )
    else:
        spread = "± is half the distance between the quartiles of the steps."
    said = [
        f"Best of their column: {best}. {spread}",
        "Peak memory is that of a process that made these pictures alone, or of a GPU's tensors.",
        f"The judge sees {seen}, a witness ({experiment.witness}) {told}.{ranked}",
    ]
    return said + [f"Made on {where}." for where in _machines(experiment)]


def _listed(names: Sequence[str]) -> str:
    """Write `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _names(paths: Sequence[Path], noun: str) -> str:
    different = list(dict.fromkeys(paths))
    return shown(different[0].stem) if len(different) == 1 else f"{len(different)} {noun}"


def _machines(experiment: Experiment) -> list[str]:
    """Say what device and precision the pictures had; of each backbone where they differ."""
    found: dict[str, list[str]] = {}
    for variant in experiment.variants:
        for pair in variant.pairs:
            record = experiment.records.get(pair.output)
            if record:
                titles = found.setdefault(f"{record.device} in {record.precision}", [])
                titles += [variant.title] if variant.title not in titles else []
    if len(found) < 2:
        return list(found)
    return [", ".join(f"{where} ({', '.join(titles)})" for where, titles in found.items())]
