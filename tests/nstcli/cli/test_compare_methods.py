"""`nst compare-methods`: the same pairs by several methods, judged, with what each costs."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

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
        ("network", "its styles are networks"),
    ],
)
def test_what_cannot_be_compared_is_refused(nst: Nst, methods: str, message: str) -> None:
    ended = nst(*COMPARE, "--methods", methods)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not Path("out").exists()
