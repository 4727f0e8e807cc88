"""Marbled paper: inks dropped on water, drawn out with combs, in the colours of embers."""

from __future__ import annotations

import numpy as np

from nstcli.samples.fields import Field, Image, finish, noise, palette, pixels, ramp, relief

SHAPE = (640, 512)
FINER = 2
"""The inks have hard edges: they are drawn on a grid this many times finer, then averaged."""
DROPS = 440
FAR = 1e6
"""Where a pixel is put, in px, once its drop is known."""
INKS = palette(
    "#1a0b10 #9c1522 #f2762a #3a0f1c #f7d79a #c9281c #6e1020 #f6a83a #e0481e #2c2a36 #b8391c"
)


def draw() -> Image:
    """Return the paper as (640, 512, 3) uint8."""
    rng = np.random.default_rng(1650)
    shape = (SHAPE[0] * FINER, SHAPE[1] * FINER)
    y, x = (axis / FINER for axis in pixels(shape))
    # The pixel is followed back in time: last the combs went through, first the drops fell.
    y, x = _combs(y + 2.5 * noise(shape, 120, rng), x + 2.5 * noise(shape, 120, rng), rng)
    ink, rim = _drops(y, x, rng)
    canvas = INKS[ink] * (0.80 + 0.28 * rim)[..., None]
    canvas = canvas.reshape(SHAPE[0], FINER, SHAPE[1], FINER, 3).mean(axis=(1, 3))
    # Ink granulates on damp paper, and the sheet's own tooth catches the light.
    pigment, tooth = noise(SHAPE, 18, rng, 4), noise(SHAPE, 4, rng, 2)
    canvas = canvas * (1 + 0.10 * pigment)[..., None] + 0.03 * relief(tooth, 1.0)[..., None]
    return finish(canvas + 0.012 * ramp(np.clip(pigment, 0, 1), palette("#000000 #ffb060")))


def _combs(y: Field, x: Field, rng: np.random.Generator) -> tuple[Field, Field]:
    """Return where each pixel's ink lay before three combs and a few turns of the stylus."""
    for _ in range(6):
        cy, cx = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1])
        dy, dx = y - cy, x - cx
        size = rng.uniform(50, 105)
        spin = rng.choice((-1, 1)) * rng.uniform(1.6, 3.0) * np.exp(-(dy**2 + dx**2) / size**2)
        cos, sin = np.cos(spin), np.sin(spin)
        y, x = cy + dy * cos - dx * sin, cx + dx * cos + dy * sin
    x = x - 15 * np.sin(y / 21 + 0.8 * np.sin(y / 67))
    y = y - 34 * _teeth(x, 40.0)
    x = x + 40 * _teeth(y, 80.0)
    return y, x


def _teeth(across: Field, gap: float) -> Field:
    """Return the pull (0 to 1) of a comb whose teeth stand `gap` px apart."""
    nearest = np.abs((across / gap) % 1 - 0.5) * gap
    return np.exp(-nearest / (0.13 * gap))


def _drops(y: Field, x: Field, rng: np.random.Generator) -> tuple[np.ndarray, Field]:
    """Return the ink under each (y, x), and how near its drop's rim it lies (0 to 1).

    A drop of radius r pushes what floats at distance d out to sqrt(d² + r²), so that areas stay
    (Lu, Jaffer et al., Mathematical Marbling, 2012); undone here from the last drop to the first.
    """
    ink, rim = np.zeros(y.size, np.intp), np.zeros(y.size)
    left = np.arange(y.size)
    # Some 200 million square roots: single precision, and pixels that met their drop drift far away
    # until the next sweep, since sweeping after every drop costs more than it saves.
    py, px = y.ravel().astype(np.float32), x.ravel().astype(np.float32)
    for drop in range(DROPS):
        cy, cx = rng.uniform(-40, SHAPE[0] + 40), rng.uniform(-40, SHAPE[1] + 40)
        radius = rng.uniform(10, 34) if drop % 4 else rng.uniform(3, 9)
        py -= cy
        px -= cx
        ratio = radius**2 / (py * py + px * px + 1e-6)
        inside = np.flatnonzero(ratio > 1)
        ink[left[inside]] = drop % len(INKS)
        rim[left[inside]] = 1 / ratio[inside]
        shrink = np.sqrt(np.maximum(1 - ratio, 0))
        py *= shrink
        px *= shrink
        py += cy
        px += cx
        py[inside] = FAR
        if drop % 8 == 7:
            floats = py < FAR / 2
            py, px, left = py[floats], px[floats], left[floats]
    return ink.reshape(y.shape), rim.reshape(y.shape)
