from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backbones.weights.weights_loopback import Site, serving


@pytest.fixture(autouse=True)
def nst_cache(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """An empty cache, and an index that nobody answers for; real ones under `network`."""
    folder = tmp_path / "cache"
    if not request.node.get_closest_marker("network"):
        monkeypatch.setenv("NST_CACHE", str(folder))
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
        monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with serving() as site:
        monkeypatch.setenv("PIP_INDEX_URL", site.index)
        yield site


@pytest.fixture
def other_site() -> Iterator[Site]:
    with serving() as site:
        yield site
