"""The architecture: imports point down and in no circle, each library has one place."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("nstcli/**/*.py"), *ROOT.glob("backbones/**/*.py")])

# From the top down: a part may import those below it, and none beside it in its own line.
FLOORS = (
    ("nstcli.__main__", "nstcli.api"),
    ("nstcli.cli",),
    ("nstcli.experiments", "nstcli.training"),
    ("nstcli.report", "nstcli.metrics"),
    ("nstcli.run",),
    ("nstcli.results",),
    ("nstcli.plan", "nstcli.engine"),
    ("nstcli.networks",),
    ("nstcli.recipe", "nstcli.config", "nstcli.images"),
    (
        "nstcli.text",
        "nstcli.remembered",
        "nstcli.measures",
        "nstcli.faces",
        "nstcli.methods",
        "nstcli.optimizers",
        "nstcli.backends",
        "nstcli.samples",
        "nstcli.version",
    ),
    ("nstcli.errors", "nstcli.terms"),
    ("backbones",),
)
# In one line, and yet one may import the other.
ASIDE = {
    ("nstcli.config", "nstcli.recipe"),
    ("nstcli.recipe", "nstcli.config"),
    ("nstcli.config", "nstcli.images"),
}
# Libraries with one place, or two where each does another thing with them.
ONLY_IN = {
    "PIL": "nstcli.images",
    "tifffile": "nstcli.images",
    "imageio": "nstcli.images",
    "typer": "nstcli.cli",
    "rich": "nstcli.cli",
    "pydantic": "nstcli",
    "timm": "backbones",
    "torchvision": "backbones",
    "pypi_simple": "backbones.weights",
    "jinja2": "nstcli.report",
    "markupsafe": "nstcli.report",
    "matplotlib": "nstcli.experiments.summary_plots",
    "ray": "nstcli.run.backends.ray",
    "requests": "backbones.weights",
    "skimage": "nstcli.samples nstcli.metrics",
}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted(path) for path in MODULES}


def imports(path: Path) -> Iterator[str]:
    """Yield what a file imports, at its top and inside of functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            for alias in node.names:
                within_it = f"{node.module}.{alias.name}"
                yield within_it if within_it in NAMES else node.module


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def floor_of(module: str) -> tuple[int, str] | None:
    """Return the number of a module's floor and its part; None of the package's own face."""
    return next(
        ((n, part) for n, line in enumerate(FLOORS) for part in line if within(module, part)), None
    )


def test_every_module_is_on_a_floor() -> None:
    assert {name for name in NAMES if not floor_of(name)} == {"nstcli"}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down(path: Path) -> None:
    module = dotted(path)
    for imported in imports(path):
        here, there = floor_of(module), floor_of(imported)
        if here and there and here[1] != there[1] and (here[1], there[1]) not in ASIDE:
            assert here[0] < there[0], f"{module} imports {imported}"


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {dotted(path): {n for n in imports(path) if n in NAMES} for path in MODULES}
    # What a package's face hands on comes from its own files.
    graph = {name: {other for other in found if other != name} for name, found in graph.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_every_library_has_one_place(path: Path) -> None:
    module = dotted(path)
    for imported in imports(path):
        for library, place in ONLY_IN.items():
            if within(imported, library):
                found = any(within(module, each) for each in place.split())
                assert found, f"{module} imports {imported}"


def test_the_top_level_is_what_was_agreed() -> None:
    agreed = {"nstcli", "backbones", "tests", "pyproject.toml", "README.md", "LICENSE"}
    produced = {"build", "shared"}  # by pip; by whoever lends pictures for trying things out
    found = {p.name for p in ROOT.iterdir() if not p.name.startswith(".")}
    assert found - produced - agreed - {n for n in found if n.endswith(".egg-info")} == set()


def test_printing_is_for_the_command_line_alone() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}"
