"""The README is true: its commands exist with their options, its plugin passes the contract."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import backbones
from backbones import BackboneError, weights
from backbones.testing import check_backbone
from nstcli.cli.weights import _find
from nstcli.config.options import SETTINGS
from nstcli.config.precedence import settle
from nstcli.config.presets import PRESETS
from nstcli.experiments.file import read
from nstcli.experiments.variant import of_backbones
from nstcli.measures import MEASURES
from nstcli.recipe import DEFAULT, resolve
from tests.nstcli.cli.test_app import COMMANDS, PROGRAM
from tests.test_architecture import FLOORS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TOML = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
LIBRARY = [block for block in PYTHON if "nstcli." in block]
PLUGIN = [block for block in PYTHON if block not in LIBRARY]
# What is said in the README -> what stands for it where no weights are to be had.
LIGHT = {
    'model="squeezenet", size=256': 'model="tiny", size=32, steps=70',
    'preset="draft"': 'model="tiny", size=32, steps=4',
}
PROSE = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)
NST = [part for line in CONSOLE.splitlines() for part in line.split(" && ") if part[:4] == "nst "]


def test_there_is_something_to_check() -> None:
    assert len(NST) > 8
    assert len(PLUGIN) == 2
    assert len(LIBRARY) == 6


@pytest.mark.parametrize("line", NST)
def test_every_nst_command_means_something(line: str) -> None:
    understand(line)


@pytest.mark.parametrize(
    "line",
    [
        "nst compare-backbones a b -m vgg19:torchvison",
        "nst compare-backbones a b --style-layers relu9_9",
        "nst batch a b --model squeezenett",
        "nst batch a b --model squeezenet --weights gatys",
        "nst batch a b --preset draft --content-layers relu4_2",
        "nst layers --model vgg",
        "nst weights path vgg19:torchvison",
    ],
)
def test_names_that_do_not_exist_would_be_found(line: str) -> None:
    with pytest.raises(BackboneError):
        understand(line)


def understand(line: str) -> None:
    """Read a command as the program would, and look its names up, offline.

    Unknown commands and options, and values out of range, raise while it is parsed.
    """
    context = parsed(line)
    values = context.params
    flags = {
        setting.field: values[setting.field]
        for setting in SETTINGS
        if values.get(setting.field) not in (None, [], ())
    }
    if context.info_name == "layers":
        backbones.get(flags.get("model", DEFAULT["model"]))
    for name in values.get("names") or [values[key] for key in ("name",) if key in values]:
        if context.parent.info_name == "weights" and name:
            _find(name)
    if context.info_name not in {"batch", "stylize", "compare-backbones"}:
        return
    settled = settle(SETTINGS, flags, {}, Path("/"))
    choices = {name: settled[name] for name in DEFAULT}
    if "models" in values:
        variants, _ = of_backbones(values["models"])
        networks = [variant.backbone for variant in variants]
    else:
        networks = [backbones.get(choices["model"])]
        weights.select(networks[0], choices["weights"])
    for network in networks:
        resolve(network, "0" * 64, choices)


def parsed(line: str) -> Any:
    """Return the context in which the program would run a command."""
    command = PROGRAM
    arguments = shlex.split(line)[1:]
    name, parent = "nst", None
    while True:
        context = command.make_context(name, arguments, parent=parent)
        if not hasattr(command, "resolve_command"):
            return context
        arguments = [*context._protected_args, *context.args]
        name, command, arguments = command.resolve_command(context, arguments)
        parent = context


def test_the_first_command_installs_and_runs_and_the_test_command_tests() -> None:
    first, *_ = CONSOLE.splitlines()
    assert first == "python -m pip install . && nst demo"
    assert "python -m pip install '.[test]' && python -m pytest" in CONSOLE
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "test" in project["optional-dependencies"]
    assert project["scripts"]["nst"] == "nstcli.cli.app:main"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table(command: str) -> None:
    assert re.search(rf"^\| `nst {command}[ `]", README, re.MULTILINE)


def options(command: Any) -> Iterator[str]:
    """List the long options of a command and of those below it."""
    yield "--help"
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for below in getattr(command, "commands", {}).values():
        yield from options(below)


def test_every_option_that_is_spoken_of_exists() -> None:
    spoken = {
        option
        for code in re.findall(r"`([^`]+)`", PROSE)
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)
    }
    assert len(spoken) > 20
    assert spoken - set(options(PROGRAM)) == set()


def test_nothing_is_left_to_be_filled_in() -> None:
    assert "<!--" not in README


def test_other_commands_install_or_are_tools_of_the_test_extra_or_clusters() -> None:
    tools = {
        shlex.split(part)[0]
        for line in CONSOLE.splitlines()
        for part in line.split(" && ")
        if part and not part.startswith(("nst ", "python -m "))
    }
    assert tools == {"uv", "pipx", "ruff", "mypy", "cp", "ray", "sbatch"}


def test_the_experiment_is_one(tmp_path: Path) -> None:
    (text,) = [block for block in TOML if block.startswith("# sweep.toml")]
    (tmp_path / "sweep.toml").write_text(text)
    points = read(tmp_path / "sweep.toml").sweep.points()
    assert len(points) == 8
    assert f"weights/{read(tmp_path / 'sweep.toml').sweep.name(points[4])}/" in README
    for line in NST:
        if line.startswith("nst run "):
            read(tmp_path / "sweep.toml", parsed(line).params["changes"] or ())


def test_the_plugin_example_keeps_its_word() -> None:
    namespace: dict[str, object] = {}
    exec(PLUGIN[0], namespace)
    check_backbone(namespace["ALEXNET"])  # type: ignore[arg-type]
    assert "check_backbone(ALEXNET)" in PLUGIN[1]


def run_library(folder: Path) -> list[str]:
    """Run what the README says of Python, as one program; return the lines that it printed."""
    program = "\n".join(LIBRARY)
    if "tiny" in {backbone.name for backbone in backbones.load_all()[0]}:
        for said, light in LIGHT.items():
            assert said in program
            program = program.replace(said, light)
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def check_library(folder: Path, write_picture: Callable[..., Path]) -> None:
    for n, name in enumerate(("content/chelsea", "content/coffee", "style/ink_waves")):
        write_picture(f"pictures/{name}.png", 64, 80, seed=n)
    lines = run_library(folder)
    assert (folder / "cat.jpg").stat().st_size > 1000
    assert "60 of" in "".join(lines)
    assert "True" in lines  # it was stopped
    drafts = {path.name for path in (folder / "drafts").glob("*.png")}
    assert drafts == {"chelsea__ink_waves.png", "coffee__ink_waves.png"}
    assert {line.split()[0] for line in lines if line.startswith("drafts/")} == {
        f"drafts/{name}" for name in drafts
    }
    assert len(list((folder / "tried").glob("*/*.png"))) == 8
    (worst,) = [line for line in lines if line.startswith("tried/")]
    assert (folder / worst).is_file()
    (listed,) = [line for line in lines if line.startswith("vgg19 ")]
    assert "relu4_2" in listed


@pytest.mark.usefixtures("tiny_plugin")
def test_the_library_does_what_is_said(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    check_library(tmp_path, write_picture)


@pytest.mark.network
def test_the_library_does_what_is_said_with_real_networks(
    tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    check_library(tmp_path, write_picture)


def test_options_said_of_python_are_those_of_the_program() -> None:
    known = {setting.field for setting in SETTINGS} | {
        "output",
        "on_step",
        "sweep",
        "backbone",
        "frame",
    }
    prose = re.split(r"\n##+ ", README.partition("### From Python")[2])[0]
    said = set(re.findall(r"\b([a-z_]+)=[\"{\d]", prose)) | {"on_step", "output", "preset"}
    assert {"model", "size", "style_weight", "style_layers", "config", "quality"} <= said
    assert said - known == set()


def test_the_parts_are_those_that_there_are_from_the_top_down() -> None:
    said = re.findall(r"^\| `(nstcli\.\w+)` \|", README, re.MULTILINE)
    floor_of = {part: n for n, line in enumerate(FLOORS) for part in line}
    packages = {path.parent.name for path in (ROOT / "nstcli").glob("*/__init__.py")}
    assert {f"nstcli.{name}" for name in packages - {"samples"}} | {"nstcli.api"} == set(said)
    assert [floor_of[part] for part in said[2:]] == sorted(floor_of[part] for part in said[2:])
    for path in re.findall(r"`(nstcli/[\w/]+\.py)`", README):
        assert (ROOT / path).is_file()


def test_the_pictures_are_there() -> None:
    names = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert names
    for name in names:
        assert (ROOT / name).stat().st_size > 10_000


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_have_their_seconds_and_say_what_they_are(preset: str) -> None:
    (row,) = re.findall(rf"^\| `{preset}` \| (.*) \|$", README, re.MULTILINE)
    cells = [cell.strip() for cell in row.split("|")]
    assert float(cells[-1]) > 0
    for key, unit in (("size", "px"), ("steps", "steps")):
        value = PRESETS[preset].get(key, DEFAULT[key])
        said = {int(number) for number in re.findall(rf"(\d+) {unit}\b", cells[0])}
        # What is as always need not be said.
        assert said == {value} or (not said and value == DEFAULT[key]), (key, said)


@pytest.mark.network
def test_the_demo_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nstcli", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "nst-demo/stylized").glob("*__*.png"))) == 4
    assert str(tmp_path / "nst-demo/stylized") in done.stderr


def test_the_figures_are_those_that_there_are() -> None:
    for measure in MEASURES.values():
        assert f"| {measure.heading} | {measure.says} | {measure.cannot} |" in README
