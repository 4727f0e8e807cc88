"""What a training looks like: one photo as the network painted it step by step, and the loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nstcli import images
from nstcli.images import Picture
from nstcli.images.cells import QUIET, Cells, Pixels
from nstcli.images.charts import curve
from nstcli.training.loop import State

# A sample at this step and at each twice as late: few at any length of a training.
_FIRST_SAMPLE = 50
# Longest edge of a sample, and columns of the strip.
SAMPLE_SIZE = 256
_COLUMNS = 6
# Points of the curve, each the mean over as many steps.
_POINTS = 200
_SOFTWARE = "nst train"


def sample_due(state: State) -> bool:
    """Tell whether the sample photo is to be painted now: after step 50, 100, 200, 400 and on."""
    return state.step >= _FIRST_SAMPLE << len(state.samples)


@torch.no_grad()
def add_sample(state: State, photo: Tensor) -> None:
    """Let the average paint the sample photo, (1, 3, H, W), and keep it with the state."""
    device = next(state.average.parameters()).device
    painted = state.average(photo.to(device)).clamp(0, 1)[0]
    state.samples[state.step] = (painted * 255).round().to(torch.uint8).cpu()


def draw(state: State, photo: Tensor, title: str) -> bytes:
    """Draw the strip of samples and the curve of the loss, a PNG.

    Args:
        state: with at least one step.
        photo: the sample photo, (1, 3, H, W).
        title: names the style, for people.
    """
    pictures = [("the photo", (photo[0] * 255).round().to(torch.uint8))]
    pictures += [(f"step {step}", each) for step, each in sorted(state.samples.items())]
    columns = min(_COLUMNS, len(pictures))
    cells = Cells(SAMPLE_SIZE)
    drawn = [
        cells.captioned(cells.fitted(_picture(each), SAMPLE_SIZE), cells.line(name, QUIET))
        for name, each in pictures
    ]
    drawn += [cells.blank()] * (-len(drawn) % columns)
    rows = [cells.row(drawn[first : first + columns]) for first in range(0, len(drawn), columns)]
    width = rows[0].shape[1]
    gap = (width - columns * SAMPLE_SIZE) // (columns + 1)
    chart = curve(_points(state.losses), width - 2 * gap, SAMPLE_SIZE, f"{title}: loss")
    sheet = cells.sheet([*rows, np.pad(chart, ((0, 0), (gap, gap), (0, 0)), constant_values=255)])
    return images.encode(sheet, metadata={"Software": _SOFTWARE})


def is_sheet(data: bytes) -> bool:
    """Tell whether a file is one that `draw` has made."""
    return images.read_metadata(data).get("Software") == _SOFTWARE


def _picture(values: Tensor) -> Picture:
    pixels: Pixels = np.ascontiguousarray(values.permute(1, 2, 0).numpy())
    return Picture(pixels)


def _points(losses: Tensor) -> list[tuple[float, float]]:
    """Return the mean loss over stretches of equal length, with the step that each ends at."""
    stretch = -(-len(losses) // _POINTS)
    firsts = range(0, len(losses), stretch)
    parts = [losses[first : first + stretch, 0] for first in firsts]
    return [
        (first + len(part), part.mean().item()) for first, part in zip(firsts, parts, strict=True)
    ]
