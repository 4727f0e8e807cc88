"""A still life taken apart: overlapping planes in umber, ochre and slate, brushed edge by edge."""

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

SHAPE = (640, 512)
PLANES = 110
EARTH = palette("#1d1712 #4a3524 #80603a #b08c55 #d5b984 #eee0bd")
SLATE = palette("#15191b #33414a #5f7378 #8f9f98 #c2c7b2 #eee8d0")
RUST = palette("#1c100c #5a2718 #96492a #c07a4a #dcae7c #f0dcb8")


def draw() -> Image:
    """Return the painting as (640, 512, 3) uint8."""
    rng = np.random.default_rng(1911)
    y, x = pixels(SHAPE)
    target, lie, edges = _planes(y, x, rng)
    panel = Panel(ramp(0.4 + 0.1 * noise(SHAPE, 5, rng), EARTH), rng)
    for spacing, length, width in ((11.0, 30.0, 15.0), (7.5, 17.0, 8.5)):
        for py, px in scatter(SHAPE, spacing, rng):
            at = int(py), int(px)
            colour = target[at] * rng.uniform(0.84, 1.16) + rng.normal(0, 0.016, 3)
            turn = float(lie[at] + rng.normal(0, 0.16))
            size = width * rng.uniform(0.75, 1.2)
            colour = np.clip(colour, 0.03, 1)
            panel.paint(Stroke(float(py), float(px), turn, length, size, colour), grain=0.35)
    # The drawing is gone over once more at the end, or the strokes would swallow it.
    canvas = mix(panel.colour, target, 0.35 * np.ones(SHAPE))
    canvas = 0.5 + 1.22 * (canvas - 0.5)  # so much overpainting greys the tones; pull them apart
    canvas = canvas * (1 + 0.20 * relief(panel.height, 0.4))[..., None]
    chalk = 0.75 + 0.3 * noise(SHAPE, 7, rng, 2)
    return finish(mix(canvas, EARTH[0], np.clip(edges * chalk, 0, 0.92)))


def _planes(y: Field, x: Field, rng: np.random.Generator) -> tuple[Field, Field, Field]:
    """Return the colours (H, W, 3), the brush's direction (radians) and the ink of the edges."""
    swell = noise(SHAPE, 190, rng)
    tone = 0.52 + 0.10 * swell
    hue = np.stack([ramp(tone, book) for book in (EARTH, SLATE, RUST)])
    canvas, lie, edges = hue[0], 0.4 * swell, np.zeros(SHAPE)
    for _ in range(PLANES):
        inside, near, angle, arc = _plane(y, x, rng)
        # Dark at one edge, light where the next plane begins: that is what makes it turn.
        shade = np.clip(rng.uniform(0.28, 0.66) + 0.75 * (near - 0.42) + 0.05 * swell, 0, 1)
        book = (EARTH, SLATE, RUST)[rng.choice(3, p=(0.47, 0.35, 0.18))]
        body = smoothstep(-0.9, 0.9, inside)
        # Passage: the planes open into each other away from their lit edge.
        canvas = mix(canvas, ramp(shade, book), body * np.clip(0.95 - 0.75 * near * arc, 0.15, 1))
        lie = np.where(inside > 0, angle, lie)
        line = 1 - smoothstep(0.5, 2.2, np.abs(inside))
        edges = np.maximum(edges * (1 - 0.8 * body), line * rng.uniform(0.55, 1.0))
    return canvas, lie, edges


def _plane(y: Field, x: Field, rng: np.random.Generator) -> tuple[Field, Field, float, float]:
    """Return one plane: px inside its outline, 0 to 1 across it, its direction and openness."""
    cy, cx = rng.uniform(-20, SHAPE[0] + 20), rng.uniform(-20, SHAPE[1] + 20)
    size = rng.uniform(26, 100)
    # Cubists lean on a scaffold of few directions; free angles would look like confetti.
    angle = float(rng.choice((-1.15, -0.5, 0.1, 0.62, 1.35)) + rng.normal(0, 0.09))
    along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    taper = rng.uniform(-0.45, 0.45)
    long, short = size * rng.uniform(1.0, 1.9), size * rng.uniform(0.35, 0.8)
    if rng.random() < 0.22:  # a curve now and then: a guitar's flank, a bottle, a glass
        inside = size - np.hypot(along, across * rng.uniform(1.0, 1.6))
        inside = np.minimum(inside, across + size * rng.uniform(0, 0.5))
    else:
        flank = np.abs(across) + taper * along
        inside = np.minimum(long - np.abs(along), short - flank)
    return inside, np.clip(across / (2 * short) + 0.5, 0, 1), angle, float(rng.uniform(0.3, 1.2))
