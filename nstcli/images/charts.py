"""Small charts as pixels: a line that falls, and what its ends say."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nstcli.images.lettering import draw_text

Ink = tuple[int, int, int]

_INK: Ink = (28, 110, 164)
_QUIET: Ink = (101, 98, 93)
_GRID: Ink = (225, 225, 225)
# Drawn so many times larger and shrunk, so that lines are smooth.
_FINER = 3


def curve(
    points: Sequence[tuple[float, float]], width: int, height: int, title: str
) -> NDArray[np.uint8]:
    """Draw values over steps, on a logarithmic scale, uint8 (height, width, 3).

    Args:
        points: (step, value), in the order of the steps; values are above 0.
        width: of the chart in pixels, with its labels; likewise the height.
        height: see width.
        title: stands above it.
    """
    text = max(10, height // 16)
    head = draw_text(title, text, width, _QUIET)
    logs = [math.log10(max(value, 1e-30)) for _, value in points]
    low, high = min(logs), max(logs)
    ticks = [10 ** (low + (high - low) * share) for share in (0.0, 0.5, 1.0)]
    labels = [draw_text(f"{tick:.3g}", text, width, _QUIET) for tick in ticks]
    margin = max(label.shape[1] for label in labels) + text // 2
    foot = len(labels[0])
    wide, high_px = max(1, width - margin), max(1, height - len(head) - foot - text // 2)
    span = max(high - low, 1e-9)
    last = max(points[-1][0], 1)
    image = Image.new("RGB", (wide * _FINER, high_px * _FINER), "white")
    draw = ImageDraw.Draw(image)
    edge = _FINER
    for share in (0.0, 0.5, 1.0):
        row = edge + (1 - share) * (high_px * _FINER - 1 - 2 * edge)
        draw.line([(0, row), (wide * _FINER, row)], _GRID, _FINER)
    drawn = [
        (
            step / last * (wide * _FINER - 1),
            edge + (1 - (value - low) / span) * (high_px * _FINER - 1 - 2 * edge),
        )
        for (step, _), value in zip(points, logs, strict=True)
    ]
    if len(drawn) > 1:
        draw.line(drawn, _INK, 2 * _FINER, joint="curve")
    canvas = np.full((height, width, 3), 255, np.uint8)
    top = len(head)
    _put(canvas, head, 0, 0)
    plot = image.resize((wide, high_px), Image.Resampling.BOX)
    _put(canvas, np.array(plot, dtype=np.uint8), top + text // 2, margin)
    for share, label in zip((0.0, 0.5, 1.0), labels, strict=True):
        row = top + text // 2 + round((1 - share) * (high_px - 1)) - len(label) // 2
        _put(canvas, label, max(top, row), margin - text // 2 - label.shape[1])
    end = draw_text(f"step {points[-1][0]:g}", text, width, _QUIET)
    _put(canvas, end, height - len(end), width - end.shape[1])
    return canvas


def _put(canvas: NDArray[np.uint8], part: NDArray[np.uint8], top: int, left: int) -> None:
    """Lay a part onto a canvas, as far as it lies within."""
    area = canvas[top : top + part.shape[0], left : left + part.shape[1]]
    area[:] = part[: area.shape[0], : area.shape[1]]
