"""How long `nst` takes to say something, and to find that all is done already.

Neither needs torch, whose import alone takes a second, so neither should come near that.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks import growth
from tests.benchmarks.clock import interleaved
from tests.benchmarks.report import Column, Row, Section, Table
from tests.benchmarks.scope import ROOT, Scope

_NST = ("-m", "nstcli")
_COLUMNS = (
    Column("command", "command"),
    Column("ms", "ms", "{:.0f}"),
    Column("ratio", "÷ bare Python", "{:.2f}"),
    Column("torch_ratio", "÷ import torch", "{:.3f}"),
)


def measure(scope: Scope) -> Section:
    """Make a small batch, then time commands that have nothing to make."""
    folder = scope.scratch / "startup"
    contents, styles = growth.write_files(scope, folder)
    again = [
        *(*_NST, "batch", str(folder / "content*.jpg"), str(folder / "style*.jpg")),
        *("-o", str(folder / "results"), "-m", scope.small, "--size", "64", "--steps", "1"),
        *("--device", "cpu", "--precision", "float32"),
    ]
    python(again, folder)()
    commands = {
        "python -c pass": ("-c", "pass"),
        'python -c "import torch"': ("-c", "import torch"),
        "nst --help": (*_NST, "--help"),
        f"nst batch, all {len(contents) * len(styles)} pairs done": again,
    }
    best = interleaved(
        {name: python(arguments, folder) for name, arguments in commands.items()}, scope.rounds
    )
    bare, with_torch, *_ = best.values()
    rows: list[Row] = [
        {
            "command": name,
            "ms": seconds * 1e3,
            "ratio": seconds / bare,
            "torch_ratio": seconds / with_torch,
        }
        for name, seconds in best.items()
    ]
    return Section(
        "Start-up",
        f"Wall time of a process from its start to its end, in turns, best of {scope.rounds}. "
        f"The batch reads its {len(contents)} + {len(styles)} JPEG files of {scope.photo} px and "
        "its results, to see that none has changed. `nst` is run as `python -m nstcli`.",
        [Table("Processes", _COLUMNS, rows)],
    )


def python(arguments: Sequence[str], folder: Path) -> Callable[[], object]:
    """Return what runs Python once, on the code of this repository, in an empty folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}

    def start() -> None:
        subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )

    return start
