import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import backbones
from tests.conftest import install
from tests.nstcli.cli.conftest import Nst

# Whatever touches the network or torch while a command runs is an error in these processes.
_GUARDED = """
import socket, sys
def refuse(*a, **k): raise AssertionError("network used")
socket.socket.connect = refuse
from nstcli.cli.app import main
try: main()
except SystemExit as end: assert not end.code, end.code
assert "torch" not in sys.modules, "torch was imported"
"""


@pytest.mark.parametrize("name", backbones.names())
def test_layers_need_neither_network_nor_weights_nor_torch(name: str, tmp_path: Path) -> None:
    arguments = ["layers", "--model", name, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", _GUARDED, *arguments],
        env={**os.environ, "NST_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert [row["name"] for row in listed["layers"]] == [
        layer.name for layer in backbones.get(name).layers
    ]


def test_json_tells_everything_of_a_layer(nst: Nst) -> None:
    rows = json.loads(nst("layers", "-m", "vgg19", "--json").out)["layers"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["relu4_2"] == {
        "index": 22,
        "name": "relu4_2",
        "module": "features.22",
        "kind": "relu",
        "channels": 512,
        "stride": 8,
        "receptive_field": 84,
        "content": 1.0,
        "style": None,
    }
    assert by_name["relu5_1"]["receptive_field"] == 156  # engine facts, measured
    assert [row["name"] for row in rows if row["style"]] == [
        f"relu{block}_1" for block in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("model", "layer", "dense", "strided"),
    [("squeezenet", "fire2", (2, 9), (4, 15)), ("mobilenet", "stage2", (2, 11), (4, 19))],
)
def test_strides_and_fields_are_those_of_the_stem_that_a_recipe_has(
    nst: Nst, model: str, layer: str, dense: tuple[int, int], strided: tuple[int, int]
) -> None:
    for flags, told, expected in ((("--dense",), True, dense), ((), True, dense),
                                  (("--no-dense",), False, strided)):  # fmt: skip
        listed = json.loads(nst("layers", "-m", model, *flags, "--json").out)
        (row,) = [row for row in listed["layers"] if row["name"] == layer]
        assert listed["dense"] is told
        assert (row["stride"], row["receptive_field"]) == expected
    assert f"{model} with a dense stem (the default): " in nst("layers", "-m", model).out
    title = nst("layers", "-m", model, "--no-dense").out
    assert f"{model} with its stride (--no-dense): " in title
    assert json.loads(nst("layers", "-m", "vgg19", "--json").out)["dense"] is False


def test_the_table_names_every_layer_and_the_roles(nst: Nst) -> None:
    ended = nst("layers", "--model", "tiny")
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["4", "relu2", "4", "relu", "12", "2", "8", "content", "1,", "style", "1"] in rows
    assert ["2", "pool1", "2", "pool", "8", "2", "4"] in rows


def test_without_a_model_it_lists_backbones_with_their_weights(nst: Nst) -> None:
    out = nst("layers").out
    for name in ("vgg19", "gatys", "squeezenet", "mobilenet", "tiny", "CC0", "87.6 MB"):
        assert name in out
    listed = json.loads(nst("layers", "--json").out)["backbones"]
    tiny = next(backbone for backbone in listed if backbone["name"] == "tiny")
    assert tiny["weights"][0]["default"] is True
    assert tiny["weights"][0]["licence"] == "CC0"


def test_a_broken_plugin_is_one_line_beside_the_others(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "broken", "import nowhere")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    ended = nst("layers")
    assert ended.code == 0
    assert "vgg19" in ended.out
    assert "warning: backbone 'broken' from the package 'broken-backbone'" in ended.err
    assert "No module named 'nowhere'" in ended.err
    assert nst("layers", "-m", "broken").code == 2


def test_an_unknown_model_suggests_the_closest(nst: Nst) -> None:
    ended = nst("layers", "-m", "squeezent")
    assert ended.code == 2
    assert "unknown backbone 'squeezent' (did you mean 'squeezenet'?)" in ended.err
