"""The data of the gallery's script: JSON, small enough for thousands of pairs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from nstcli.measures import MEASURES
from nstcli.report.gallery_page import PageAxis
from nstcli.report.grid import Grid, GridPair, thinned
from nstcli.report.recipes import described, words
from nstcli.results.records import Measured, Record

# Field of a record -> how it is called where it is shown and sorted by.
OF_RECORDS = {
    "seconds": "time",
    "loss": "loss",
    "psnr": "PSNR",
    "content_error": "content error",
    "style_error": "style error",
}

# Before the names of figures that judges measured.
_JUDGED = "judge:"

# Points of all loss curves together, which are most of the data; and of one, at least.
_ALL_POINTS, _LEAST_POINTS = 100_000, 12


def measures_of(pairs: Sequence[GridPair]) -> dict[str, str]:
    """List what pairs can be sorted by, field to words; what was measured comes last."""
    found = {name for e in pairs if e.measured for name in e.measured.values}
    # In the order of the table of measures, and then what another version knows.
    measured = [name for name in MEASURES if name in found] + sorted(found - set(MEASURES))
    # The judge's style error is another one than that of the backbone that painted.
    records = [e.known for e in pairs if isinstance(e.known, Record)]
    told = {
        name: words
        for name, words in OF_RECORDS.items()
        if not records or any(record.figure(name) is not None for record in records)
    }
    return {**told, **{f"{_JUDGED}{name}": f"measured {words(name)}" for name in measured}}


def script_data(
    grid: Grid,
    axes: Sequence[PageAxis],
    placed: tuple[int, int],
    measures: Mapping[str, str],
    full: Mapping[int, str],
) -> dict[str, Any]:
    """Return what `gallery.js` reads.

    Args:
        grid: the pairs.
        axes: of the page, contents first.
        placed: which of them are rows and columns at first.
        measures: what pairs can be sorted by.
        full: number of a pair -> URL of what the lightbox shows, where that is not the thumbnail.
    """
    recipes: dict[str, int] = {}
    works: list[dict[str, Any]] = []
    points = max(_LEAST_POINTS, _ALL_POINTS // max(1, len(grid.pairs)))
    for number, pair in enumerate(grid.pairs):
        record = pair.known
        place: dict[str, Any] = {"at": pair.at}
        if not isinstance(record, Record):
            works.append({**place, "failed": True})
            continue
        recipe = json.dumps([*described(record.recipe), *_made(record)])
        works.append(
            {
                **place,
                **_facts(record, points),
                "recipe": recipes.setdefault(recipe, len(recipes)),
                "values": [_value(pair, record, name) for name in measures],
                "baselines": [_baselines(pair, name) for name in measures if pair.measured],
                "judge": _judges(pair.measured) if pair.measured else None,
                "full": full.get(number),
            }
        )
    return {
        "measures": list(measures.values()),
        "about": [_about(name) for name in measures],
        "axes": [_axis(axis) for axis in axes],
        "placed": placed,
        "photos": [photo.large.src if photo.large else None for photo in axes[0].values],
        "recipes": [json.loads(recipe) for recipe in recipes],
        "works": works,
    }


def _facts(record: Record, points: int) -> dict[str, Any]:
    return {
        "size": [record.width, record.height],
        "steps": record.steps,
        "curve": [[step, _rounded(loss)] for step, loss in thinned(record.curve, points)],
        "notes": [*filter(None, [record.shortfall]), *record.notes],
    }


def _made(record: Record) -> list[tuple[str, str]]:
    return [
        ("format", record.format),
        ("device", record.device),
        ("precision", record.precision),
        ("made by", f"nst {record.version}"),
    ]


def _value(pair: GridPair, record: Record, name: str) -> float | None:
    if name in OF_RECORDS:
        value = record.figure(name)
    else:
        values = pair.measured.values if pair.measured else {}
        value = values.get(name.removeprefix(_JUDGED))
    return None if value is None or not math.isfinite(value) else _rounded(value)


def _baselines(pair: GridPair, name: str) -> list[float | None] | None:
    """Return a figure of the unchanged content and of the resized style; None of a record's."""
    if name in OF_RECORDS or not pair.measured or not pair.measured.baselines:
        return None
    found = (
        pair.measured.baselines.get(which, {}).get(name.removeprefix(_JUDGED))
        for which in ("content", "style")
    )
    return [None if value is None else _rounded(value) for value in found]


def _judges(measured: Measured) -> str:
    """Name who measured: the judge and, where it is another, its witness."""
    return " and ".join(dict.fromkeys(filter(None, (measured.judge, measured.witness))))


def _about(name: str) -> str:
    """Say what a figure can tell, and what it cannot."""
    measure = MEASURES.get(name.removeprefix(_JUDGED)) if name.startswith(_JUDGED) else None
    return f"{measure.says}. It cannot say {measure.cannot}." if measure else ""


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _axis(axis: PageAxis) -> dict[str, Any]:
    labels = [value.label for value in axis.values]
    return {"key": axis.key, "title": axis.title, "prefix": axis.prefix, "values": labels}
