"""A torch that was built for the CPU alone does all that is asked.

A double stands for it: the torch at hand, without all that such a build leaves out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import nstcli
from tests.conftest import Plugin

# Python runs it in every process before anything else.
CPU_ONLY = """
import torch

for name in dir(torch._C):
    if name.startswith(("_cuda_", "_cudart", "_nccl_")):
        delattr(torch._C, name)
torch._C._has_cuda = torch._C._has_cudnn = False
torch.version.cuda = torch.version.hip = None
"""

# As a caller meets it whose own work is under autocast.
LIBRARY = """
import torch, nstcli

with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
    made = nstcli.stylize("photos/cat.png", "art/ink.png", model="tiny", size=24, steps=2)
print(made.record.device)
"""


@pytest.fixture
def cpu_only(tiny_plugin: Plugin, tmp_path: Path) -> Callable[..., str]:
    """Return what runs Python with such a torch, in `tmp_path`, and returns what it prints."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(CPU_ONLY)
    places = (tmp_path / "site", tiny_plugin.folder, Path(nstcli.__file__).parent.parent)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_what_it_is_is_told(cpu_only: Callable[..., str]) -> None:
    devices = json.loads(cpu_only("-m", "nstcli", "info", "--json"))["devices"]
    assert devices["build"] in {"CPU only", "CPU and MPS"}
    assert {device["name"] for device in devices["found"]} <= {"cpu", "mps"}


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize("options", [("--precision", "auto"), ("-j", "2")])
def test_a_batch(cpu_only: Callable[..., str], tmp_path: Path, options: tuple[str, ...]) -> None:
    sizes = ("-m", "tiny", "-s", "24", "--steps", "2")
    done = cpu_only("-m", "nstcli", "batch", "photos", "art", "--json", *sizes, *options)
    assert json.loads(done)["made"] == 4
    assert len(list((tmp_path / "stylized").glob("*.png"))) == 4


@pytest.mark.usefixtures("folders")
def test_a_program(cpu_only: Callable[..., str]) -> None:
    assert cpu_only("-c", LIBRARY).strip() in {"cpu", "mps"}
