"""What tiles cost and spare: a step in the tiles that `--tile auto` chooses, beside one without."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch

from backbones.hooks import FeatureExtractor
from nstcli.engine.memory import TensorBytes, in_tiles, keep_freed_memory, needs
from nstcli.engine.objective import Objective, parts, sights, weighted
from nstcli.engine.targets import read_content, read_style
from nstcli.engine.tile_size import chosen
from nstcli.engine.tiling import Tiling
from nstcli.recipe import DEFAULT, Recipe
from tests.benchmarks import case
from tests.benchmarks.case import Pair
from tests.benchmarks.clock import interleaved
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import Scope

# Of the memory that a pair would take at once, what there is.
_SHARES = (0.6, 0.4, 0.3)
_COLUMNS = (
    Column("model", "model"),
    Column("picture", "picture"),
    Column("precision", "precision"),
    Column("free_mib", "free MiB", "{:.0f}"),
    Column("tile", "tile"),
    Column("neck", "ends at"),
    Column("kept", "kept"),
    Column("foretold_mib", "foretold MiB", "{:.0f}"),
    Column("step_mib", "a step's tensors MiB", "{:.0f}"),
    Column("at_once_mib", "without tiles MiB", "{:.0f}"),
    Column("foretold", "foretold ÷ without", "{:.2f}"),
    Column("ratio", "seconds ÷ without", "{:.2f}"),
    Column("seconds", "s", "{:.2f}"),
)


def measure(scope: Scope) -> Section:
    """Measure every model at the largest size."""
    keep_freed_memory()
    return Section(
        "Tiles",
        "One evaluation with its gradient, default terms, in the tiles that are chosen where "
        "memory is a share of what the pair would take without; best of "
        f"{max(1, scope.rounds // 2)}, in turns. Tensors are those of the step alone; foretold is "
        "the memory of the pair, its optimizer's included, and the time.",
        [Table("A step", _COLUMNS, list(_rows(scope)))],
    )


def _rows(scope: Scope) -> Iterator[Row]:
    for model in scope.memory_models:
        size = case.check_minimum(model, scope.sizes[-1])
        asked = case.settings(model, size=size, nearest_weight=DEFAULT["nearest_weight"])
        extractor, precision = case.fastest(asked, scope.scratch)
        recipe, pair = asked.recipe, case.framed(scope, size)
        shape = pair.content.shape[-2], pair.content.shape[-1]
        needed, ways = needs(extractor, recipe), in_tiles(extractor, recipe)
        whole = needed.fixed + needed.of_content(math.prod(shape))
        seen = partial(sights, extractor, recipe=recipe)
        for share in _SHARES:
            found = chosen(needed, [shape], shape, "auto", share * whole, partial(list, ways), seen)
            (tiling,), (work,) = found.tilings, found.work
            steps = {
                "tiles": _step(extractor, recipe, pair, tiling),
                "at once": _step(extractor, recipe, pair, None),
            }
            best = interleaved(steps, max(1, scope.rounds // 2))
            yield {
                "model": model,
                "picture": f"{shape[1]}×{shape[0]}",
                "precision": str(precision),
                "free_mib": share * whole / 2**20,
                "tile": "×".join(map(str, reversed(tiling.size))) if tiling else "",
                "neck": (tiling and tiling.neck) or "",
                "kept": tiling.kept if tiling else 0,
                "foretold_mib": found.peak / 2**20,
                "step_mib": _peak(steps["tiles"]) / 2**20,
                "at_once_mib": _peak(steps["at once"]) / 2**20,
                "foretold": work,
                "ratio": best["tiles"] / best["at once"],
                "seconds": best["tiles"],
            }


def _step(
    extractor: FeatureExtractor, recipe: Recipe, pair: Pair, tiling: Tiling | None
) -> Callable[[], object]:
    content = read_content(extractor, pair.content, recipe, tiling=tiling)
    style = read_style(extractor, [pair.style], recipe, tiling=tiling)
    pieces = parts(extractor, content, style, recipe, tiling=tiling)
    objective = Objective.of(extractor, pieces, pair.content.shape, tiling)

    def step() -> None:
        image = pair.content.clone().requires_grad_()
        torch.autograd.grad(weighted(objective.terms(image), recipe).sum(), image)

    return step


def _peak(step: Callable[[], object]) -> int:
    with TensorBytes() as taken:
        step()
    return taken.peak
