"""`nst compare-methods`: the same pairs by several methods, judged, with what each costs."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nstcli.networks.file import Notes, write
from nstcli.networks.transformation import TransformationNetwork
from tests.nstcli.cli.conftest import Nst
from tests.nstcli.run.small_networks import of_small_networks

COMPARE = (
    "compare-methods",
    "photos",
    "art",
    "-o",
    "out",
    "-m",
    "tiny",
    "-s",
    "48",
    "--steps",
    "2",
)


@pytest.fixture(autouse=True)
def pictures(nst: Nst, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, as others would know nothing of small networks."""
    write_picture("photos/p.png", 48, 64)
    write_picture("art/a.png", 48, 64, seed=8)
    of_small_networks(monkeypatch)
    monkeypatch.setattr("nstcli.cli.comparing._BACKEND", "local")


@pytest.mark.network
def test_the_same_pairs_by_every_method_that_paints_after_pictures(nst: Nst) -> None:
    ended = nst(*COMPARE, "--export-csv", "table.csv", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    optimized, at_once, *baselines = told["rows"]
    assert (optimized["title"], at_once["title"]) == ("optimize", "adain")
    assert len(baselines) == 2
    assert {"seconds", "style_error", "lpips"} <= set(at_once["figures"])
    assert {"steps", "step_seconds"} <= set(optimized["figures"])
    assert not {"steps", "step_seconds"} & set(at_once["figures"])
    assert told["recipes"]["adain"]["method"] == "adain"
    lines = list(csv.DictReader(Path("table.csv").read_text("utf-8").splitlines()))
    assert [line["steps"] for line in lines] == ["2", "0"]
    assert Path("out/p__a__adain.png").exists()
    again = nst(*COMPARE)
    assert again.code == 0
    assert "48 px · 2 steps · seed 0" in again.out


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("adian", "unknown method 'adian' (did you mean 'adain'?)"),
        ("adain,adain", "should name each method once"),
        ("", "should name each method once"),
        ("network", "could paint after; --networks names those of nst train"),
        ("cyclegan", "its styles are networks"),
    ],
)
def test_what_cannot_be_compared_is_refused(nst: Nst, methods: str, message: str) -> None:
    ended = nst(*COMPARE, "--methods", methods)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not Path("out").exists()


def trained(path: Path, artwork: Path, seconds: float = 90.0) -> Path:
    """Write a network that was trained for an artwork, as its notes say."""
    torch.manual_seed(0)
    sha256 = hashlib.sha256(artwork.read_bytes()).hexdigest()
    notes = Notes(artwork.stem, {"styles": [[sha256, 1.0]]}, seconds=seconds)
    path.parent.mkdir(exist_ok=True)
    write(path, TransformationNetwork(2, 1), notes)
    return path


def test_an_artwork_without_a_network_of_its_own_is_told(
    nst: Nst, write_picture: Callable[..., Path]
) -> None:
    trained(Path("nets/b.safetensors"), write_picture("other/b.png", 48, 64, seed=9))
    ended = nst(*COMPARE, "--methods", "all", "--networks", "nets")
    assert ended.code == 2
    assert "art/a.png: no network in 'nets' was trained for it" in " ".join(ended.err.split())
    assert not Path("out").exists()


@pytest.mark.network
def test_networks_paint_after_the_artworks_they_were_trained_for(nst: Nst) -> None:
    trained(Path("nets/called_otherwise.safetensors"), Path("art/a.png"))
    ended = nst(
        *COMPARE, "--methods", "optimize,network", "--networks", "nets", "--json",
        "--export-csv", "table.csv", "--export-markdown", "table.md",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "| method | " in Path("table.md").read_text("utf-8")
    optimized, network, *baselines = json.loads(ended.out)["rows"]
    assert (optimized["title"], network["title"]) == ("optimize", "network")
    assert network["figures"]["training_seconds"]["value"] == 90
    assert "training_seconds" not in optimized["figures"]
    # It is held against the artwork, as the others are.
    assert {"style_error", "structure", "seconds"} <= set(network["figures"])
    assert len(baselines) == 2
    lines = list(csv.DictReader(Path("table.csv").read_text("utf-8").splitlines()))
    assert [Path(line["style"]).name for line in lines] == ["a.png", "called_otherwise.safetensors"]
    assert Path("out/p__a__network.png").exists()
