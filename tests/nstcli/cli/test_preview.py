"""`--preview` of an experiment and of a batch, with the tiny backbone and a twin of it."""

import json
from pathlib import Path

import pytest

from nstcli.cli.previewing import full_command
from nstcli.report.choosing import Choosing, read_choosing
from nstcli.report.varying import read_order
from nstcli.results.folder import Store
from nstcli.results.records import Record
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders", "twin")

FILE = """
content = "photos"
style = "art"
size = 40
steps = 9
[sweep]
style-weight = [3, 30]
model = ["tiny", "twin"]
[backbone.twin]
steps = 12
"""
RUN = ("run", "x.toml", "-o", "out", "--preview", "--size", 32, "--steps=4")
BATCH = ("batch", "photos", "art", "-o", "out", "--model", "tiny", "--size", 24, "--steps", 3)


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Path:
    """Write the experiment."""
    path = tmp_path / "x.toml"
    path.write_text(FILE)
    return path


def records(folder: str) -> dict[str, Record]:
    return dict(Store(Path(folder)).records())


def test_a_preview_is_the_whole_grid_small_in_a_folder_of_its_own(nst: Nst) -> None:
    ended = nst(*RUN)
    assert ended.code == 0, ended.err
    made = records("out/preview")
    assert len(made) == 16
    assert {(r.recipe["size"], r.recipe["steps"]) for r in made.values()} == {(32, 4)}
    assert "mark pictures in the gallery, or: nst run x.toml -o out --cells CELLS" in ended.err
    assert not Path("out/.nst").exists()
    layout = Store(Path("out/preview")).layout
    assert read_order(layout) == {"style-weight": ["3", "30"], "model": ["tiny", "twin"]}
    choosing = read_choosing(layout)
    assert choosing.command == "nst run x.toml -o out"
    assert set(choosing.cells) == set(made)
    assert 'value="d4"' in Path("out/preview/index.html").read_text("utf-8")

    # What was marked is then made at full size, and nothing else.
    cell, name = "c2", next(n for n, c in choosing.cells.items() if c == "c2")
    assert nst(*choosing.command.split()[1:], "--cells", cell).code == 0
    (painted,) = records("out").items()
    assert (painted[0], painted[1].recipe["size"], painted[1].recipe["steps"]) == (name, 40, 9)
    assert nst("status", "out").code == nst("status", "out/preview").code == 0
    assert "Done: 16 cached" in nst(*RUN).err


def test_what_varies_varies_in_a_preview_too(nst: Nst) -> None:
    only = ("--set", "content=photos/cat.png", "--set", "style=art/ink.png")
    sizes = (
        *only,
        "--set",
        "sweep.size=[16, 32]",
        "--set",
        "model=tiny",
        "--set",
        "style-weight=3",
    )
    assert nst(*RUN, *sizes).code == 0
    assert sorted(r.recipe["size"] for r in records("out/preview").values()) == [16, 32]


@pytest.mark.parametrize(("option", "value"), [("--size", "64"), ("--steps", "5")])
def test_size_and_steps_of_a_preview_are_no_others(nst: Nst, option: str, value: str) -> None:
    ended = nst("run", "x.toml", option, value)
    assert ended.code == 2
    assert f"--preview; for all pictures: --set {option[2:]}={value}" in ended.err


def test_a_batch_has_a_preview_whose_pairs_have_numbers(nst: Nst) -> None:
    ended = nst(*BATCH[:-4], "--preview", "--size", 24, "--steps", 3)
    assert ended.code == 0, ended.err
    # It is never larger than what it is a preview of.
    made = records("out/preview")
    assert {(r.recipe["size"], r.recipe["steps"]) for r in made.values()} == {(24, 3)}
    choosing = read_choosing(Store(Path("out/preview")).layout)
    assert choosing.cells == {
        "cat__ink.png": "1", "cat__wave.png": "2", "dog__ink.png": "3", "dog__wave.png": "4"
    }  # fmt: skip
    assert nst(*choosing.command.split()[1:], "--cells", "2,3").code == 0
    assert set(records("out")) == {"cat__wave.png", "dog__ink.png"}
    listed = json.loads(nst(*BATCH, "-n", "--json", "--cells", "4").out)["pairs"]
    assert [(each["cell"], each["result"]) for each in listed] == [("4", "dog__wave.png")]
    assert "there is no 5" in nst(*BATCH, "--cells", "5").err


def test_a_batch_is_previewed_at_192_pixels_and_60_steps(nst: Nst) -> None:
    ended = nst("batch", "photos", "art", "-o", "out", "--model", "tiny", "--preview", "-n")
    assert "192 px · 60 steps" in ended.err


def test_a_folder_of_results_is_not_called_like_the_preview(nst: Nst, write_picture) -> None:
    write_picture("photos/preview/owl.png", 24, 24, seed=9)
    ended = nst(*BATCH, "-r", "-n")
    assert "preview_/owl__ink.png" in ended.out


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("run x.toml --preview", "nst run x.toml"),
        ("run x.toml --size 96 --steps=9 --preview -o out", "nst run x.toml -o out"),
        ("run x.toml --preview --where a=b --cells b2 --force -n", "nst run x.toml"),
        ("batch a* b --preview -s 64 --overwrite", "nst batch 'a*' b -s 64"),
    ],
)
def test_the_full_command_is_the_one_given_without_what_is_the_preview_s(
    given: str, command: str
) -> None:
    assert full_command(given.split(), ("--size", "--steps")) == command


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"command": 1}', '{"command": "", "cells": []}'])
def test_what_no_preview_wrote_lets_nobody_choose(tmp_path: Path, text: str) -> None:
    layout = Store(tmp_path).layout
    assert read_choosing(layout) == Choosing()
    layout.hidden.mkdir()
    layout.choosing.write_text(text)
    assert read_choosing(layout) == Choosing()
