"""How much is measured: which models, sizes and numbers of steps."""

from dataclasses import dataclass
from pathlib import Path

from nstcli.images import Picture

ROOT = Path(__file__).parents[2]
"""Of the repository, where subprocesses start, so that they measure this very code."""


@dataclass(frozen=True, eq=False)
class Scope:
    """What all sections are told; sizes are longest edges in pixels.

    Attributes:
        content: the photo, at its own size.
        style: the artwork, likewise.
        scratch: a folder that is removed afterwards.
        models: of the speed section.
        sizes: of the speed and the growth section.
        rounds: repetitions, of which the best counts.
        product: edge of the matrices whose product tells what the machine can do.
        main: the model of the objective section.
        small: the model of the growth and the startup section.
        objective_size: where the reference and ours race.
        checkpoints: evaluations of the reference after which its loss becomes a mark, ascending.
        steps: numbers of steps that ours is run with, ascending.
        memory_models: of the memory section.
        memory_sizes: likewise.
        memory_evaluations: of the reference there; its history grows up to 101 of them.
        growth_steps: steps of the growth section.
        photo: longest edge of the files in the batch of the growth section.
        batch_size: what that batch shrinks them to.
        crowd: contents, and styles, of the crowd section.
        contention_sizes: of the contention section.
        contention_seconds: that each of its figures is measured for, at least.
    """

    content: Picture
    style: Picture
    scratch: Path
    models: tuple[str, ...]
    sizes: tuple[int, ...]
    rounds: int
    product: int
    main: str
    small: str
    objective_size: int
    checkpoints: tuple[int, ...]
    steps: tuple[int, ...]
    memory_models: tuple[str, ...]
    memory_sizes: tuple[int, ...]
    memory_evaluations: int
    growth_steps: int
    photo: int
    batch_size: int
    crowd: int
    contention_sizes: tuple[int, ...]
    contention_seconds: float
