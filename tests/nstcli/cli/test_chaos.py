"""A short form of `tests.nstcli.cli.chaos`, which is run by hand at length."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks into /proc")
def test_batches_that_are_killed_lose_nothing() -> None:
    command = [sys.executable, "-m", "tests.nstcli.cli.chaos", "--short", "--rounds", "14"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 rounds: " in done.stdout
