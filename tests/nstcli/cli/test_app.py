import subprocess
import sys
from typing import get_args

import pytest

import nstcli
from nstcli.cli.options import Format
from nstcli.images import FORMATS
from tests.nstcli.cli.conftest import Nst

COMMANDS = [
    "batch",
    "stylize",
    "compare-backbones",
    "layers",
    "gallery",
    "sheet",
    "weights",
    "samples",
    "demo",
    "info",
    "status",
]


def test_help_lists_every_command_and_the_exit_codes(nst: Nst) -> None:
    ended = nst("--help")
    assert ended.code == 0
    for command in COMMANDS:
        assert f"│ {command} " in ended.out
    assert "Exit codes: 0 all pairs are done" in ended.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(nst: Nst, command: str) -> None:
    ended = nst(command, "-h")
    assert ended.code == 0
    assert f"nst {command}" in ended.out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from nstcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'PIL', 'timm', 'pydantic', 'requests'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, capture_output=True)


def test_version(nst: Nst) -> None:
    ended = nst("--version")
    assert (ended.code, ended.out) == (0, f"nst {nstcli.__version__}\n")


def test_the_module_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nstcli", "--version"], check=True, capture_output=True, text=True
    )
    assert done.stdout == f"nst {nstcli.__version__}\n"


def test_an_unknown_command_is_wrong_usage(nst: Nst) -> None:
    ended = nst("bach")
    assert ended.code == 2
    assert "batch" in ended.err


def test_the_option_offers_every_format() -> None:
    assert set(get_args(Format)) == set(FORMATS)
