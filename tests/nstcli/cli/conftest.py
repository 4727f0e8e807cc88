"""Run the program in this process, or in one of its own."""

import importlib
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests import tiny
from tests.conftest import Plugin, install


@dataclass(frozen=True)
class Ended:
    """What a run left: its exit code and what it printed."""

    code: int
    out: str
    err: str


Nst = Callable[..., Ended]


def wait_until_computed(process: "subprocess.Popen[str]", seconds: float) -> None:
    """Wait until a process has computed for so long from now on, however busy the machine is."""
    times = psutil.Process(process.pid).cpu_times
    end = sum(times()[:2]) + seconds
    while process.poll() is None and sum(times()[:2]) < end:
        time.sleep(0.01)


@pytest.fixture
def nst(
    tiny_plugin: Plugin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Nst:
    """Return what calls `main` as the console script would, from within `tmp_path`."""
    from nstcli.cli.app import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main sets its own
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["nst", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        signal.signal(signal.SIGTERM, before)
        out, err = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), out, err)

    return run


@pytest.fixture
def nst_process(
    tiny_plugin: Plugin, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return what starts the program as a process of its own, in `tmp_path`."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "nstcli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def folders(write_picture: Callable[..., Path]) -> None:
    """Two contents in `photos`, two styles in `art`, below the folder that `nst` runs in."""
    write_picture("photos/cat.png", 24, 32, seed=1)
    write_picture("photos/dog.png", 32, 24, seed=2)
    write_picture("art/ink.png", 28, 28, seed=3)
    write_picture("art/wave.png", 20, 40, seed=4)


@pytest.fixture
def twin(tiny_plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a second backbone, of other weights, that needs a larger picture."""
    source = Path(tiny.__file__).read_text("utf-8").replace('name="tiny"', 'name="twin"')
    source = source.replace("RandomSource(0)", "RandomSource(7)")
    folder = tmp_path / "twin-site"
    install(folder, "twin", source.replace("minimum_size=8", "minimum_size=16"))
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ['PYTHONPATH']}")
    return folder
