"""Peak memory of one pair, each side in a process of its own, less what its imports take.

A process is told its task as JSON and answers in JSON: `python -m tests.benchmarks.memory TASK`.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from backbones.hooks import FeatureExtractor
from nstcli.engine.memory import keep_freed_memory, needs
from nstcli.engine.stylize import stylize
from nstcli.recipe import Recipe
from tests.benchmarks import case
from tests.benchmarks.case import Pair
from tests.benchmarks.reference import optimize
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import ROOT, Scope

# Evaluations per scale after which nothing of ours grows any more: its history is full at 11.
_STEPS_PER_SCALE = 12
_HISTORY = 100
# Two float32 vectors of three channels for every evaluation that the reference remembers.
_PAIR_BYTES = 2 * 3 * 4

_COLUMNS = (
    Column("model", "model"),
    Column("picture", "picture"),
    Column("precision", "ours runs in"),
    Column("ours_mib", "ours MiB", "{:.0f}"),
    Column("predicted_mib", "predicted MiB", "{:.0f}"),
    Column("real_to_predicted", "real ÷ predicted", "{:.2f}"),
    Column("reference_mib", "reference MiB", "{:.0f}"),
    Column("ratio", "reference ÷ ours", "{:.2f}"),
    Column("full_mib", "reference at 101 evaluations MiB, at least", "{:.0f}"),
    Column("full_ratio", "÷ ours, at least", "{:.2f}"),
)


@dataclass(frozen=True)
class Task:
    """What a process makes: one pair, by ours in this precision or, without one, by the reference.

    Attributes:
        pair: file with both images, by `torch.save`.
        evaluations: of the reference; those of ours go by its scales.
    """

    model: str
    size: int
    pair: str
    evaluations: int
    dtype: str = ""
    layout: str = ""


def measure(scope: Scope) -> Section:
    """Measure every model at every size."""
    return Section(
        "Peak memory of one pair",
        "Peak resident memory of a process that makes one pair, less its resident memory after "
        f"all imports; the network counts. Ours is the default recipe with {_STEPS_PER_SCALE} "
        "steps per scale, after which nothing of it grows. The reference is at "
        f"{scope.memory_evaluations} evaluations, and its history of gradients grows until 101: "
        f"the last two columns add {_PAIR_BYTES} bytes per pixel for each that is missing, "
        "less than what was measured with `--memory-evaluations 101`, where memory is fragmented, "
        "too. One run each. Above 1 means that ours needs less. Predicted is what `nst` thinks of "
        "before it begins a pair, with the network.",
        [Table("Peaks", _COLUMNS, list(_rows(scope)))],
    )


def _rows(scope: Scope) -> Iterator[Row]:
    for model in scope.memory_models:
        for size in scope.memory_sizes:
            yield _row(scope, model, case.check_minimum(model, size))


def _row(scope: Scope, model: str, size: int) -> Row:
    asked = case.settings(model, size=size)
    extractor, precision = case.fastest(asked, scope.scratch)
    pair = case.framed(scope, size)
    predicted = _predicted(extractor, asked.recipe, pair)
    file = scope.scratch / f"pair-{size}.pt"
    torch.save(list(pair), file)
    task = Task(model, size, str(file), scope.memory_evaluations)
    ours = _in_a_process(
        Task(**{**asdict(task), "dtype": precision.dtype, "layout": precision.layout})
    )
    reference = _in_a_process(task)
    height, width = pair.content.shape[-2:]
    remembered = min(_HISTORY, scope.memory_evaluations - 1)
    full = reference + (_HISTORY - remembered) * _PAIR_BYTES * height * width
    return {
        "model": model,
        "picture": f"{width}×{height}",
        "precision": str(precision),
        "ours_mib": ours / 2**20,
        "predicted_mib": predicted / 2**20,
        "real_to_predicted": ours / predicted,
        "reference_mib": reference / 2**20,
        "ratio": reference / ours,
        "full_mib": full / 2**20,
        "full_ratio": full / ours,
    }


def _predicted(extractor: FeatureExtractor, recipe: Recipe, pair: Pair) -> float:
    """Return the bytes that `nst` expects of the pair, and those of the network."""
    found = needs(extractor, recipe)
    content, style = (image[0, 0].numel() for image in pair)
    network = sum(parameter.nbytes for parameter in extractor.network.parameters())
    return network + found.fixed + max(found.painting * content, found.reading * style)


def _in_a_process(task: Task) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.memory", json.dumps(asdict(task))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"{shown(command)} failed:\n{ended.stderr}")
    return int(json.loads(ended.stdout)["bytes"])


def shown(command: list[str]) -> str:
    """Write a command without its interpreter."""
    return " ".join(command[1:])


def peak(task: Task) -> int:
    """Make the pair and return the bytes that it took at most.

    Building the network once, without memory for its weights, makes it import what it needs.
    """
    make = _ours if task.dtype else _reference
    with torch.device("meta"):
        case.settings(task.model).backbone.build()
    before = resident("VmRSS")
    make(task)
    return resident("VmHWM") - before


def _ours(task: Task) -> None:
    keep_freed_memory()
    pair = Pair(*torch.load(task.pair))
    asked = case.settings(task.model, size=task.size)
    extractor = case.plain(asked)
    extractor.arrange(getattr(torch, task.dtype), getattr(torch, task.layout))
    scales = case.scales(extractor, asked.recipe, pair)
    recipe = replace(asked.recipe, steps=_STEPS_PER_SCALE * len(scales))
    stylize(extractor, scales, recipe)


def _reference(task: Task) -> None:
    pair = Pair(*torch.load(task.pair))
    reference = case.reference(case.settings(task.model, size=task.size), pair)
    optimize(reference, pair.content, task.evaluations, _unwatched)


def _unwatched(done: int, image: torch.Tensor) -> None:
    """Look at nothing: snapshots would take memory."""


def resident(what: str) -> int:
    """Return the resident bytes of this process, now (`VmRSS`) or at most (`VmHWM`).

    `getrusage`, which other systems have to do with, knows the maximum alone, and on Linux takes
    over that of the process that started this one, which here has been through all other sections.
    """
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


def main(task: str, say: Callable[[str], object]) -> None:
    """Answer the process that started this one."""
    say(json.dumps({"bytes": peak(Task(**json.loads(task)))}))


if __name__ == "__main__":
    main(sys.argv[1], sys.stdout.write)
