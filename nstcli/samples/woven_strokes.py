"""A night sky in thick paint: short strokes that follow the wind around every star."""

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

SHAPE = (512, 640)
STARS = (
    (112, 508, 62), (196, 250, 74), (70, 92, 40), (64, 338, 30), (214, 428, 34),
    (176, 96, 28), (250, 590, 38), (306, 334, 34), (20, 218, 22), (286, 130, 34),
)  # fmt: skip
"""(y, x, radius of the glow) in px."""

NIGHT = palette("#0a1440 #14307e #1f55ad #2f86c8 #74b8d8 #c3dfc8")
GLOW = palette("#fff3b0 #ffd23a #f2a516 #b8c25a #4f9fb8")
FIELD = palette("#0c1f1c #17433a #2f6b3f #6f8f35 #c0a93a")


def draw() -> Image:
    """Return the painting as (512, 640, 3) uint8."""
    rng = np.random.default_rng(1889)
    y, x = pixels(SHAPE)
    hills = _hills(y, x, rng)
    angle, bend = _wind(y, x, hills, rng)
    target = _scene(y, x, hills, rng)
    panel = Panel(np.full((*SHAPE, 3), palette("#1b2340")[0]), rng)
    for spacing, length, width in ((10.0, 40.0, 14.0), (8.0, 32.0, 9.0), (8.4, 25.0, 6.6)):
        for py, px in scatter(SHAPE, spacing, rng):
            at = int(py), int(px)
            colour = target[at] * rng.uniform(0.74, 1.28) + rng.normal(0, 0.035, 3)
            panel.paint(
                Stroke(
                    float(py), float(px), float(angle[at] + rng.normal(0, 0.1)),
                    length * rng.uniform(0.7, 1.25), width * rng.uniform(0.75, 1.2),
                    np.clip(colour, 0.02, 1.0), float(bend[at]),
                ),
                grain=0.5,
            )  # fmt: skip
    light = relief(panel.height, 0.45)
    canvas = panel.colour * (1 + 0.34 * light)[..., None]
    return finish(canvas + 0.10 * smoothstep(0.45, 1.0, light)[..., None])


def _hills(y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Return px below the skyline, negative in the sky, (H, W)."""
    roll = noise((4, SHAPE[1]), (4, 150), rng, 2)[0]
    below: Field = y - (392 + 26 * roll - 40 * np.exp(-(((x - 90) / 90) ** 2)))
    return below


def _wind(y: Field, x: Field, hills: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Return the strokes' angle and their curvature (1/px), each (H, W)."""
    swell = noise(SHAPE, 170, rng)
    vy, vx = 0.5 * np.sin(x / 75 + 2 * swell), np.ones(SHAPE)
    for i, (sy, sx, size) in enumerate(STARS):
        dy, dx = y - sy, x - sx
        pull = 9 * np.exp(-((np.hypot(dy, dx) / (size * 1.15)) ** 2)) / size * (-1) ** i
        vy, vx = vy + dx * pull, vx - dy * pull
    ground = smoothstep(-6, 6, hills)
    vy = vy * (1 - ground) + ground * (0.55 * np.sin(x / 58 + y / 34 + swell))
    vx = vx * (1 - ground) + ground
    angle = np.arctan2(vy, vx)
    speed = np.hypot(vy, vx)
    # Curvature is how fast the direction turns along itself; of the vector, as the angle wraps.
    sine, cosine = np.sin(angle), np.cos(angle)
    (sine_y, sine_x), (cosine_y, cosine_x) = np.gradient(sine), np.gradient(cosine)
    turn_x = cosine * sine_x - sine * cosine_x
    turn_y = cosine * sine_y - sine * cosine_y
    return angle, np.clip((turn_x * vx + turn_y * vy) / speed, -0.06, 0.06)


def _scene(y: Field, x: Field, hills: Field, rng: np.random.Generator) -> Field:
    """Return the colours the brush aims at, (H, W, 3)."""
    drift = noise(SHAPE, (60, 150), rng, 2)
    bands = 0.5 + 0.5 * np.sin(y / 17 + 2.6 * drift + x / 120)
    sky = ramp(np.clip(0.12 + 0.40 * bands + 0.10 * drift + 0.22 * (y / 400) ** 2, 0, 1), NIGHT)
    for sy, sx, size in STARS:
        away = np.hypot(y - sy, x - sx) / size
        ring = np.clip(away + 0.07 * np.sin(away * 19), 0, 1)
        sky = mix(sky, ramp(ring, GLOW), 1 - smoothstep(0.72, 1.15, away))
    rows = 0.5 + 0.5 * np.sin(hills / 9 + x / 40 + 1.5 * drift)
    land = ramp(
        np.clip(0.15 + 0.55 * rows * smoothstep(-10, 120, hills) + 0.1 * drift, 0, 1), FIELD
    )
    return mix(sky, land, smoothstep(-4, 4, hills))
