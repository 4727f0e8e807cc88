"""The gallery's file and what is kept beside it; what it does is tested in the browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nstcli.errors import InputError
from nstcli.images import encode, size_of
from nstcli.plan.names import safe
from nstcli.plan.pair import Pair
from nstcli.report import gallery_data
from nstcli.report import thumbs as copies
from nstcli.report.gallery import write_gallery
from nstcli.report.grid import thinned
from nstcli.report.thumbs import SMALL, Thumbs
from nstcli.report.varying import write_order
from nstcli.results.folder import Store
from nstcli.results.records import Measured
from tests.conftest import draw
from tests.nstcli.report.output_folders import batch, make, sha256, write


@pytest.fixture
def made(tmp_path: Path) -> Store:
    return batch(tmp_path, ["cat.png", "dog.png"], ["ink.png"])


def data_of(page: Path) -> Any:
    found = re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    return json.loads(found[1])


def stored(store: Store) -> dict[str, int]:
    folder = store.folder / ".nst/thumbs"
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def flaws(page: Path) -> list[str]:
    return re.findall(r'class="flaw">(.*?)<', page.read_text("utf-8"))


def test_copies_are_named_by_what_they_show_and_made_once(made: Store, tmp_path: Path) -> None:
    write_gallery(made.folder)
    first = stored(made)
    assert len(first) == 2 * 3 + 2  # inputs in two sizes, results in one
    cat = sha256((tmp_path / "photos/cat.png").read_bytes())
    assert f"{cat}.420.48x36.webp" in first
    make(made, tmp_path / "photos/dog.png", write(tmp_path / "art/wave.png", 50, 40, 77))
    write_gallery(made.folder)
    second = stored(made)
    assert len(second) == len(first) + 3
    assert first.items() <= second.items()


def test_a_style_that_is_a_network_is_shown_by_the_picture_beside_it(
    made: Store, tmp_path: Path
) -> None:
    picture = write(tmp_path / "art/candy.png", 30, 60, 5)
    network = picture.with_suffix(".pth")
    network.write_bytes(b"tensors")
    make(made, tmp_path / "photos/cat.png", network)
    write_gallery(made.folder)
    assert f"{sha256(network.read_bytes())}.420.60x30.webp" in stored(made)


def test_a_page_to_be_sent_says_nothing_of_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths of inputs stand in titles, in labels where names are not unique, and in messages."""
    home = tmp_path / "home/anna"
    monkeypatch.setenv("HOME", str(home))
    store = Store(home / "out")
    store.prepare()
    cats = [write(home / place / "cat.png", 36, 48, seed) for seed, place in enumerate("ab")]
    ink = write(home / "art/ink.png", 40, 30, 9)
    for number, cat in enumerate(cats):
        make(store, cat, ink, f"{number}.png", notes=(f"{cat}: has no colour profile",))
    bad = Pair.of(home / "a/dog.png", ink, "bad.png")
    store.fail(bad, f"{home}/a/dog.png: is broken; '{store.folder}/x.png', {home}/.cache", 0.0)
    beside = write_gallery(store.folder).read_text("utf-8")
    assert f'title="{cats[0]}"' in beside
    alone = write_gallery(store.folder, self_contained=True).read_text("utf-8")
    assert str(tmp_path) not in alone
    assert "anna" not in alone
    labels = data_of(store.layout.gallery)["axes"][0]["values"]
    digits = [sha256(cat.read_bytes())[:8] for cat in cats]
    assert labels == [f"cat.png ({each})" for each in digits] + ["dog.png"]
    assert "cat.png: has no colour profile" in alone
    assert "dog.png: is broken; &#39;x.png&#39;, ~/.cache" in alone


@pytest.mark.parametrize("known", [True, False], ids=["of a file", "of folders alone"])
def test_a_page_to_be_sent_says_nothing_of_where_weights_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    home = tmp_path / "anna"
    monkeypatch.setenv("HOME", str(home))
    store = batch(home, [], [])
    content, style = write(home / "a.png", 36, 48, 1), write(home / "b.png", 40, 30, 2)
    weights = [str(home / place / "w.pth") for place in "xy"]
    for each in weights:
        make(store, content, style, f"weights={safe(each)}/a__b.png")
    if known:
        write_order(store.layout, {"weights": weights})
    data = data_of(write_gallery(store.folder))
    assert data["axes"][2]["values"] == (weights if known else [*map(safe, weights)])
    alone = write_gallery(store.folder, self_contained=True)
    assert "anna" not in alone.read_text("utf-8")
    names = ["w.pth (1)", "w.pth (2)"] if known else ["~_x_w.pth", "~_y_w.pth"]
    assert data_of(alone)["axes"][2]["values"] == names


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("photos/cat.png", "photos/cat.png"),
        ("../secret/cat.png", "cat.png"),
        (r"C:\Users\Anna\cat.png", "cat.png"),
        ("/cat.png", "cat.png"),
    ],
)
def test_what_a_page_to_be_sent_calls_an_input(made: Store, path: str, title: str) -> None:
    for output, record in list(made.records()):
        inputs = tuple(
            each.model_copy(update={"path": path}) if each.path.endswith("cat.png") else each
            for each in record.inputs
        )
        pair = Pair.of(Path("c"), Path("s"), output)
        data = (made.folder / output).read_bytes()
        made.save(pair, data, record.model_copy(update={"inputs": inputs}))
    page = write_gallery(made.folder, self_contained=True).read_text("utf-8")
    assert f'title="{title}"' in page


def test_times_are_written_as_on_the_screen(made: Store) -> None:
    assert "made in 21.0s" in write_gallery(made.folder).read_text("utf-8")
    for output, record in made.records():
        pair = Pair.of(*(Path(each.path) for each in record.inputs), output)
        data = (made.folder / output).read_bytes()
        made.save(pair, data, record.model_copy(update={"seconds": 4000.0}))
    assert "made in 2h13m" in write_gallery(made.folder).read_text("utf-8")


def test_figures_stand_beside_both_baselines_with_what_they_can_tell(made: Store) -> None:
    output, record = next(made.records())
    known = Measured(
        output_sha256=record.output_sha256,
        judge="vgg16",
        witness="mobilenet",
        values={"structure": 0.134, "beauty": 1.0, "lpips": 0.4},
        baselines={"content": {"structure": 0.0}, "style": {"structure": 0.19111}},
    )
    made.save_measured(output, known)
    page = data_of(write_gallery(made.folder))
    first = page["measures"].index("measured structure")
    assert page["measures"][first:] == ["measured structure", "measured LPIPS", "measured beauty"]
    work = next(each for each in page["works"] if each["judge"])
    assert work["judge"] == "vgg16 and mobilenet"
    assert work["values"][first:] == [0.134, 0.4, 1.0]
    assert work["baselines"] == [None] * first + [[0.0, 0.1911], [None, None], [None, None]]
    assert "It cannot say whether a thing is still recognised" in page["about"][first]
    assert page["about"][:first] == [""] * first
    assert page["about"][-1] == ""


def test_a_gallery_without_news_reads_no_picture(
    made: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_gallery(made.folder).read_bytes()
    monkeypatch.setattr(copies, "decode", None)
    read = Path.read_bytes

    def only_records(path: Path) -> bytes:
        assert path.suffix in {".json", ".html"}, path
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", only_records)
    assert write_gallery(made.folder).read_bytes() == first


def test_it_survives_inputs_that_moved(made: Store, tmp_path: Path) -> None:
    before = write_gallery(made.folder).read_bytes()
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    assert write_gallery(made.folder).read_bytes() == before


def test_an_input_that_changed_before_the_first_look_is_not_shown(
    made: Store, tmp_path: Path
) -> None:
    write(tmp_path / "photos/cat.png", 36, 48, 99)
    page = write_gallery(made.folder).read_text("utf-8")
    assert page.count("not found</span>") == 1
    assert sha256((tmp_path / "photos/cat.png").read_bytes()) not in page


@pytest.mark.parametrize("where", [".", "out", "elsewhere"])
def test_relative_inputs_are_found_from_beside_the_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    store = batch(Path(), ["cat.png"], ["ink.png"])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / where)
    assert "not found</span>" not in write_gallery(tmp_path / store.folder).read_text("utf-8")


def later(path: Path) -> None:
    """Make a file newer than every copy, however coarse the clock of the file system is."""
    os.utime(path, (time.time() + 5, time.time() + 5))


def test_a_result_that_changed_is_shown_as_it_is(made: Store) -> None:
    write_gallery(made.folder)
    path = made.folder / "cat__ink.png"
    path.write_bytes(encode(draw(20, 20, 5)))
    later(path)
    page = write_gallery(made.folder)
    assert flaws(page) == ["changed after it was made"]
    assert f"{sha256(path.read_bytes())}.420.20x20.webp" in page.read_text("utf-8")


def test_a_result_that_was_only_touched_is_read_once(made: Store) -> None:
    write_gallery(made.folder)
    path = made.folder / "cat__ink.png"
    (copy,) = (made.folder / ".nst/thumbs").glob(f"{sha256(path.read_bytes())}.*")
    os.utime(copy, (0, 0))
    assert flaws(write_gallery(made.folder)) == []
    assert copy.stat().st_mtime >= path.stat().st_mtime


def test_a_result_that_is_gone_or_broken_is_said_to_be(made: Store) -> None:
    before = write_gallery(made.folder).read_text("utf-8")
    (made.folder / "cat__ink.png").unlink()
    broken = made.folder / "dog__ink.png"
    broken.write_bytes(b"no picture")
    later(broken)
    page = write_gallery(made.folder)
    assert flaws(page) == ["its file is gone", "its file cannot be read"]
    # Of the first, the copy is left to be shown.
    assert page.read_text("utf-8").count("<noscript><img") == before.count("<noscript><img") - 1


def test_formats_that_browsers_do_not_show_have_a_large_copy(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    pair = tmp_path / "photos/cat.png", tmp_path / "art/ink.png"
    make(store, *pair, "big.tiff", format="tiff")
    png, tiff = sorted(data_of(write_gallery(store.folder))["works"], key=lambda w: w["full"])[::-1]
    assert png["full"] == "cat__ink.png"
    assert re.fullmatch(r"\.nst/thumbs/[0-9a-f]{64}\.1280\.48x36\.webp", tiff["full"])


def test_copies_are_small(tmp_path: Path) -> None:
    (tmp_path / ".nst").mkdir()
    thumbs = Thumbs(tmp_path)
    thumbs.make("a" * 64, lambda: encode(draw(500, 1000)), SMALL)
    thumb = thumbs.find("a" * 64, SMALL)
    assert thumb
    assert (thumb.width, thumb.height) == size_of(thumb.path.read_bytes()) == (420, 210)
    assert Thumbs(tmp_path).find("a" * 64, SMALL) == thumb
    thumbs.make("b" * 64, lambda: b"no picture", SMALL)
    assert thumbs.find("b" * 64, SMALL) is None


def test_a_page_of_somebody_else_is_never_replaced(made: Store) -> None:
    page = made.folder / "index.html"
    page.write_text("my own")
    with pytest.raises(InputError, match="no gallery of nst"):
        write_gallery(made.folder)
    assert page.read_text() == "my own"


def test_a_self_contained_page_refers_to_nothing(made: Store) -> None:
    page = write_gallery(made.folder, self_contained=True)
    text = page.read_text("utf-8")
    assert ".nst/" not in text
    assert all(src.startswith("data:") for src in re.findall(r'<img src="(.*?)"', text))
    assert all(work["full"] is None for work in data_of(page)["works"])
    write_gallery(made.folder)  # and the next run of the batch may write the plain one again
    assert ".nst/" in page.read_text("utf-8")


def test_the_script_that_may_run_is_the_one_that_is_there(made: Store) -> None:
    """A line end changed on the way would lock the page's own script out."""
    import base64
    import hashlib

    text = write_gallery(made.folder).read_bytes().decode()
    (allowed,) = re.findall(r"script-src &#39;sha256-(.*?)&#39;|script-src 'sha256-(.*?)'", text)
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in allowed
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in text


def test_a_curve_keeps_its_ends_and_its_order() -> None:
    curve = [(step, 1.0 / step) for step in range(1, 101)]
    thin = thinned(curve, 50)
    assert len(thin) == 50
    assert (thin[0], thin[-1]) == (curve[0], curve[-1])
    assert list(thin) == sorted(set(thin))
    assert thinned([(1, float("nan")), (2, 1.0)], 50) == ((2, 1.0),)
    assert thinned([], 50) == ()


def test_the_curves_of_thousands_of_pairs_are_short(
    made: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def points() -> list[int]:
        return [len(work["curve"]) for work in data_of(write_gallery(made.folder))["works"]]

    assert points() == [20, 20]
    monkeypatch.setattr(gallery_data, "_ALL_POINTS", 10)
    assert points() == [12, 12]  # as less would be no curve


def test_no_torch_is_needed() -> None:
    code = (
        "import sys, nstcli.report.gallery, nstcli.report.sheet; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
