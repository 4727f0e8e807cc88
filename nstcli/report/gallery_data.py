"""The data of the gallery's script: JSON, small enough for hundreds of pairs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nstcli.report.gallery_page import Header
from nstcli.report.grid import Grid, GridPair
from nstcli.report.recipes import described, words
from nstcli.results.records import Record

# Field of a record -> how it is called where it is shown and sorted by.
MEASURES = {
    "seconds": "time",
    "loss": "loss",
    "content_error": "content error",
    "style_error": "style error",
}

# Points of a loss curve: one for every six pixels of its drawing.
_POINTS = 50


def measures_of(pairs: Iterable[GridPair]) -> dict[str, str]:
    """List what pairs can be sorted by, field to words; what was measured comes last."""
    measured = {name for e in pairs if e.measured for name in e.measured.values}
    # The judge's style error is another one than that of the backbone that painted.
    return {**MEASURES, **{f"judge:{n}": f"measured {words(n)}" for n in sorted(measured)}}


def script_data(
    grid: Grid,
    contents: Sequence[Header],
    styles: Sequence[Header],
    measures: Mapping[str, str],
    full: Mapping[int, str],
) -> dict[str, Any]:
    """Return what `gallery.js` reads.

    Args:
        grid: the pairs.
        contents: as they are shown, in the order of the grid.
        styles: likewise.
        measures: what pairs can be sorted by.
        full: number of a pair -> URL of what the lightbox shows, where that is not the thumbnail.
    """
    recipes: dict[str, int] = {}
    works: list[dict[str, Any]] = []
    for number, pair in enumerate(grid.pairs):
        record = pair.known
        place: dict[str, Any] = {"content": pair.content, "style": pair.style}
        if not isinstance(record, Record):
            works.append({**place, "failed": True})
            continue
        recipe = json.dumps(described(record.recipe))
        works.append(
            {
                **place,
                **_facts(record),
                "recipe": recipes.setdefault(recipe, len(recipes)),
                "variant": pair.variant,
                "values": [_value(pair, record, name) for name in measures],
                "judge": pair.measured.judge if pair.measured else None,
                "full": full.get(number),
            }
        )
    return {
        "measures": list(measures.values()),
        "contents": [_header(header) for header in contents],
        "styles": [_header(header) for header in styles],
        "recipes": [json.loads(recipe) for recipe in recipes],
        "works": works,
    }


def _facts(record: Record) -> dict[str, Any]:
    return {
        "model": str(record.recipe.get("model", "")),
        "size": [record.width, record.height],
        "steps": record.steps,
        "curve": [[step, _rounded(loss)] for step, loss in thinned(record.curve)],
        "notes": [*filter(None, [record.shortfall]), *record.notes],
        "made": [
            ["format", record.format],
            ["device", record.device],
            ["precision", record.precision],
            ["made by", f"nst {record.version}"],
        ],
    }


def _value(pair: GridPair, record: Record, name: str) -> float | None:
    if name in MEASURES:
        value = record.figure(name)
    else:
        values = pair.measured.values if pair.measured else {}
        value = values.get(name.removeprefix("judge:"))
    return None if value is None or not math.isfinite(value) else _rounded(value)


def thinned(curve: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return at most `_POINTS` finite points of a curve, evenly, first and last among them."""
    points = [(step, loss) for step, loss in curve if math.isfinite(loss)]
    if len(points) <= _POINTS:
        return points
    last = len(points) - 1
    return [points[round(place * last / (_POINTS - 1))] for place in range(_POINTS)]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _header(header: Header) -> dict[str, Any]:
    return {"label": header.label, "large": header.large.src if header.large else None}
