"""A Ray cluster for tests, where Ray is installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Ray looks at these when it is imported. With a token of ours, it writes none into the user's home;
# and its workers stand back for nobody, as tests wait for them.
os.environ.update(
    RAY_AUTH_MODE="token",
    RAY_AUTH_TOKEN="0" * 64,
    RAY_USAGE_STATS_ENABLED="0",
    RAY_worker_niceness="0",
)


@pytest.fixture(scope="session")
def ray_home(tiny_distribution: Path) -> Iterator[Path]:
    """The environment of clusters that tests start: nothing is written into anybody's home.

    Their machines have the tiny backbone, and a cache of weights of their own.
    """
    # Paths of sockets must be short.
    folder = Path(tempfile.mkdtemp(prefix="nst-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tiny_distribution))
        patch.setenv("NST_CACHE", str(folder / "cache"))
        patch.setenv("RAY_TMPDIR", str(folder))
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ray_cluster(ray_home: Path) -> Iterator[None]:
    """A cluster of one machine, that of the tests."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(ray_home))
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    assert not os.path.lexists(ray_home / ".ray")
