"""Run as a program: a recipe with one more option and one more term, told from every place.

The option is one line in the source of `nstcli.recipe`, the term one row of `nstcli.terms.TERMS`.
Prints JSON: for each place that says the new options, what a command receives, and the recipe.
"""

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nstcli
from nstcli import terms

FIELD = 'grain: Annotated[float, Option("Grain of paint", metavar="X", least=0, below=9)] = 0.5'
ROW = terms.Term(
    "edges",
    "nstcli.engine.losses.style",
    "Weight of the edges",
    {"relative": 2, "gatys": 3, "sum": 4, "mean": 5},
    layers="style",
    target="style",
)


def invent() -> None:
    """Import `nstcli.recipe` with the new row and the new line, before anything else does."""
    terms.TERMS = {**terms.TERMS, ROW.name: ROW}
    path = Path(nstcli.__file__).parent / "recipe.py"
    before, seed, after = path.read_text("utf-8").partition("    seed: Annotated[")
    module = ModuleType("nstcli.recipe")
    sys.modules["nstcli.recipe"] = nstcli.recipe = module  # type: ignore[attr-defined]
    exec(compile(f"{before}    {FIELD}\n{seed}{after}", path, "exec"), module.__dict__)


def main(folder: Path) -> None:
    import typer
    from typer.testing import CliRunner

    from nstcli.cli.groups import takes_groups
    from nstcli.config import presets
    from nstcli.errors import InputError
    from tests.tiny import TINY

    said: dict[str, Any] = {"grain": 1, "edges_weight": 7, "edges_layers": "relu1"}
    presets.PRESETS = {**presets.PRESETS, "draft": said}

    from nstcli.config.options import RecipeOptions
    from nstcli.recipe import resolve

    received: list[Any] = []

    @takes_groups
    def command(*, recipe: RecipeOptions) -> None:
        received.append(recipe.choices())

    program = typer.Typer(add_completion=False)
    program.command()(command)
    os.chdir(folder)

    def call(*arguments: str, **environment: str) -> Any:
        ended = CliRunner().invoke(program, list(arguments), env=environment)
        if isinstance(ended.exception, InputError):
            return str(ended.exception)
        if not received:
            return ended.output
        choices = received.pop()
        recipe = resolve(TINY, "0" * 64, choices)
        return {
            "received": {name: choices[name] for name in said},
            "recipe": {name: recipe.dump()[name] for name in said},
            "weights": recipe.weights_of_terms,
            "layers": recipe.layers_of_terms,
            "effective": sorted(said.keys() & recipe.effective().keys()),
        }

    found = {
        "help": call("--help"),
        "nothing": call(),
        "flags": call("--grain", "1", "--edges-weight", "7", "--edges-layers", "relu1"),
        "environment": call(NST_GRAIN="1", NST_EDGES_WEIGHT="7", NST_EDGES_LAYERS="relu1"),
        "preset": call("--preset", "draft"),
        "idle": call("--edges-weight", "0"),
        "out of range": call("--grain", "9"),
    }
    (folder / "nst.toml").write_text('grain = 1\nedges-weight = 7\nedges_layers = ["relu1"]')
    found["config file"] = call()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    invent()
    main(Path(sys.argv[1]))
