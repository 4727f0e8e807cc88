"""The README is true: its commands exist with their options, its plugin passes the contract."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from backbones.testing import check_backbone
from nstcli.cli.app import app
from tests.nstcli.cli.test_app import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
NST = [part for line in CONSOLE.splitlines() for part in line.split(" && ") if part[:4] == "nst "]


def test_there_is_something_to_check() -> None:
    assert len(NST) > 8
    assert len(PYTHON) == 2


@pytest.mark.parametrize("line", NST)
def test_every_nst_command_parses(line: str) -> None:
    """Unknown commands and options, and values out of range, raise while parsing."""
    command = typer.main.get_command(app)
    arguments = shlex.split(line)[1:]
    name = "nst"
    parent = None
    while True:
        context = command.make_context(name, arguments, parent=parent)
        if not hasattr(command, "resolve_command"):
            break
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


def test_every_command_is_in_the_table() -> None:
    for command in COMMANDS:
        assert f"| `nst {command}" in README


def test_other_commands_are_tools_of_the_test_extra() -> None:
    tools = {
        shlex.split(part)[0]
        for line in CONSOLE.splitlines()
        for part in line.split(" && ")
        if part and not part.startswith(("nst ", "python -m "))
    }
    assert tools == {"ruff", "mypy"}


def test_the_plugin_example_keeps_its_word() -> None:
    namespace: dict[str, object] = {}
    exec(PYTHON[0], namespace)
    check_backbone(namespace["ALEXNET"])  # type: ignore[arg-type]
    assert "check_backbone(ALEXNET)" in PYTHON[1]


def test_the_picture_is_there() -> None:
    (name,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert (ROOT / name).stat().st_size > 10_000


def test_the_presets_have_their_seconds() -> None:
    for preset in ("draft", "default", "high"):
        (row,) = re.findall(rf"^\| `{preset}` \|.*\| (.*?) \|$", README, re.MULTILINE)
        assert float(row) > 0


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
