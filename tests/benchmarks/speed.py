"""Milliseconds of one evaluation, ours beside the reference's, and what the machine can do.

An evaluation is what an optimizer asks for in each step: forward, the losses, and backward to the
picture. It is nearly all the time of a pair and does not depend on the optimizer.
"""

from collections.abc import Callable, Iterator

import torch
from torch.utils.flop_counter import FlopCounterMode

from nstcli.engine.memory import keep_freed_memory
from tests.benchmarks import case
from tests.benchmarks.allocator import as_usual
from tests.benchmarks.clock import interleaved
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import Scope

_COLUMNS = (
    Column("model", "model"),
    Column("picture", "picture"),
    Column("precision", "ours runs in"),
    Column("ours_ms", "ours ms", "{:.1f}"),
    Column("reference_ms", "reference ms", "{:.1f}"),
    Column("ratio", "reference ÷ ours", "{:.2f}"),
    Column("gflop", "GFLOP of convolutions", "{:.1f}"),
    Column("ours_share", "ours ÷ product rate", "{:.2f}"),
    Column("reference_share", "reference ÷ product rate", "{:.2f}"),
)
_RATES = (
    Column("dtype", "dtype"),
    Column("gflops", "GFLOP/s", "{:.0f}"),
    Column("ratio", "÷ float32", "{:.2f}"),
)


def measure(scope: Scope) -> Section:
    """Time every model at every size."""
    rates: dict[str, float] = {}
    rows = list(_rows(scope, rates))
    products: list[Row] = [
        {"dtype": dtype, "gflops": rate / 1e9, "ratio": rate / rates["float32"]}
        for dtype, rate in rates.items()
    ]
    return Section(
        "Speed of one evaluation",
        "Forward, losses and backward to the picture, without the optimizer; all in turns, best of "
        f"{scope.rounds}. Product rate: of two matrices of {scope.product}², in the dtype that "
        "each side's features have, timed in the same turns; a share of it counts the "
        "convolutions alone, forward and backward to their input. A reference ÷ ours above 1 "
        "means that ours is faster.",
        [
            Table("Evaluations", _COLUMNS, rows),
            Table("Matrix products, the best of all rounds", _RATES, products),
        ],
    )


def _rows(scope: Scope, rates: dict[str, float]) -> Iterator[Row]:
    for model in scope.models:
        for size in scope.sizes:
            yield _row(scope, model, case.check_minimum(model, size), rates)


def _row(scope: Scope, model: str, size: int, rates: dict[str, float]) -> Row:
    asked = case.settings(model, size=size)
    pair = case.framed(scope, size)
    extractor, precision = case.fastest(asked, scope.scratch)
    terms = case.objective(extractor, asked.recipe, pair)
    theirs = case.reference(asked, pair)
    # Not the content itself, where the content term and its gradient are exactly 0.
    image = (0.9 * pair.content + 0.1 * pair.style).requires_grad_()

    def our_evaluation() -> None:
        keep_freed_memory()
        loss = case.weighted(extractor, image, terms, asked.recipe) * image.numel()
        (image.grad,) = torch.autograd.grad(loss, image)

    def their_evaluation() -> None:
        as_usual()
        image.grad = None
        (theirs.loss(image) * image.numel()).backward()

    best = interleaved(
        {
            "ours": our_evaluation,
            "reference": their_evaluation,
            "float32": _product(scope.product, torch.float32),
            "bfloat16": _product(scope.product, torch.bfloat16),
        },
        scope.rounds,
    )
    rate = {dtype: 2 * scope.product**3 / best[dtype] for dtype in ("float32", "bfloat16")}
    for dtype in rate:
        rates[dtype] = max(rates.get(dtype, 0.0), rate[dtype])
    flops = convolution_flops(their_evaluation)
    return {
        "model": model,
        "picture": f"{image.shape[-1]}×{image.shape[-2]}",
        "precision": str(precision),
        "ours_ms": best["ours"] * 1e3,
        "reference_ms": best["reference"] * 1e3,
        "ratio": best["reference"] / best["ours"],
        "gflop": flops / 1e9,
        "ours_share": flops / best["ours"] / rate[precision.dtype],
        "reference_share": flops / best["reference"] / rate["float32"],
        "float32_gflops": rate["float32"] / 1e9,
        "bfloat16_gflops": rate["bfloat16"] / 1e9,
    }


def _product(edge: int, dtype: torch.dtype) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(edge, edge, generator=generator).to(dtype) for _ in range(2))
    return lambda: torch.mm(a, b)


def convolution_flops(evaluation: Callable[[], None]) -> int:
    """Count the FLOPs of the convolutions of one evaluation; a multiply-add counts as two.

    Weights are frozen, so that backward goes to the inputs alone.
    """
    with FlopCounterMode(display=False) as counter:
        evaluation()
    found = counter.get_flop_counts()["Global"]
    return sum(count for operator, count in found.items() if "convolution" in str(operator))
