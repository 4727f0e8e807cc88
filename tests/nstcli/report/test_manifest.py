"""`manifest.json`: what other programs read of an output folder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nstcli.errors import InputError
from nstcli.plan.pair import Pair
from nstcli.report.manifest import write_manifest
from nstcli.results.folder import Store
from nstcli.results.records import Record, stopped_key
from tests.nstcli.report.output_folders import batch, make, sha256


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return batch(tmp_path, ["cat.png", "dog.png"], ["ink.png", "wave.png"])


def refuse(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


def manifest(store: Store) -> Any:
    path = write_manifest(store)
    assert path == store.folder / "manifest.json"
    return json.loads(path.read_text("utf-8"), parse_constant=refuse)


def test_every_result_is_told_with_its_recipe(store: Store, tmp_path: Path) -> None:
    cat, ink = tmp_path / "photos/cat.png", tmp_path / "art/ink.png"
    make(store, cat, ink, recipe={"style_weight": 99.0})
    found = manifest(store)
    names = ["cat__ink.png", "cat__wave.png", "dog__ink.png", "dog__wave.png"]
    assert [result["name"] for result in found["results"]] == names
    first = found["results"][0]
    assert first["content"] == str(cat)
    assert first["sha256"] == sha256((store.folder / names[0]).read_bytes())
    assert first["content_sha256"] == sha256(cat.read_bytes())
    assert first["style_sha256"] == sha256(ink.read_bytes())
    assert first["bytes"] == (store.folder / names[0]).stat().st_size
    assert (first["width"], first["height"], first["state"]) == (48, 36, "made")
    assert (first["content_error"], first["style_error"]) == (0.25, 0.0125)
    numbers = [result["recipe"] for result in found["results"]]
    assert numbers == [0, 1, 1, 1]
    assert [recipe["style_weight"] for recipe in found["recipes"]] == [99.0, 30.0]


def test_all_of_a_record_is_told_but_its_curve(store: Store) -> None:
    told = set(manifest(store)["results"][0])
    missing = set(Record.model_fields) - told
    assert missing == {"curve", "output_sha256", "inputs", "figures"}
    inputs = {"content", "content_sha256", "style", "style_sha256"}
    figures = set(next(store.records())[1].figures)
    assert figures >= {"loss", "content_error", "style_error"}
    new = {"name", "sha256", "state", "bytes", *inputs, *figures}
    assert told - set(Record.model_fields) == new


def test_totals_states_and_failures(store: Store, tmp_path: Path) -> None:
    (store.folder / "cat__ink.png").unlink()
    cat, dog, ink = (
        tmp_path / "photos/cat.png",
        tmp_path / "photos/dog.png",
        tmp_path / "art/ink.png",
    )
    make(store, dog, ink, key=stopped_key("k"), seconds=1.25)
    store.fail(Pair.of(cat, ink, "sub/x.png"), "image file is truncated", 0.5)
    found = manifest(store)
    assert [result["state"] for result in found["results"]] == [
        "missing",
        "made",
        "stopped",
        "made",
    ]
    assert found["results"][0]["bytes"] is None
    assert found["failures"] == [
        {
            "name": "sub/x.png",
            "content": str(cat),
            "style": str(ink),
            "error": "image file is truncated",
            "seconds": 0.5,
        }
    ]
    assert found["totals"] == {
        "made": 2,
        "stopped": 1,
        "missing": 1,
        "failed": 1,
        "contents": 2,
        "styles": 2,
        "seconds": 10 + 17 + 1.25 + 18,
    }


def test_an_empty_folder_has_an_empty_manifest(tmp_path: Path) -> None:
    found = manifest(Store(tmp_path))
    assert (found["results"], found["failures"], found["recipes"]) == ([], [], [])
    assert found["totals"]["seconds"] == 0


def test_it_has_a_line_for_each_result(store: Store) -> None:
    text = write_manifest(store).read_text("utf-8")
    lines = [line.rstrip(",") for line in text.splitlines() if '"sha256"' in line]
    assert [json.loads(line)["name"] for line in lines] == [
        result["name"] for result in json.loads(text)["results"]
    ]


@pytest.mark.parametrize("name", ['a"><img>#1 100%?.png', "a:smile:[red]\x1b.png", "é\u2028.png"])
def test_any_name_comes_back(store: Store, tmp_path: Path, name: str) -> None:
    make(store, tmp_path / "photos/cat.png", tmp_path / "art/ink.png", name)
    assert name in [result["name"] for result in manifest(store)["results"]]


def test_numbers_that_json_lacks_are_null(store: Store, tmp_path: Path) -> None:
    path = store.layout.hidden / "pairs" / "cat__ink.png.json"
    path.write_text(path.read_text("utf-8").replace('"loss": 0.5', '"loss": NaN'), "utf-8")
    assert manifest(store)["results"][0]["loss"] is None


def test_it_is_written_anew_over_its_own_kind_alone(store: Store) -> None:
    first = write_manifest(store).read_bytes()
    assert write_manifest(store).read_bytes() == first
    for theirs in (b"", b'{"made_by": "webpack"}', b"{\n}"):
        (store.folder / "manifest.json").write_bytes(theirs)
        with pytest.raises(InputError, match=r"manifest\.json' is there and no manifest of nst"):
            write_manifest(store)
        assert (store.folder / "manifest.json").read_bytes() == theirs
    (store.folder / "manifest.json").unlink()
    (store.folder / "manifest.json").mkdir()
    with pytest.raises(InputError, match="no manifest of nst"):
        write_manifest(store)


def test_a_failed_write_leaves_the_old_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write_manifest(store).read_bytes()

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    (store.layout.hidden / "pairs" / "cat__ink.png.json").unlink()
    with pytest.raises(OSError, match="No space"):
        write_manifest(store)
    assert (store.folder / "manifest.json").read_bytes() == first


def test_torch_is_not_imported(store: Store) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from nstcli.report.manifest import write_manifest\n"
        "from nstcli.results.folder import Store\n"
        f"write_manifest(Store(Path({str(store.folder)!r})))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
