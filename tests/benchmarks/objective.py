"""Seconds until our loss is as low as the reference brought it: speed and optimizer together.

Everybody's pictures are judged by the same J, recomputed in float32 while the clock stands still.
Pictures count as a user would get them: clamped, at full size; those of coarser scales do not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from backbones.hooks import FeatureExtractor
from nstcli.engine.memory import keep_freed_memory
from nstcli.engine.steps import Step
from nstcli.engine.stylize import stylize
from nstcli.run.job import Settings
from tests.benchmarks import case
from tests.benchmarks.allocator import as_usual
from tests.benchmarks.case import Judge, Pair
from tests.benchmarks.clock import Stopwatch
from tests.benchmarks.reference import Reference, optimize
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import Scope

# What differs from the default recipe, by the name in the report.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "default (L-BFGS, scales auto)": {},
    "L-BFGS, one scale": {"scales": 1},
    "Adam, scales auto": {"optimizer": "adam"},
}
# How often a run is looked at while it is at full size, at most.
_LOOKS = 40
# Relative difference of the two implementations of J that float32 may cause.
_AGREEMENT = 1e-3


@dataclass(frozen=True)
class Mark:
    """What the reference reached: its J after so many evaluations and seconds."""

    evaluations: int
    seconds: float
    loss: float


@dataclass
class Race:
    """One run of ours.

    Attributes:
        looks: (seconds, J) of pictures at full size, in order; the last is the result.
        evaluations: of loss and gradient, over all scales.
        at_full_size: those at full size.
    """

    looks: list[tuple[float, float]] = field(default_factory=list)
    evaluations: int = 0
    at_full_size: int = 0

    def seconds_until(self, loss: float) -> float | None:
        """Return when a picture was first as good as that, or None."""
        return next((seconds for seconds, j in self.looks if j <= loss), None)


def measure(scope: Scope) -> Section:
    """Let the reference set the marks, then race to them."""
    size = case.check_minimum(scope.main, scope.objective_size)
    pair = case.as_read(scope, size)
    asked = case.settings(scope.main, size=size)
    judge = Judge(asked, pair)
    start = judge(pair.content)
    check_agreement(asked, pair, judge)
    marks = run_reference(asked, pair, judge, scope.checkpoints)
    extractor, precision = case.fastest(asked, scope.scratch)
    rows: list[Row] = []
    for name, choices in VARIANTS.items():
        for steps in scope.steps:
            asked = case.settings(scope.main, size=size, steps=steps, **choices)
            race = run_ours(extractor, asked, pair, judge, marks)
            rows.append(_row(name, steps, race, marks))
            default = case.settings(scope.main).recipe.steps
            if steps >= default and all(race.seconds_until(m.loss) is not None for m in marks):
                break  # more steps would only be later
    height, width = pair.content.shape[-2:]
    return Section(
        "Seconds to an equal objective",
        f"{scope.main}, {width}×{height} px, ours in {precision}; J = content + "
        f"{asked.recipe.style_weight:g} · style, in float32 for all, {start:.3f} for the unchanged "
        "photo. Clocks include reading both images, not loading the network. Each number of steps "
        f"is a run of its own, looked at up to {_LOOKS} times at full size. Reference ÷ ours above "
        "1 means that ours was there sooner; – that it was not there with so many steps.",
        [_reference_table(marks), _table(rows, marks)],
    )


def check_agreement(asked: Settings, pair: Pair, judge: Judge) -> None:
    """See to it that the reference's loss is our J, since all else would compare nothing.

    Raises:
        RuntimeError: it is not.
    """
    reference = case.reference(asked, pair)
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(pair.content.shape, generator=generator)
    for image in (pair.content, 0.8 * pair.content + 0.2 * noise):
        with torch.no_grad():
            theirs, ours = reference.loss(image).item(), judge(image)
        if not math.isclose(theirs, ours, rel_tol=_AGREEMENT):
            raise RuntimeError(f"the reference's loss is {theirs}, ours {ours}")


def run_reference(
    asked: Settings, pair: Pair, judge: Judge, checkpoints: Sequence[int]
) -> list[Mark]:
    """Run the reference once and note its pictures after so many evaluations."""
    as_usual()
    network, preprocessing = case.network(asked)
    pictures: dict[int, tuple[float, Tensor]] = {}
    clock = Stopwatch()
    reference = Reference(
        network, preprocessing, case.modules(asked), asked.recipe, pair.content, pair.style
    )

    def watch(done: int, image: Tensor) -> None:
        if done in checkpoints:
            pictures[done] = clock.seconds, image.detach().clone()

    optimize(reference, pair.content, max(checkpoints), watch)
    return [Mark(done, seconds, judge(image)) for done, (seconds, image) in pictures.items()]


def run_ours(
    extractor: FeatureExtractor,
    asked: Settings,
    pair: Pair,
    judge: Judge,
    marks: Sequence[Mark],
) -> Race:
    """Run ours once, and look at its pictures on the way to the marks.

    Steps tell their number, not their picture, so a hook on the extractor notes what is evaluated:
    the very tensor that the optimizer changes.

    Raises:
        RuntimeError: evaluations and steps differ in number.
    """
    keep_freed_memory()
    race = Race()
    seen: list[Tensor] = []
    full = pair.content.shape

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        image = inputs[0]
        if image.requires_grad and torch.is_grad_enabled():
            race.evaluations += 1
            race.at_full_size += image.shape == full
            seen[:] = [image]

    lowest = min(mark.loss for mark in marks)

    def on_step(step: Step) -> None:
        image = seen[0]
        if image.shape != full or race.at_full_size % every:
            return
        seconds = clock.seconds
        if race.seconds_until(lowest) is None:
            with clock.paused():
                race.looks.append((seconds, judge(image)))

    handle = extractor.register_forward_pre_hook(note)
    try:
        clock = Stopwatch()
        scales = case.scales(extractor, asked.recipe, pair)
        every = -(-asked.recipe.steps // len(scales) // _LOOKS)
        result = stylize(extractor, scales, asked.recipe, on_step)
        race.looks.append((clock.seconds, judge(result.image)))
    finally:
        handle.remove()
    if race.evaluations != asked.recipe.steps:
        raise RuntimeError(f"{race.evaluations} evaluations in {asked.recipe.steps} steps")
    return race


def _row(name: str, steps: int, race: Race, marks: Sequence[Mark]) -> Row:
    seconds, loss = race.looks[-1]
    row: dict[str, str | int | float | None] = {
        "variant": name,
        "steps": steps,
        "evaluations": race.evaluations,
        "at_full_size": race.at_full_size,
        "loss": loss,
        "seconds": seconds,
    }
    for mark in marks:
        until = race.seconds_until(mark.loss)
        row[f"until_{mark.evaluations}"] = until
        row[f"ratio_{mark.evaluations}"] = None if until is None else mark.seconds / until
    return row


def _table(rows: Sequence[Row], marks: Sequence[Mark]) -> Table:
    columns = [
        Column("variant", "ours"),
        Column("evaluations", "evaluations"),
        Column("at_full_size", "at full size"),
        Column("loss", "J at the end", "{:.3f}"),
        Column("seconds", "s", "{:.1f}"),
    ]
    for mark in marks:
        number = mark.evaluations
        columns += [
            Column(f"until_{number}", f"s to J of reference after {number}", "{:.1f}"),
            Column(f"ratio_{number}", f"reference ÷ ours, {number}", "{:.2f}"),
        ]
    return Table("Ours: seconds until it was as good", columns, rows)


def _reference_table(marks: Sequence[Mark]) -> Table:
    columns = (
        Column("evaluations", "evaluations"),
        Column("loss", "J", "{:.3f}"),
        Column("seconds", "s", "{:.1f}"),
    )
    rows: list[Row] = [
        {"evaluations": m.evaluations, "loss": m.loss, "seconds": m.seconds} for m in marks
    ]
    return Table("Reference: torch.optim.LBFGS, float32, one scale", columns, rows)
