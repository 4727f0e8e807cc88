import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

import nstcli
from nstcli.cli.app import app, main
from nstcli.config.options import Format
from nstcli.images import FORMATS
from tests.nstcli.cli.conftest import Nst
from tests.test_architecture import MODULES, ROOT, imports

PROGRAM: Any = typer.main.get_command(app)
COMMANDS = list(PROGRAM.commands)
MAKING = ["batch", "stylize", "run", "compare-backbones", "compare-methods"]


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


@pytest.mark.parametrize("command", [None, *MAKING])
def test_the_exit_codes_are_where_they_are_looked_for(nst: Nst, command: str | None) -> None:
    told = " ".join(nst(*([command] if command else []), "-h").out.split())
    assert "Exit codes: 0 all pairs are done" in told
    assert "3 stopped early by the environment or --fail-fast" in told


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


PAIRS = "photos art -m tiny --steps 2 -o out"


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.usefixtures("tiny_plugin", "folders")
def test_closed_streams_are_nobodys_loss(tmp_path: Path, closed: str) -> None:
    """Python has no stream at all for what its caller closed."""

    def nst(command: str) -> int:
        line = f'exec "{sys.executable}" -m nstcli {command} {closed}'
        ended = subprocess.run(
            ["sh", "-c", line], cwd=tmp_path, check=False, capture_output=True, text=True
        )
        assert "bug" not in ended.stderr
        return ended.returncode

    assert nst(f"batch {PAIRS} -n") == 0
    assert nst(f"batch {PAIRS} -j 2") == 0
    assert len(list((tmp_path / "out").glob("*__*.png"))) == 4
    assert nst("status out") == 0
    assert nst("layers") == 0
    assert nst("layers -m no") == 2


@pytest.mark.usefixtures("tiny_plugin", "folders")
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """What is printed to it by C code, or by a worker, would land in that file."""
    code = (
        "import os, sys\n"
        "from nstcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "for number in range(3):\n"
        "    assert os.get_inheritable(number)\n"
        "    assert os.path.samestat(os.fstat(number), os.stat(os.devnull))\n"
    )
    line = f'exec "{sys.executable}" -c "$CODE" --version <&- >&- 2>&-'
    environment = {**os.environ, "CODE": code}
    assert subprocess.run(["sh", "-c", line], env=environment, check=False).returncode == 0


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["plots"], *extras["ray"]]
    declared = {re.split(r"[>=<~ ]", each, maxsplit=1)[0] for each in needed}
    imported = {name.partition(".")[0] for path in MODULES for name in imports(path)}
    offered_by = packages_distributions()
    for name in imported - set(sys.stdlib_module_names) - {"nstcli", "backbones"}:
        assert {each.lower() for each in offered_by.get(name, [name])} & declared, name


def test_the_option_offers_every_format() -> None:
    assert set(get_args(Format)) == set(FORMATS)


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_memory_that_runs_out_anywhere_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: Exception
) -> None:
    def app(**_: object) -> None:
        raise problem

    monkeypatch.setattr("nstcli.cli.app.app", app)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("warnings.showwarning", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "nst: not enough memory to go on; close other programs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("users", "expected"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, None)],
)
def test_threads_sleep_soon_unless_the_user_decides(
    users: dict[str, str], expected: str | None
) -> None:
    """At 30000 turns, squeezenet at 192 px took 7 times as long beside two busy programs."""
    code = (
        "import os\nfrom nstcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    decided = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    kept = {name: value for name, value in os.environ.items() if name not in decided}
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"],
        env={**kept, **users},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == str(expected)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_alone_ends_well_or_says_what_it_lacks(
    nst: Nst, tiny_plugin: object, name: str
) -> None:
    if name in {"demo", "samples"}:  # which do their work without being told anything
        return
    ended = nst(name)
    assert ended.code in {0, 2}, ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("batch photos art --method optimise", "'optimise' is not one of 'optimize', "),
        ("batch photos art --steps x", "'--steps': not a whole number"),
        ("batch a.jpg b.jpg art", "quote a pattern like 'photos/*.jpg', or name the folder"),
        ("batch -dash.jpg art", "a name that begins with a dash, write ./ before it"),
        ("texture art --init content", "--init content: what is made of one input begins with"),
        ("invert photos --init style", "--init style: what is made of one input begins with"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_said_plainly(nst: Nst, line: str, said: str) -> None:
    ended = nst(*line.split())
    told = " ".join(ended.err.replace("│", " ").split())
    assert (ended.code, said in told) == (2, True), told
    assert "Value error" not in told


def test_an_empty_name_is_no_folder(nst: Nst) -> None:
    ended = nst("batch", "", "art")
    assert (ended.code, "perhaps a variable of the shell is not set" in ended.err) == (2, True)


def test_help_names_the_defaults_of_the_command(nst: Nst) -> None:
    for name, said in {
        "texture": "without suffix ({style})",
        "invert": "How results are called, without suffix",
        "train": "(15 for --loss relative)",
        "summarize": "nstcli[plots]",
    }.items():
        told = "".join(nst(name, "--help").out.replace("│", " ").split())
        assert said.replace(" ", "") in told, name
