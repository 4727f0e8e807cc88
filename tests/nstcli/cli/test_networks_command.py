from pathlib import Path

import pytest
import torch

from nstcli.networks import file, ready
from nstcli.networks.transformation import TransformationNetwork
from tests.nstcli.cli.conftest import Nst


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def listed(text: str) -> dict[str, str]:
    """Return the first line of each network's row."""
    return {line.split()[0]: line for line in text.splitlines() if "network:" in line}


def test_ready_made_ones_are_offered(nst: Nst) -> None:
    ended = nst("networks")
    assert ended.code == 0
    lines = listed(ended.out)
    assert lines.keys() == {"network:multistyle/*"}
    assert "here" not in lines["network:multistyle/*"]
    assert "Apache-2.0" in lines["network:multistyle/*"]
    assert "nst networks pull multistyle" in ended.err


def test_networks_in_the_cache_are_listed_with_what_is_known(nst: Nst, cache: Path) -> None:
    folder = ready.folder()
    folder.mkdir(parents=True)
    notes = file.Notes("wave", licence="CC0", seconds=754.0)
    file.write(folder / "mine.safetensors", TransformationNetwork(2, 1), notes)
    torch.save({}, folder / "broken.pth")
    lines = listed(nst("networks").out)
    assert "12m34s" in lines["network:mine"]
    assert "a transformation network" in lines["network:mine"]
    assert "CC0" in lines["network:mine"]
    assert "it holds no" in lines["network:broken"]


def test_what_is_not_there_is_not_pulled(nst: Nst) -> None:
    ended = nst("networks", "pull", "multistil")
    assert ended.code == 2
    assert "did you mean 'multistyle'" in ended.err


def test_an_index_that_cannot_be_reached_is_a_failure(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    ended = nst("networks", "pull", "multistyle")
    assert ended.code == 1
    assert "styletransfer" in ended.err
