"""`nst status`: what is said of a folder, to people and to programs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nstcli.images import encode
from nstcli.plan.pair import Pair
from nstcli.results.folder import Store
from nstcli.results.locks import Locks
from tests.conftest import draw
from tests.nstcli.cli.conftest import Nst
from tests.nstcli.report.output_folders import batch, make
from tests.nstcli.run.test_journal import event, journal


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return batch(tmp_path, ["cat.png", "dog.png"], ["ink.png", "wave.png"])


def pair(store: Store, name: str) -> Pair:
    base = store.folder.parent
    return Pair.of(base / "photos/cat.png", base / "art/ink.png", name)


def described(nst: Nst, code: int) -> Any:
    ended = nst("status", "out", "--json")
    assert (ended.code, ended.err) == (code, "")
    return json.loads(ended.out)


def test_a_real_batch_is_well(nst: Nst, folders: None, tmp_path: Path) -> None:
    done = nst("batch", "photos", "art", "-o", "out", "-m", "tiny", "-s", "24", "--steps", "2")
    assert done.code == 0
    ended = nst("status", "out")
    assert (ended.code, ended.err) == (0, "")
    head, counts, recipe, run = ended.out.splitlines()
    assert head.startswith("out: 4 results of 2 contents and 2 styles, made in ")
    assert counts == "  4 as made; all is well"
    assert recipe == "  4 × tiny:random · 24 px · 2 steps"
    assert run.startswith("  newest run: 2")
    assert ", 4 made in " in run
    assert described(nst, 0)["newest_run"]["made"] == 4


def test_what_needs_attention_is_listed_with_advice(nst: Nst, store: Store, tmp_path: Path) -> None:
    (store.folder / "cat__ink.png").unlink()
    (store.folder / "cat__wave.png").write_bytes(b"\x89PNG torn")
    (store.folder / "dog__ink.png").write_bytes(encode(draw(seed=9)))
    (tmp_path / "art/wave.png").write_bytes(b"other")
    for name in ("a.png", "b.png"):
        store.fail(pair(store, name), "image file is truncated", 0.1)
    ended = nst("status", "out")
    assert ended.code == 1
    assert ended.out.splitlines()[1:] == [
        "  1 as made, 2 failed, 1 missing, 1 damaged, 1 changed after they were made",
        "  4 × vgg19:00000000 · 64 px · 20 steps",
        "✗ 2 pairs failed: image file is truncated",
        "  cat.png × ink.png",
        "  cat.png × ink.png",
        "! 1 missing; the same command makes them again",
        "  cat__ink.png",
        "! 1 damaged; the same command makes them again",
        "  cat__wave.png",
        "! 1 changed after they were made; --overwrite would replace them",
        "  dog__ink.png",
        "! 1 input changed since results were made of them; --overwrite makes those again",
        f"  {tmp_path / 'art/wave.png'}   style of 2 results",
    ]


def test_long_lists_are_cut_unless_all_is_wanted(nst: Nst, store: Store) -> None:
    for number in range(13):
        store.fail(pair(store, f"{number}.png"), "why", 0.1)
    assert "  … and 3 more; -v lists all" in nst("status", "out").out
    ended = nst("status", "out", "-v")
    assert "more" not in ended.out
    assert ended.out.count("cat.png × ink.png") == 13
    (line,) = [line for line in ended.out.splitlines() if "dog__wave.png" in line]
    facts = "48×36, vgg19:00000000 · 64 px · 20 steps, 18.0s"
    assert line == f"{'as made':28}  dog__wave.png   {facts}"


def test_what_does_no_harm_is_a_note(nst: Nst, store: Store, tmp_path: Path) -> None:
    (tmp_path / "photos/cat.png").unlink()
    (store.folder / "theirs.png").write_bytes(encode(draw()))
    ended = nst("status", "out")
    assert ended.code == 0
    assert "4 as made, 1 not made by nst; all is well" in ended.out
    assert "note: 1 input gone; their results stand" in ended.out
    assert "theirs.png" not in ended.out
    verbose = nst("status", "out", "-v").out
    assert str(tmp_path / "photos/cat.png") in verbose
    assert "not made by nst               theirs.png" in verbose


def test_another_nst_at_work_is_told(nst: Nst, store: Store) -> None:
    journal(store.layout.events, event("r", "started", 1, "new.png"))
    assert nst("status", "out").code == 1
    lock = Locks(store.folder).take("new.png")
    assert lock
    with lock:
        ended = nst("status", "out")
        assert ended.code == 0
        assert "another nst is at work here" in ended.out
        assert "new.png" not in ended.out
        assert described(nst, 0)["at_work"] is True
    ended = nst("status", "out")
    assert "! 1 begun and not finished; the same command makes them\n  new.png" in ended.out


def test_the_json_has_every_field_always(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "out/.nst").mkdir(parents=True)
    empty = described(nst, 0)
    assert empty == {
        "made_by": empty["made_by"],
        "schema": 1,
        "folder": "out",
        "well": True,
        "at_work": False,
        "counts": dict.fromkeys(empty["counts"], 0),
        "seconds": 0,
        "newest_run": None,
        "recipes": [],
        "results": [],
        "others": [],
        "failures": [],
        "inputs": [],
        "broken_records": [],
        "temporary_files": [],
    }
    assert nst("status", "out").out == "out: 0 results\n  nothing; all is well\n"
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    make(store, tmp_path / "photos/cat.png", tmp_path / "art/ink.png", "sub/b.png", seconds=2)
    (store.folder / "sub/b.png").unlink()
    (store.folder / "foreign.png").write_bytes(encode(draw()))
    (tmp_path / "art/ink.png").unlink()
    store.fail(pair(batch(tmp_path, ["cat.png"], ["ink.png"]), "c.png"), "why", 0.25)
    journal(store.layout.events, event("r", "ready", 3.5), event("r", "done", 4.5, "cat__ink.png"))
    full = described(nst, 1)
    assert list(full) == list(empty)
    counts = {state: count for state, count in full["counts"].items() if count}
    assert counts == {"made": 1, "missing": 1, "foreign": 1, "failed": 1}
    assert full["newest_run"] == {
        "started": 3.5, "last": 4.5, "made": 1, "failed": 0, "unfinished": [],
    }  # fmt: skip
    assert [(r["name"], r["state"], r["recipe"], r["why"]) for r in full["results"]] == [
        ("cat__ink.png", "made", 0, None),
        ("sub/b.png", "missing", 0, None),
    ]
    assert [(r["network"], r["results"]) for r in full["recipes"]] == [("vgg19:00000000", 2)]
    assert full["others"] == [{"name": "foreign.png", "state": "foreign"}]
    assert (full["seconds"], full["failures"][0]["error"]) == (12, "why")
    assert [(i["role"], i["state"], i["results"]) for i in full["inputs"]] == [
        ("content", "unchanged", 2),
        ("style", "unchanged", 2),
    ]


HOSTILE = [
    "img[bold].png",
    "[red]x.png",
    "a:smile:.png",
    'a"><img>#1 100%?.png',
    "a\x1b[31m\nb.png",
]


@pytest.mark.skipif(os.name == "nt", reason="Windows refuses such names")
@pytest.mark.parametrize("name", [*HOSTILE, os.fsdecode(b"caf\xe9.png")])
def test_names_are_printed_letter_by_letter_on_one_line(
    nst: Nst, store: Store, tmp_path: Path, name: str
) -> None:
    (store.folder / name).write_bytes(encode(draw()))
    content = tmp_path / "photos" / name
    content.write_bytes(encode(draw()))
    make(store, content, tmp_path / "art/ink.png", "result.png")
    store.fail(Pair.of(content, tmp_path / "art/ink.png", "failed.png"), "bad\x1b[0m", 0)
    (store.folder / "result.png").unlink()
    content.write_bytes(b"changed")
    ended = nst("status", "out", "-v")
    assert ended.code == 1
    assert "\x1b" not in ended.out
    told = name.replace("\x1b", "\\x1b").replace("\n", "\\n").replace("\udce9", "\\xe9")
    assert f"not made by nst               {told}\n" in ended.out
    assert f"  {told} × ink.png\n" in ended.out
    assert f"/photos/{told}   content of 1 result\n" in ended.out
    found = described(nst, 1)
    assert found["others"][0]["name"] == name.replace("\udce9", "\\xe9")


def test_wrong_folders_are_refused(nst: Nst, store: Store) -> None:
    ended = nst("status", "photos")
    assert ended.code == 2
    assert "no batch was made in 'photos'" in ended.err
    assert ended.out == ""


def test_the_help_says_what_the_exit_code_means(nst: Nst) -> None:
    ended = nst("status", "-h").out
    assert "Exit code 0: all is well" in " ".join(ended.split())


def test_torch_is_not_imported(store: Store) -> None:
    code = (
        "import sys; from nstcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, "status", str(store.folder)], check=True)


def test_thousands_of_results_take_seconds(nst: Nst, store: Store) -> None:
    """6000 records, as small as they come: what is measured is ours, not the disk."""
    pairs = store.layout.hidden / "pairs"
    text = (pairs / "cat__ink.png.json").read_bytes()
    picture = (store.folder / "cat__ink.png").read_bytes()
    for number in range(6000):
        (pairs / f"{number}.png.json").write_bytes(text)
        (store.folder / f"{number}.png").write_bytes(picture)
    started = time.process_time()
    assert described(nst, 0)["counts"]["made"] == 6004
    assert time.process_time() - started < 20
