"""What is said fits what is: parts of a batch, nothing made, results in the way, dry runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nstcli.images import encode
from tests.conftest import draw
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders")

RUN = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "--steps", "2")
CAUSE = "photos/bad.png: "


@pytest.fixture
def bad(folders: None, tmp_path: Path) -> None:
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG no more")


@pytest.mark.parametrize(
    ("options", "head"),
    [
        ((), "4 pairs: 2 contents × 2 styles · "),
        (("--limit", "2"), "2 pairs: 1 content × 2 styles · "),
        (("--limit", "3"), "3 pairs of 2 contents and 2 styles · "),
        (("--pairs", "zip"), "2 pairs of 2 contents and 2 styles · "),
        (("--shard", "2/2"), "2 pairs: 2 contents × 1 style · "),
    ],
)
def test_a_product_is_told_only_of_what_is_one(
    nst: Nst, options: tuple[str, ...], head: str
) -> None:
    assert nst(*RUN, *options).err.startswith(head)


def test_an_empty_part_of_a_batch_is_told_and_no_failure(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*RUN, "--shard", "5/6", "--json")
    note, head, done = ended.err.splitlines()
    assert note == "note: part 5/6 is empty: the batch has 4 pairs"
    assert head.startswith("0 pairs · tiny")
    assert done.startswith("Done: nothing made in ")
    assert (ended.code, json.loads(ended.out)["made"]) == (0, 0)
    assert not (tmp_path / "out/index.html").exists()


@pytest.mark.usefixtures("bad")
def test_a_run_that_left_nothing_has_no_gallery_to_complain_of(nst: Nst) -> None:
    ended = nst(*RUN, "--fail-fast")
    assert (ended.code, "warning" in ended.err) == (3, False)
    assert "stopped at the first failure: bad.png × ink.png: photos/bad.png" in ended.err


@pytest.mark.usefixtures("bad")
def test_a_cause_is_told_once_where_the_end_comes_at_once(nst: Nst) -> None:
    assert nst(*RUN).err.count(CAUSE) == 2  # before the others are made, and at the end
    assert nst(*RUN).err.count(CAUSE) == 1


def test_a_picture_that_is_none_is_told_everywhere(nst: Nst, tmp_path: Path) -> None:
    slow = (*RUN, "--optimizer", "adam", "--learning-rate", "1e-9", "--limit", "3")
    why = "to the eye, it still is what it began with; try a larger --learning-rate, "
    ended = nst(*slow, "-q", "--json")
    assert ended.code == 0
    assert ended.err.startswith(f"  ! 3 pairs   {why}")
    told = json.loads(ended.out)
    assert (told["made"], len(told["no_better"])) == (3, 3)
    assert told["no_better"][0]["result"] == "cat__ink.png"
    assert told["no_better"][0]["shortfall"].startswith(why)
    records = [json.loads(path.read_text()) for path in tmp_path.glob("out/.nst/pairs/*.json")]
    assert len(records) == 3
    for record in records:
        assert record["shortfall"].startswith(why)
        assert record["figures"]["loss"] == pytest.approx(record["figures"]["loss_before"])
    (log,) = tmp_path.glob("out/.nst/run-*.log")
    assert log.read_text().count(why) == 3
    assert nst("status", "out").out.splitlines()[4].startswith(f"note: 3 results: {why}")
    lines = nst(*slow, "--force").err.splitlines()
    assert lines[2].startswith("[1/3] ! cat.png × ink.png → cat__ink.png  ")
    assert why in lines[2]
    assert lines[5].startswith("Done: 3 made (3 no better than at the start) in ")
    assert lines[6].startswith(f"  ! 3 pairs   {why}")


@pytest.mark.usefixtures("bad")
def test_what_was_not_made_is_not_pointed_at(nst: Nst, tmp_path: Path) -> None:
    ended = nst("stylize", "photos/bad.png", "art/ink.png", "-m", "tiny")
    assert (ended.code, "→" in ended.err) == (1, False)


def test_several_edited_results_are_told_in_the_plural(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    for name in ("cat__ink.png", "dog__ink.png"):
        (tmp_path / "out" / name).write_bytes(encode(draw(seed=9)))
    told = "nst: 2 of 4 results in 'out' were changed after they were made. --overwrite "
    assert nst(*RUN).err.startswith(told)


def test_the_demo_gives_advice_that_it_understands(nst: Nst, tmp_path: Path) -> None:
    mine = tmp_path / "show/stylized/rocket__ink_waves.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(encode(draw()))
    ended = nst("demo", "show")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        2,
        "nst: 1 of 4 results in 'show/stylized' was not made by nst. They stay as they are; "
        "for new ones, name another folder: nst demo show-2",
    )


@pytest.mark.usefixtures("bad")
def test_a_dry_run_for_programs(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN, "--limit", "4")
    (tmp_path / "out/cat__ink.png").unlink()
    ended = nst(*RUN, "-n", "--json", "--steps", "3")
    found = json.loads(ended.out)
    told = {pair["result"]: (pair["state"], pair["why"]) for pair in found["pairs"]}
    stale = ("made with other settings", "steps 2 → 3")
    missing = ("missing", None)
    assert {name: state for name, state in told.items() if "bad" not in name} == {
        "cat__ink.png": missing, "cat__wave.png": stale,
        "dog__ink.png": missing, "dog__wave.png": missing,
    }  # fmt: skip
    state, why = told["bad__ink.png"]
    assert (state, CAUSE in why) == ("cannot be made", True)
    assert found["pairs"][0]["content"] == "photos/cat.png"
    assert 0 < found["peak_memory"] < 10**8


def test_json_is_json_where_the_output_cannot_encode_every_letter(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    write_picture("photos/café 😀.png")
    assert nst(*RUN).code == 0
    # Not ASCII, which typer takes for a mistake and replaces by UTF-8.
    western = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    for command in (["status", "out", "--json"], [*RUN, "-n", "--json"], ["layers", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "nstcli", *command],
            cwd=tmp_path, env=western, capture_output=True, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        names = {result.get("name", result.get("result")) for result in found.get("results", [])}
        assert command[0] != "status" or "café 😀__ink.png" in names


def test_one_local_worker_is_not_several(nst: Nst, tmp_path: Path) -> None:
    for several, told in ((("-j", "2"), "is one worker"), (("--device", "cpu,cpu"), "no device")):
        ended = nst(*RUN, "--backend", "local", *several)
        assert (ended.code, told in ended.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_no_name_for_a_result(nst: Nst) -> None:
    ended = nst("stylize", "photos/cat.png", "art/ink.png", "-m", "tiny", "-o", "art")
    assert ended.code == 2
    assert ended.err == "nst: 'art' is a folder; name the result itself: -o 'art/NAME.png'\n"


def test_a_place_where_no_folder_can_be_has_advice(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(b"")
    ended = nst("stylize", "photos/cat.png", "art/ink.png", "-m", "tiny", "-o", "file.png/x.png")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        2,
        "nst: cannot write to 'file.png/x.png': File exists; choose another -o",
    )
