"""The contact sheet of a comparison: content, style, a column for every backbone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backbones.atomic import write_atomic
from nstcli.errors import InputError
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.variant import Variant
from nstcli.images import Picture, cells, decode, encode, read_metadata
from nstcli.images.cells import Cells, Ink, Pixels
from nstcli.measures import MEASURES
from nstcli.plan.pair import Pair
from nstcli.report.foreign_files import refuse_foreign
from nstcli.text import shown

# In the metadata of every sheet, so that none is ever written over another picture.
_SOFTWARE = "nst compare-backbones"

# Widths of a column in pixels; narrower ones have no room for the figures.
_WIDEST, _NARROWEST = 384, 96

# Measures that are written below pictures.
_FIGURES = ("style_error", "structure", "lpips")


def write_sheet(experiment: Experiment) -> Path:
    """Write the contact sheet into the output folder, and return its path.

    Raises:
        InputError: another program's picture has its name.
        OSError: it cannot be written.
    """
    path = experiment.store.layout.comparison
    refuse_foreign(path, "sheet", lambda data: read_metadata(data).get("Software") == _SOFTWARE)
    data = encode(draw_sheet(experiment), metadata={"Software": _SOFTWARE})
    write_atomic(path, data)
    return path


def draw_sheet(experiment: Experiment) -> Pixels:
    """Draw a row for every content with a style, uint8 (H, W, 3); nothing is enlarged."""
    variants = experiment.variants
    widths = [record.width for record in experiment.records.values()]
    columns, rows = len(variants) + 2, len(variants[0].pairs)
    draw = Cells.fitting(columns, rows, widths, _NARROWEST, _WIDEST)
    same = zip(*(variant.pairs for variant in variants), strict=True)
    return draw.sheet([draw.row(_row(experiment, draw, pairs)) for pairs in same])


def _row(experiment: Experiment, draw: Cells, same: Sequence[Pair]) -> list[Pixels]:
    """Draw a content, a style, and what every backbone made of them."""
    first = same[0]
    return [
        *(
            _captioned(draw, _read(each.path), (shown(each.path.name), each.role))
            for each in first.inputs
        ),
        *(
            _result(experiment, draw, variant, pair)
            for variant, pair in zip(experiment.variants, same, strict=True)
        ),
    ]


def _result(experiment: Experiment, draw: Cells, variant: Variant, pair: Pair) -> Pixels:
    record = experiment.records.get(pair.output)
    if record is None:
        return _captioned(draw, None, (variant.title, "not made"), cells.ALARM)
    known = experiment.judgement(variant, pair)
    values = known.values if known else {}
    steps = f", {record.steps} steps" if record.steps else ""
    figures = [f"{record.seconds:.1f} s{steps}"]
    for name in _FIGURES:
        if name in values:
            measure = MEASURES[name]
            by = f" ({variant.judge})" if measure.by == "judge" else ""
            figures.append(f"{measure.heading} {values[name]:{measure.form}}{by}")
    return _captioned(draw, _read(experiment.store.path(pair)), (variant.title, *figures))


def _captioned(
    draw: Cells, picture: Picture | None, lines: Sequence[str], ink: Ink = cells.QUIET
) -> Pixels:
    """Draw a picture, or an empty field, above its title and what else is to be said, smaller."""
    image = draw.fitted(picture, draw.highest) if picture else draw.field()
    title, *others = lines
    small = max(9, draw.text * 4 // 5)
    return draw.captioned(
        image, draw.line(title, cells.INK), *(draw.line(text, ink, small) for text in others)
    )


def _read(path: Path) -> Picture | None:
    """Decode a picture; None where that is gone or damaged in the meantime."""
    try:
        return decode(path.read_bytes(), shown(path))
    except (OSError, InputError):
        return None
