"""A river at sunset in pure dots: the colours mix in the eye, not on the palette."""

from __future__ import annotations

import numpy as np

from nstcli.samples.fields import (
    Field,
    Image,
    finish,
    mix,
    noise,
    palette,
    pixels,
    ramp,
    relief,
    smoothstep,
)
from nstcli.samples.strokes import Panel, Stroke, scatter

SHAPE = (480, 640)
SHORE = 286.0
"""Where the far bank meets the water, px from the top."""
SUN = (206.0, 404.0)

SKY = palette("#b9a0dc #d9a9cf #f4b3b0 #fbc58c #fde08a")
TREES = palette("#33286e #3a4f86 #3f7f78 #6fa866 #d9bf5a")
BANK = palette("#44408a #3f7f6a #7fae58 #dfcb62 #f08f5a")


def draw() -> Image:
    """Return the painting as (480, 640, 3) uint8."""
    rng = np.random.default_rng(1884)
    y, x = pixels(SHAPE)
    target, angle = _scene(y, x, rng)
    ground = ramp(0.5 + 0.1 * noise(SHAPE, 4, rng), palette("#c9a27c #efe2cc"))
    panel = Panel(ground, rng)
    for spacing, size in ((7.6, 11.5), (5.4, 7.4), (5.4, 5.7)):
        for py, px in scatter(SHAPE, spacing, rng):
            at = int(py), int(px)
            width = size * rng.uniform(0.8, 1.15)
            colour = _divide(target[at], rng)
            turn = float(angle[at] + rng.normal(0, 0.3))
            panel.paint(Stroke(float(py), float(px), turn, 0.35 * width, width, colour), grain=0.2)
    return finish(panel.colour * (1 + 0.13 * relief(panel.height, 0.6))[..., None])


def _divide(colour: Field, rng: np.random.Generator) -> Field:
    """Return a purer neighbour of `colour`, one time in eight its complement: Seurat's division."""
    grey = colour.mean()
    vivid = grey + (colour - grey) * rng.uniform(1.0, 1.6)
    if rng.random() < 0.12:
        vivid = grey - (colour - grey) * rng.uniform(0.7, 1.3)
    # Neighbours on the colour wheel: lean towards one channel, keep the brightness.
    lean = rng.normal(0, 0.085, 3)
    dot: Field = np.clip(vivid + lean - lean.mean() + rng.normal(0, 0.045), 0.03, 0.99)
    return dot


def _scene(y: Field, x: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Return the colours aimed at, (H, W, 3), and the lie of the dots in radians, (H, W)."""
    canvas = _sky(y, x, rng)
    far = _skyline(x, 244, 16, 120, rng)
    canvas = mix(canvas, palette("#8f86c4")[0], smoothstep(-2, 2, y - far))
    crown = _skyline(x, 246 - 84 * np.exp(-(((x - 96) / 110) ** 2)), 15, 46, rng)
    sunlit = 0.42 + 0.30 * noise(SHAPE, 30, rng, 2) + (crown - y) / 260 + 0.20 * x / 640
    wood = ramp(np.clip(sunlit, 0, 1), TREES)
    canvas = mix(canvas, wood, smoothstep(-2, 2, y - crown))
    water = _water(canvas, y, x, rng)
    canvas = np.where((y > SHORE)[..., None], water, canvas)
    bank = y - (500 - 0.36 * x + 118 * smoothstep(150, 640, x)) - 6 * noise(SHAPE, 50, rng)
    meadow = np.clip(0.45 + 0.3 * noise(SHAPE, (16, 60), rng, 2) - bank / 420, 0, 1)
    grass = smoothstep(-2, 2, bank)
    canvas = mix(canvas, ramp(meadow, BANK), grass)
    around = np.arctan2(y - SUN[0], x - SUN[1]) + np.pi / 2
    return canvas, np.where(y < SHORE, around, grass * 1.2)


def _skyline(
    x: Field, base: Field | float, rise: float, size: float, rng: np.random.Generator
) -> Field:
    """Return the height of a bumpy skyline in px from the top, (H, W)."""
    bumps = noise((4, SHAPE[1]), (4, size), rng, 3)[0]
    return base - rise * np.broadcast_to(bumps, x.shape)


def _sky(y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Return the sky with the sun's rings and bands of cloud, (H, W, 3)."""
    away = np.hypot(y - SUN[0], x - SUN[1])
    drift = noise(SHAPE, (40, 190), rng, 3)
    canvas = ramp(np.clip(1.02 - away / 420 + 0.09 * drift, 0, 1), SKY)
    blue = smoothstep(0.3, 1.3, drift) * smoothstep(60, 260, away)
    canvas = mix(canvas, palette("#7fb2dc")[0], 0.75 * blue)
    halo = 0.5 + 0.5 * np.cos(away / 11)
    canvas = mix(canvas, palette("#ffcf5a")[0], 0.5 * halo * np.exp(-away / 90))
    return mix(canvas, palette("#fff0a0")[0], 1 - smoothstep(26, 31, away))


def _water(above: Field, y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Return the river: what stands above the shore, mirrored, broken by swell, cooled."""
    swell = noise(SHAPE, (7, 70), rng, 2)
    row = np.clip(2 * SHORE - y + 9 * swell, 0, SHAPE[0] - 1).astype(np.intp)
    column = np.clip(x + 5 * swell, 0, SHAPE[1] - 1).astype(np.intp)
    mirrored = above[row, column]
    cool = mix(mirrored, palette("#3f7fb0")[0], 0.34 + 0.14 * np.clip(swell, -2, 2))
    path = np.exp(-(((x - SUN[1]) / (14 + 0.22 * (y - SHORE).clip(0))) ** 2))
    glint = path * smoothstep(-0.3, 0.5, swell)
    return mix(cool, palette("#ffd873")[0], 0.9 * glint)
