"""`nst train`: killed and gone on, interrupted, what it says."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nstcli.networks import file
from tests.nstcli.cli.conftest import Nst

LINE = (
    *("train", "art/ink.png", "--photos", "photos", "--sample", "photos/cat.png", "-m", "tiny"),
    *("--size", 16, "--width", 2, "--batch-size", 1, "--device", "cpu", "--precision", "float32"),
    *("--steps", 10, "--checkpoint-seconds", 0),
)


@pytest.fixture(autouse=True)
def _pictures(folders: None, write_picture: Callable[..., Path]) -> None:
    write_picture("photos/more/bird.png", 24, 24, seed=5)


# Runs the program and is killed while it writes its sixth checkpoint.
KILLED = """
import os, signal, sys
from nstcli.cli.app import main
from nstcli.training import checkpoint

real, writes = checkpoint.write_atomic, []

def write(path, data):
    writes.append(path)
    if len(writes) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    real(path, data)

checkpoint.write_atomic = write
main()
"""


def begun(process: "subprocess.Popen[str]", checkpoint: Path) -> None:
    """Wait until a training has written some checkpoints after its first step."""
    written: set[int] = set()
    while len(written) < 3:
        assert process.poll() is None, process.communicate()
        if checkpoint.exists():
            written.add(checkpoint.stat().st_mtime_ns)
        time.sleep(0.005)


def test_killed_and_gone_on_it_is_as_if_undisturbed(nst: Nst, tmp_path: Path) -> None:
    assert nst(*LINE, "-o", "whole.safetensors").code == 0
    line = [*map(str, LINE), "-o", "killed.safetensors"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *line], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.safetensors").exists()
    ended = nst(*LINE, "-o", "killed.safetensors")
    assert ended.code == 0
    assert "on from step 4" in ended.err
    assert "Done: 10 steps" in ended.err
    whole, resumed = (file.read(tmp_path / f"{n}.safetensors") for n in ("whole", "killed"))
    assert whole[1].content_sha256 == resumed[1].content_sha256
    for (name, tensor), other in zip(
        whole[0].state_dict().items(), resumed[0].state_dict().values(), strict=True
    ):
        assert torch.equal(tensor, other), name
    assert not list(tmp_path.glob("*.checkpoint"))
    assert not list(tmp_path.glob(".nst-*"))
    again = nst(*LINE, "-o", "killed.safetensors")
    assert (again.code, "up to date → killed.safetensors" in again.err) == (0, True)


def test_ctrl_c_leaves_a_checkpoint(
    nst: Nst, nst_process: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    line: tuple[Any, ...] = (*LINE, "--steps", 100_000, "--checkpoint-seconds", 0)
    process = nst_process(*line)
    begun(process, tmp_path / "ink.safetensors.checkpoint")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "Re-run the same command to go on" in err
    assert (tmp_path / "ink.safetensors.checkpoint").exists()
    assert not (tmp_path / "ink.safetensors").exists()


def test_what_cannot_be_is_said_in_a_line(nst: Nst, write_picture: Callable[..., Path]) -> None:
    write_picture("photos/broken.png").write_bytes(b"\x89PNG")
    ended = nst(*LINE, "--steps", 1)
    assert ended.code == 0
    assert "broken.png: image file is damaged" in ended.err
    for arguments, problem in {
        ("--steps", "2"): "steps 1 → 2",
        ("--force", "--minutes", "1"): "two budgets",
        ("--force", "-m", "tny"): "did you mean 'tiny'",
        ("--force", "--photos", "nowhere"): "no such file or folder: 'nowhere'",
        ("--force", "--style-layers", "relu9"): "relu9",
        ("-o", "photos/net.safetensors"): "choose another -o",
    }.items():
        ended = nst(*LINE, "--steps", 1, *arguments)
        assert (ended.code, problem in ended.err) == (2, True), ended.err
    ended = nst("train", "art", "--photos", "photos")
    assert (ended.code, "one artwork" in ended.err) == (2, True)
