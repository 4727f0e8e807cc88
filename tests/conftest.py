"""Fixtures for all tests: a backbone that needs no download, and pictures.

torch is imported by the fixtures that need it alone: most tests of pictures and plans do not.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from nstcli.images import encode
from tests import tiny

# Tensors of a few hundred pixels gain nothing from threads, and where other programs keep the
# cores busy, waiting for each other slows them down a hundredfold. Subprocesses inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Shells start what they run in the background with Ctrl-C ignored, and a process that begins so
# hands it on: the commands that tests interrupt would never end.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more about the machine than about the code.
settings.register_profile("nst", deadline=None)
settings.load_profile("nst")

if TYPE_CHECKING:
    from backbones.hooks import FeatureExtractor


@pytest.fixture
def extractor() -> FeatureExtractor:
    """The tiny backbone as an extractor, always with the same random weights."""
    from backbones.hooks import FeatureExtractor

    network = tiny.build()
    network.load_state_dict(tiny.random_state())
    return FeatureExtractor(tiny.TINY, network, tiny.IMAGENET)


def install(folder: Path, name: str, module: str, *, package: str = "", offers: str = "") -> None:
    """Put a fake distribution with one backbone plugin into `folder`, made like a real one.

    Args:
        folder: goes on `sys.path` afterwards.
        name: of the backbone.
        module: the source of its only module.
        package: name of the distribution, `NAME-backbone` if not given.
        offers: the entry point's value, `NAME_backbone:TINY` if not given.
    """
    package = package or f"{name}-backbone"
    stem = package.replace("-", "_")
    info = folder / f"{stem}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{stem}.py").write_text(module, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    entry = f"[nst.backbones]\n{name} = {offers or f'{stem}:TINY'}\n"
    (info / "entry_points.txt").write_text(entry)


@pytest.fixture(scope="session")
def tiny_distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a distribution that offers the backbone `tiny`, not yet on any path."""
    folder = tmp_path_factory.mktemp("site")
    install(folder, "tiny", Path(tiny.__file__).read_text("utf-8"))
    return folder


@dataclass(frozen=True)
class Plugin:
    """Where the fake distribution and the empty weights cache of a test are.

    Attributes:
        folder: for the `PYTHONPATH` of subprocesses.
        cache: what `NST_CACHE` names, here and in subprocesses that inherit the environment.
    """

    folder: Path
    cache: Path


@pytest.fixture
def tiny_plugin(tiny_distribution: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Install the backbone `tiny` (`--model tiny`) for this test, with a cache of its own.

    Subprocesses that inherit `os.environ` find both, too.
    """
    cache = tmp_path / "nst-cache"
    monkeypatch.syspath_prepend(str(tiny_distribution))
    importlib.invalidate_caches()
    monkeypatch.setenv("PYTHONPATH", str(tiny_distribution))
    monkeypatch.setenv("NST_CACHE", str(cache))
    return Plugin(tiny_distribution, cache)


def draw(height: int = 24, width: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    """Draw a picture of soft coloured waves with some noise, uint8 (height, width, 3).

    Pictures of different seeds differ in colours and in texture.
    """
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    rgb = np.empty((height, width, 3))
    for channel in range(3):
        along_y, along_x, phase = random.uniform(0.1, 1.2, 3)
        wave = np.sin(along_y * y + along_x * x + 6 * phase)
        rgb[..., channel] = 128 + 90 * wave + random.normal(0, 8, (height, width))
    return rgb.clip(0, 255).astype(np.uint8)


@pytest.fixture
def write_picture(tmp_path: Path) -> Callable[..., Path]:
    """Write a drawn picture below `tmp_path`: `write_picture("photos/a.png", 24, 32, seed=1)`.

    The suffix names the format. Missing folders are made.
    """

    def write(name: str, height: int = 24, width: int = 32, seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(draw(height, width, seed), format=path.suffix.lstrip(".")))
        return path

    return write
