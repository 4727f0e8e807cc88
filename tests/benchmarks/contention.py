"""How ways to use the cores fare alone and beside busy programs, as a desktop always has some.

How threads wait for each other is read when torch is loaded, so every figure has a process of its
own: this module, run as a program.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch

from nstcli.engine.memory import keep_freed_memory
from nstcli.engine.precision import BFLOAT16
from tests.benchmarks import case
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import ROOT, Scope

_BUSY = (0, 1, 2)
# Evaluations of a figure, at least; the first ones compile kernels and do not count.
_LEAST = 5
_WARM_UP = 2


class _Choice(NamedTuple):
    """Variables of the process, by which libgomp and torch go."""

    key: str
    heading: str
    environment: Mapping[str, str]


_CHOICES = (
    _Choice("torch", "as torch comes", {}),
    _Choice("spin30000", "GOMP_SPINCOUNT=30000", {"GOMP_SPINCOUNT": "30000"}),
    _Choice("spin10000", "=10000", {"GOMP_SPINCOUNT": "10000"}),
    _Choice("spin1000", "=1000", {"GOMP_SPINCOUNT": "1000"}),
    _Choice("passive", "OMP_WAIT_POLICY=PASSIVE", {"OMP_WAIT_POLICY": "PASSIVE"}),
    _Choice("one", "one thread", {"OMP_NUM_THREADS": "1"}),
)
_DECIDES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
_COLUMNS = (
    Column("model", "model"),
    Column("size", "px"),
    Column("busy", "busy programs"),
    *(Column(choice.key, choice.heading, "{:.0f}") for choice in _CHOICES),
    Column("best", "best"),
)
_WORST = (
    Column("choice", "choice"),
    *(Column(f"worst_{busy}", f"beside {busy}", "{:.2f}") for busy in _BUSY),
)


def measure(scope: Scope) -> Section:
    """Time every choice for every model and size, beside no, one and two busy programs."""
    rows = list(_rows(scope))
    worst: list[Row] = [
        {
            "choice": " ".join(f"{k}={v}" for k, v in choice.environment.items()) or choice.heading,
            **{f"worst_{busy}": _worst(rows, choice, busy) for busy in _BUSY},
        }
        for choice in _CHOICES
    ]
    return Section(
        "Contention",
        "Milliseconds of one evaluation, forward and backward, in bfloat16, in a process of its "
        f"own: the median over {scope.contention_seconds:g} s or {_LEAST} evaluations, whichever "
        "is more. The busy programs are started here, one thread each; what else the machine does "
        "adds to them.",
        [
            Table("Evaluations", _COLUMNS, rows),
            Table("Times the best choice of the same row, at worst", _WORST, worst),
        ],
    )


def _rows(scope: Scope) -> Iterator[Row]:
    for model in scope.models:
        for size in scope.contention_sizes:
            for busy in _BUSY:
                with _busy(busy):
                    found = {
                        choice.key: _timed(
                            choice, model, case.check_minimum(model, size), scope.contention_seconds
                        )
                        for choice in _CHOICES
                    }
                best = min(found, key=lambda key: found[key])
                yield {"model": model, "size": size, "busy": busy, **found, "best": best}


def _worst(rows: list[Row], choice: _Choice, busy: int) -> float:
    ratios = []
    for row in rows:
        if row["busy"] == busy:
            taken, best = row[choice.key], row[str(row["best"])]
            assert isinstance(taken, float)
            assert isinstance(best, float)
            ratios.append(taken / best)
    return max(ratios)


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Let so many programs compute for as long as this lasts."""
    programs: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            programs.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def _timed(choice: _Choice, model: str, size: int, seconds: float) -> float:
    """Return the median milliseconds of an evaluation in a new process."""
    kept = {name: value for name, value in os.environ.items() if name not in _DECIDES}
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.contention", model, str(size), str(seconds)],
        cwd=ROOT,
        env={**kept, **choice.environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(answer.stdout)


def _median_ms(model: str, size: int, seconds: float) -> float:
    """Do what the process is for."""
    asked = case.settings(model, size=size)
    generator = torch.Generator().manual_seed(0)
    shape = (1, 3, size * 3 // 4, size)
    pair = case.Pair(*(torch.rand(shape, generator=generator) for _ in range(2)))
    extractor = case.plain(asked).arrange(
        getattr(torch, BFLOAT16.dtype), getattr(torch, BFLOAT16.layout)
    )
    terms = case.objective(extractor, asked.recipe, pair)
    image = (0.9 * pair.content + 0.1 * pair.style).requires_grad_()
    keep_freed_memory()
    taken: list[float] = []
    while len(taken) < _WARM_UP + _LEAST or sum(taken[_WARM_UP:]) < seconds:
        started = time.perf_counter()
        loss = case.weighted(extractor, image, terms, asked.recipe) * image.numel()
        torch.autograd.grad(loss, image)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[_WARM_UP:]) * 1e3


if __name__ == "__main__":
    sys.stdout.write(str(_median_ms(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
