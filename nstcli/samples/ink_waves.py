"""A woodblock print: curling waves, cut line by line, under a vermilion sun."""

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
    smoothstep,
)

SHAPE = (480, 640)
WAVES = 9
PAPER, SUN, INK = palette("#efe3c6 #c8452f #14203f")
SKY = palette("#8fa9ae #cdd2bd #efe3c6 #ecc9a0 #e8b48c")
WATER = palette("#dfe4d3 #9dbcc0 #5d8ea6 #2d5f8c #1c3f6e #13294f")


def draw() -> Image:
    """Return the print as (480, 640, 3) uint8."""
    rng = np.random.default_rng(1831)
    y, x = pixels(SHAPE)
    canvas = _sky(y, x, rng)
    for wave in range(WAVES):
        canvas = _wave(canvas, y, x, wave, rng)
    # The block's grain prints through wherever ink lies, the paper's fibres everywhere.
    wood = np.sin(x / 2.1 + 5 * noise(SHAPE, (220, 60), rng, 2)) * noise(SHAPE, (90, 7), rng)
    fibre = noise(SHAPE, 3, rng, 2)
    ink = 1 - canvas.mean(axis=-1, keepdims=True)
    canvas = canvas + 0.05 * ink * wood[..., None] + 0.022 * fibre[..., None]
    return finish(canvas)


def _sky(y: Field, x: Field, rng: np.random.Generator) -> Field:
    """Return the sky: a hand-wiped gradient, ribbons of cloud and the sun, (H, W, 3)."""
    canvas = ramp(np.clip(y / 300 + 0.05 * noise(SHAPE, (60, 300), rng), 0, 1), SKY)
    away = np.hypot(y - 120, x - 452)
    disc = 1 - smoothstep(61, 62.6, away + 0.6 * noise(SHAPE, 12, rng))
    # Wind, as the carver sees it: level lines of a long swell, parted around the sun.
    swell = noise(SHAPE, (120, 300), rng, 2) + 1.1 * np.exp(-((away / 120) ** 2))
    level = y / 62 + 0.62 * swell
    band = level % 1
    canvas = mix(canvas, PAPER * 1.03, 0.75 * smoothstep(0.30, 0.9, band) * (band < 0.985))
    line = np.sin(2 * np.pi * 7 * level)
    width = 0.62 + 0.20 * noise(SHAPE, (40, 160), rng)
    canvas = mix(canvas, palette("#4d7288")[0], 0.55 * smoothstep(width, width + 0.25, line))
    rim = 1 - smoothstep(0.015, 0.035, np.minimum(band, 1 - band))
    canvas = mix(canvas, INK, rim * 0.8)
    rays = SUN + 0.10 * noise(SHAPE, (5, 90), rng)[..., None]
    return mix(mix(canvas, rays, disc), INK, 0.85 * (1 - smoothstep(0.9, 2.0, np.abs(away - 62.5))))


def _wave(canvas: Field, y: Field, x: Field, wave: int, rng: np.random.Generator) -> Field:
    """Return the canvas with one wave in front; 0 is the farthest, `WAVES` - 1 the nearest."""
    near = wave / (WAVES - 1)
    length, tall = 96 + 240 * near, 17 + 70 * near
    base, phase = 206 + 285 * near**1.15, rng.uniform(0, 2 * np.pi)
    y, x = _curl(y, x, base, tall, length, phase)
    turn = 2 * np.pi * x / length + phase
    # Sharp crests and wide troughs, as in deep water, then chop on the wave's back.
    crest = base - tall * (2 * np.exp(-1.7 * (1 - np.cos(turn))) - 0.6)
    crest = crest + 0.09 * tall * np.sin(3.1 * turn + wave)
    depth = y - crest + (1.2 + 2.5 * near) * noise(SHAPE, 34 + 30 * near, rng, 2)
    body = smoothstep(-0.7, 0.7, depth)

    tone = np.clip(0.16 + depth / (70 + 110 * near) + 0.25 * near, 0, 1)
    water = ramp(tone + 0.03 * noise(SHAPE, (8, 60), rng), WATER)
    water = _contours(water, depth, 5.5 + 5.5 * near, rng)
    water = _foam(water, depth, tall, turn, rng)
    outline = 1 - smoothstep(0.9 + near, 1.9 + near, np.abs(depth - 0.8))
    return mix(canvas, mix(water, INK, outline * 0.92), np.maximum(body, outline * 0.9))


def _curl(
    y: Field, x: Field, base: float, tall: float, length: float, phase: float
) -> tuple[Field, Field]:
    """Return (y, x) wound up around every crest, so that the wave's tip falls forward."""
    first = int(np.floor(phase / (2 * np.pi))) - 1
    for k in range(first, first + int(SHAPE[1] / length) + 4):
        cy, cx = base - 1.05 * tall, (2 * np.pi * k - phase) / (2 * np.pi) * length - 0.16 * length
        dy, dx = y - cy, x - cx
        spin = 3.3 * np.exp(-(dy**2 + dx**2) / (0.75 * tall) ** 2)
        cos, sin = np.cos(spin), np.sin(spin)
        y, x = cy + dy * cos - dx * sin, cx + dx * cos + dy * sin
    return y, x


def _contours(water: Field, depth: Field, gap: float, rng: np.random.Generator) -> Field:
    """Return the water with the carver's lines, which follow the crest and swell and thin out."""
    sway = noise(SHAPE, (50, 90), rng, 2)
    carved = np.sin(2 * np.pi * (np.maximum(depth, 0) ** 0.92 + 3.2 * sway) / gap)
    thick = 0.35 + 0.35 * noise(SHAPE, (30, 110), rng)
    dark = smoothstep(thick, thick + 0.45, carved)
    pale = smoothstep(0.75, 1.0, -carved) * smoothstep(0, 40, depth)
    return mix(mix(water, INK, dark * 0.72), PAPER, pale * 0.55)


def _foam(water: Field, depth: Field, tall: float, turn: Field, rng: np.random.Generator) -> Field:
    """Return the water with foam hanging from the crests like fingers, each with its ink edge."""
    fingers = noise(SHAPE, 6 + 0.12 * tall, rng, 2)
    reach = tall * (0.10 + 0.52 * np.exp(-2.2 * (1 - np.cos(turn + 0.25))))
    edge = reach * (1 + 0.55 * fingers) - depth
    foam = smoothstep(-0.8, 0.8, edge)
    rim = 1 - smoothstep(0.8, 2.0, np.abs(edge))
    shade = PAPER * (1.02 - 0.10 * smoothstep(0.2, 1.2, fingers))[..., None]
    return mix(mix(water, shade, foam), INK, rim * 0.85)
