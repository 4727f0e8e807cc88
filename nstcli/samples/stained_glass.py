"""A rose window: jewel-coloured panes in lead, lit from behind."""

from __future__ import annotations

import numpy as np

from nstcli.samples.fields import (
    Field,
    Image,
    blur,
    finish,
    mix,
    noise,
    palette,
    pixels,
    ramp,
    relief,
    smoothstep,
)

SHAPE = (640, 512)
HEART = (262.0, 236.0)
"""Where the rose stands, (y, x) in px: off the middle, so that no pane repeats another."""

GLASS = palette(
    "#ffd24a #f59a12 #d3202f #8f0f3f #1c4fc4 #0f2f8c #0c8f6a #17b7a8 #5b1f94 #c43c9a #f2e6b8"
)
RINGS = ((0, 1), (2, 3), (1, 2, 9), (4, 5), (7, 6, 4), (2, 3, 1), (8, 5, 4), (6, 7, 10), (4, 5, 8))
"""Which colours of `GLASS` each ring may take, from the heart outwards."""


def draw() -> Image:
    """Return the window as (640, 512, 3) uint8."""
    rng = np.random.default_rng(1145)
    y, x = pixels(SHAPE)
    # Glass is cut by hand: bend the grid, and the straight Voronoi edges bend with it.
    y, x = y + 5 * noise(SHAPE, 70, rng), x + 5 * noise(SHAPE, 70, rng)
    seeds, rings = _seeds(rng)
    pane, border, centre = _panes(y, x, seeds)
    colour = _pane_colours(rings, rng)[pane]

    light = 0.72 + 0.22 * noise(SHAPE, 160, rng) + 0.55 * np.exp(-centre / 16)
    ripple = relief(noise(SHAPE, (9, 34), rng, 3) * 3.5 + _streaks(y, x, pane, rng), 0.32)
    canvas = colour * np.clip(light + 0.42 * ripple, 0.16, 1.25)[..., None]
    # Light spills to white in the thin places, and grime gathers along the lead.
    canvas = mix(canvas, palette("#fff6d8")[0], 0.35 * smoothstep(0.35, 1.0, ripple))
    canvas *= (0.45 + 0.55 * smoothstep(1, 9, border))[..., None]

    width = 2.7 + 0.5 * noise(SHAPE, 60, rng)
    lead = 1 - smoothstep(-0.8, 0.8, border - width)
    solder = relief(np.sqrt(np.clip(1 - (border / 4.5) ** 2, 0, 1)) * 3, 0.5)
    metal = ramp(
        0.3 + 0.5 * solder + 0.06 * noise(SHAPE, 3, rng), palette("#08080c #23222b #6f6b72")
    )
    canvas = canvas + 0.22 * blur(canvas * (1 - lead)[..., None], 9)
    return finish(mix(canvas, metal, lead * 0.97))


def _seeds(rng: np.random.Generator) -> tuple[Field, Field]:
    """Return the panes' centres, (N, 2) as (y, x), and the ring each stands on, (N,)."""
    places, rings = [np.array([HEART])], [np.zeros(1)]
    radius = 0.0
    for ring in range(1, 19):
        radius += (22 + 1.3 * ring) * rng.uniform(0.7, 1.4)
        count = 8 if ring == 1 else int(radius * 2 * np.pi / (27 + 2.2 * ring))
        turn = np.arange(count) * 2 * np.pi / count + rng.random() * 6
        turn = turn + rng.normal(0, 0.09 + 0.012 * ring, count) * 6 / count
        out = radius + rng.normal(0, 1.5 + 0.45 * ring, count)
        places.append(np.stack([np.sin(turn), np.cos(turn)], axis=1) * out[:, None] + HEART)
        rings.append(np.full(count, ring))
    every, ring_of = np.concatenate(places), np.concatenate(rings)
    inside = np.all((every > -60) & (every < np.array(SHAPE) + 60), axis=1)
    every, ring_of = every[inside], ring_of[inside]
    # Two centres in one pane's place would leave a border without lead: see _panes.
    apart = np.linalg.norm(every[:, None] - every[None], axis=-1)
    keep = ~np.any(np.tril(apart < 15, -1), axis=1)
    return every[keep], ring_of[keep]


def _panes(y: Field, x: Field, seeds: Field) -> tuple[np.ndarray, Field, Field]:
    """Return each pixel's pane, its distance to the pane's border and to the centre, in px."""
    first, second = np.full(SHAPE, np.inf), np.full(SHAPE, np.inf)
    pane, rival = np.zeros(SHAPE, np.intp), np.zeros(SHAPE, np.intp)
    for i, (sy, sx) in enumerate(seeds):
        distance = (y - sy) ** 2 + (x - sx) ** 2
        nearest = distance < first
        next_best = ~nearest & (distance < second)
        rival = np.where(nearest, pane, np.where(next_best, i, rival))
        second = np.where(nearest, first, np.where(next_best, distance, second))
        first = np.minimum(first, distance)
        pane[nearest] = i
    # |a - b| turns the difference of squares into px from the bisector: leads of even width.
    apart = np.linalg.norm(seeds[pane] - seeds[rival], axis=-1)
    return pane, (second - first) / np.maximum(2 * apart, 1e-6), np.sqrt(first)


def _pane_colours(rings: Field, rng: np.random.Generator) -> Field:
    """Return one colour per pane, (N, 3)."""
    chosen = [rng.choice(RINGS[int(ring) % len(RINGS)]) for ring in rings]
    shade = rng.uniform(0.7, 1.2, (len(rings), 1))
    return np.clip(GLASS[chosen] * shade + rng.normal(0, 0.035, (len(rings), 3)), 0.01, 1)


def _streaks(y: Field, x: Field, pane: np.ndarray, rng: np.random.Generator) -> Field:
    """Return the reeds of rolled glass: each pane was cut at an angle of its own."""
    turn = rng.uniform(0, np.pi, pane.max() + 1)[pane]
    across = y * np.cos(turn) + x * np.sin(turn) + 3 * noise(SHAPE, 40, rng)
    reeds: Field = 1.6 * np.sin(across * 0.75) + 0.9 * np.sin(across * 0.31)
    return reeds
