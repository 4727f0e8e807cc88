"""The house keeps its shape: imports point down, and each library has one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("nstcli/**/*.py"), *ROOT.glob("backbones/**/*.py")])

# What each part may import of our own, besides itself.
MAY_IMPORT = {
    "nstcli.cli": {
        "nstcli.config",
        "nstcli.batch",
        "nstcli.comparison",
        "nstcli.images",
        "nstcli.metrics",
        "nstcli.report",
        "nstcli.samples",
    },
    "nstcli.batch": {"nstcli.engine", "nstcli.images"},
    "nstcli.comparison": {"nstcli.batch", "nstcli.engine", "nstcli.images", "nstcli.metrics"},
    "nstcli.config": set(),
    "nstcli.engine": set(),
    "nstcli.images": set(),
    "nstcli.metrics": {"nstcli.engine"},
    "nstcli.report": {"nstcli.batch", "nstcli.images"},
    "nstcli.samples": set(),
}
# Leaves that everything in nstcli may import.
LEAVES = {"nstcli", "nstcli.errors", "nstcli.presets", "nstcli.recipe", "backbones"}
# Libraries with one place, or two where each does another thing with them.
ONLY_IN = {
    "PIL": "nstcli.images",
    "typer": "nstcli.cli",
    "rich": "nstcli.cli",
    "pydantic": "nstcli",
    "timm": "backbones",
    "torchvision": "backbones",
    "pypi_simple": "backbones.weights",
    "jinja2": "nstcli.report",
    "markupsafe": "nstcli.report",
    "requests": "backbones.weights",
    "skimage": "nstcli.samples nstcli.metrics",
}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down(path: Path) -> None:
    module = dotted(path)
    for imported in imports(path):
        if within(module, "backbones"):
            assert not within(imported, "nstcli"), f"{module} imports {imported}"
        elif within(imported, "nstcli"):
            part = next((part for part in MAY_IMPORT if within(module, part)), None)
            if part is None:  # a leaf, or the door of the program
                continue
            allowed = MAY_IMPORT[part] | LEAVES | {part}
            target = next((name for name in MAY_IMPORT if within(imported, name)), None)
            assert target is None or target in allowed, f"{module} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_every_library_has_one_place(path: Path) -> None:
    module = dotted(path)
    for imported in imports(path):
        for library, place in ONLY_IN.items():
            if within(imported, library):
                found = any(within(module, each) for each in place.split())
                assert found, f"{module} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= 250
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
            assert length <= 40, f"{path}: {node.name} has {length} lines"


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
