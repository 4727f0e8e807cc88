"""What became of the photos and artworks that records name."""

import os
import sys
from pathlib import Path

import pytest

from nstcli.report.origins import InputState, candidates, find_origins
from nstcli.results.digests import Digests
from nstcli.text import stored
from tests.nstcli.report.output_folders import batch, sha256


def traces(out: Path, folder: Path) -> dict[str, InputState]:
    from nstcli.results.folder import Store

    records = [record for _, record in Store(out).records()]
    found = find_origins(records, folder, Digests(None))
    return {Path(origin.path).name: origin.state for origin in found}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return batch(tmp_path, ["cat.png", "dog.png"], ["ink.png"]).folder


@pytest.fixture
def relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A batch started in `tmp_path`, with paths as users write them."""
    monkeypatch.chdir(tmp_path)
    batch(Path(), ["cat.png", "dog.png"], ["ink.png"])
    return tmp_path / "out"


def test_each_input_is_told_once_with_its_results(out: Path, tmp_path: Path) -> None:
    from nstcli.results.folder import Store

    records = [record for _, record in Store(out).records()]
    found = find_origins(records, out, Digests(None))
    assert [(o.role, Path(o.path).name, o.results) for o in found] == [
        ("content", "cat.png", 1),
        ("content", "dog.png", 1),
        ("style", "ink.png", 2),
    ]
    assert {origin.state for origin in found} == {InputState.UNCHANGED}
    assert found[2].found == tmp_path / "art/ink.png"
    assert found[2].sha256 == sha256((tmp_path / "art/ink.png").read_bytes())


def test_changed_gone_and_unreadable(out: Path, tmp_path: Path) -> None:
    (tmp_path / "photos/cat.png").write_bytes(b"other")
    (tmp_path / "photos/dog.png").unlink()
    (tmp_path / "art/ink.png").unlink()
    (tmp_path / "art/ink.png").mkdir()
    assert traces(out, out) == {
        "cat.png": InputState.CHANGED,
        "dog.png": InputState.GONE,
        "ink.png": InputState.UNREADABLE,
    }


def test_relative_paths_are_found_where_the_batch_ran(relative: Path) -> None:
    assert set(traces(relative, Path("out")).values()) == {InputState.UNCHANGED}
    Path("photos/cat.png").unlink()
    assert traces(relative, Path("out"))["cat.png"] is InputState.NOT_FOUND


def test_relative_paths_are_found_beside_the_folder(
    relative: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From anywhere, also where another file has that name."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "photos").mkdir(parents=True)
    (elsewhere / "photos/cat.png").write_bytes(b"other")
    monkeypatch.chdir(elsewhere)
    assert set(traces(relative, relative).values()) == {InputState.UNCHANGED}
    (tmp_path / "photos/cat.png").unlink()
    assert traces(relative, relative)["cat.png"] is InputState.CHANGED


def test_nothing_is_said_of_what_is_not_found_from_here(
    relative: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "archive/of").mkdir(parents=True)
    moved = relative.rename(tmp_path / "archive/of/out")
    monkeypatch.chdir(tmp_path / "archive")
    assert set(traces(moved, moved).values()) == {InputState.NOT_FOUND}


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names are Unicode there")
def test_names_that_are_no_utf8_are_found_by_listing(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\\xe9/b\xff.png"))
    path.parent.mkdir()
    path.write_bytes(b"data")
    assert list(candidates(stored(path), tmp_path)) == [path]


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "", ".", "\\x", "a\\xff/b"])
def test_paths_that_cannot_be_are_not_found(tmp_path: Path, path: str) -> None:
    found = list(candidates(path, tmp_path))
    assert all(place.is_dir() for place in found)
