"""An option of the recipe is one field, a term is one row, and neither is said again elsewhere."""

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from nstcli.config.option import settings_of
from nstcli.recipe import Choices
from nstcli.terms import TERMS

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "nstcli" / "recipe.py"
SETTINGS = settings_of(Choices)
OF_TERMS = {
    option
    for term in TERMS.values()
    for option in (term.weight_option, term.layers_option)
    if option
}


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("invented")
    done = subprocess.run(
        [sys.executable, "-m", "tests.nstcli.invented", folder],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("place", ["flags", "environment", "config file", "preset"])
def test_a_new_field_and_a_new_row_can_be_said_everywhere(
    invented: dict[str, Any], place: str
) -> None:
    found = invented[place]
    assert found["received"] == {"grain": 1, "edges_weight": 7, "edges_layers": "relu1"}
    assert found["recipe"] == {"grain": 1, "edges_weight": 7, "edges_layers": {"relu1": 1}}
    assert found["weights"] == {"content": 1, "style": 30, "nearest": 15} | {
        "sliced": 0,
        "tv": 0,
        "edges": 7,
    }
    assert list(found["layers"]) == ["content", "style", "nearest", "sliced", "edges"]
    assert found["effective"] == ["edges_layers", "edges_weight", "grain"]


def test_a_new_field_and_a_new_row_have_defaults_bounds_and_help(invented: dict[str, Any]) -> None:
    found = invented["nothing"]
    assert found["received"] == {"grain": 0.5, "edges_weight": None, "edges_layers": None}
    everywhere = {"relu1": 1, "relu2": 1, "relu3": 1}
    assert found["recipe"] == {"grain": 0.5, "edges_weight": 2, "edges_layers": everywhere}
    assert invented["idle"]["effective"] == ["edges_weight", "grain"]
    assert invented["out of range"] == "--grain 9: should be less than 9"
    for words in ("Grain of paint", "Weight of the edges", "Layers of the edges term"):
        assert words in " ".join(invented["help"].replace("│", " ").split())


# `nst texture --size` may be a width and a height.
OTHERWISE = {("texture", "--size")}


# A training has these, too, with bounds and defaults of its own, from the command line alone.
TRAINING = ROOT / "nstcli" / "training" / "recipe.py"
OF_TRAINING = {"model", "size", "steps", "learning_rate"}


def parsed() -> Iterator[tuple[Path, ast.AST]]:
    """Yield every node of the program with its file."""
    for path in ROOT.glob("nstcli/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield path, node


def test_an_option_of_the_recipe_is_declared_once() -> None:
    declared: Counter[tuple[str, Path]] = Counter()
    # `nst layers --model` asks for another thing by this name.
    flags = {f"--{setting.key}" for setting in SETTINGS} - {"--model"}
    for path, node in parsed():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            calls = [each.func for each in ast.walk(node.annotation) if isinstance(each, ast.Call)]
            if any(isinstance(func, ast.Name) and func.id == "Option" for func in calls):
                declared[node.target.id, path] += 1
        elif isinstance(node, ast.Constant) and (path.stem, node.value) not in OTHERWISE:
            assert node.value not in flags, f"{path}:{node.lineno}"
    names = {field.name for field in fields(Choices)}
    assert {name for name, path in declared if path == TRAINING} & names == OF_TRAINING
    found = {
        key: count for key, count in declared.items() if key[0] in names and key[1] != TRAINING
    }
    assert found == {(name, RECIPE): 1 for name in names - OF_TERMS}


def test_options_of_terms_come_out_of_their_rows() -> None:
    """Nobody who declares, reads or checks options knows their names; presets use them."""
    declaring = {RECIPE, ROOT / "nstcli/terms.py", ROOT / "nstcli/cli/groups.py"}
    declaring |= set(ROOT.glob("nstcli/config/*.py")) - {ROOT / "nstcli/config/presets.py"}
    for path, node in parsed():
        if path in declaring:
            names = {
                getattr(node, name, None) for name in ("id", "attr", "arg", "name", "value")
            } - {None}
            known = {name for name in names if isinstance(name, str)} & OF_TERMS
            assert not known, f"{path}: {known}"


def test_choices_of_an_option_are_written_once() -> None:
    written: Counter[frozenset[str]] = Counter()
    for _, node in parsed():
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            texts = [each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant)]
            if node.value.id == "Literal":
                written[frozenset(map(str, texts))] += 1
    for setting in SETTINGS:
        if get_origin(setting.type) is Literal and not setting.option.choices:
            assert written[frozenset(get_args(setting.type))] == 1, setting.field
