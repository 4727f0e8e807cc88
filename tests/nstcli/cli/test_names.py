"""Files of any name: told letter by letter, kept apart, and never obeyed by a terminal."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.images import decode
from nstcli.text import printable, shown, stored
from tests.nstcli import flat
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs a file system that takes any bytes but / and NUL"
)

Write = Callable[..., Path]

# Without a style term, a result keeps the pixels of its content, so that it tells whose it is.
# All are told to be no better for it.
RUN = ("-o", "out", "-m", "tiny", "--steps", "2", "--style-weight", "0")

VERBATIM = [
    "img[b].png",
    "[red]x.png",
    "a:smile:.png",
    'a"><img>#1 100%?.png',
    "<script>alert(1)</script>".replace("/", "∕") + ".png",
    "{content}.png",
    "%s%n.png",
    "-r.png",
    "--help.png",
    "$(reboot) `reboot`; reboot.png",
    "it's.png",
    "back\\slash.png",
    " two  spaces .png",
    "写真.png",
    "🌊 👩‍🎨 🏳️‍🌈.png",
    "חתול.png",
    "صورة قطة.png",
    "Ｗｉｄｅ.png",
    "e\u0301 combining.png",
]

# What a terminal would obey -> how it is told.
OBEYED = {
    "\x1b[31mpwned.png": r"\x1b[31mpwned.png",
    "\x1b]0;title\x07.png": r"\x1b]0;title\x07.png",
    "new\nline.png": r"new\nline.png",
    "carriage\rreturn.png": r"carriage\rreturn.png",
    "tab\ttab.png": r"tab\ttab.png",
    "back\b\b\b\bspace.png": r"back\x08\x08\x08\x08space.png",
    "form\ffeed\vtab.png": r"form\x0cfeed\x0btab.png",
    "delete\x7f.png": r"delete\x7f.png",
    "csi\x9b31m.png": r"csi\x9b31m.png",
    "next\x85line\u2028.png": r"next\x85line\u2028.png",
    "evil\u202egnp.exe.png": r"evil\u202egnp.exe.png",
    os.fsdecode(b"caf\xe9.png"): r"caf\xe9.png",
}

TOLD = {**{name: name for name in VERBATIM}, **OBEYED}


def draw_all(write_picture: Write, folder: str, names: list[str]) -> None:
    """Write pictures of one colour each, so that a result tells whose it is."""
    for number, name in enumerate(names):
        write_picture(f"{folder}/{name}", 12, 10, seed=number)


@pytest.fixture
def ink(write_picture: Write) -> None:
    write_picture("art/ink.png", 28, 28, seed=3)


def records(folder: Path, kind: str = "pairs") -> dict[str, dict[str, str]]:
    """What is written down, by the names of the results."""
    hidden = folder / ".nst" / kind
    return {
        path.relative_to(hidden).as_posix().removesuffix(".json"): flat.read(path)
        for path in hidden.rglob("*.json")
    }


def assert_each_shows_its_content(top: Path) -> None:
    """The file under a result's name has the pixels of the content that its record names."""
    for output, record in records(top / "out").items():
        raw = next(p for p in top.rglob("*.png") if stored(p.relative_to(top)) == record["content"])
        expected = decode(raw.read_bytes(), "x").rgb
        np.testing.assert_array_equal(
            decode((top / "out" / output).read_bytes(), "x").rgb, expected
        )


def on_terminal(top: Path, *arguments: object) -> str:
    """What a run shows on a wide pseudo-terminal."""
    pty = pytest.importorskip("pty")
    main, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nstcli", *map(str, arguments)],
        cwd=top,
        env={**os.environ, "COLUMNS": "300", "TERM": "xterm"},
        stdout=end,
        stderr=end,
    )
    os.close(end)
    text = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(main)
    assert process.wait(60) in (0, 1), text.decode()
    return text.decode()


@pytest.mark.parametrize(("name", "told"), TOLD.items(), ids=list(map(ascii, TOLD)))
def test_a_name_is_told_letter_by_letter_but_for_what_would_be_obeyed(name: str, told: str) -> None:
    assert shown(name) == told
    assert printable(shown(name)) == told
    assert len(told.splitlines()) == 1
    # What is stored is what the file is called, as far as it is text.
    assert stored(name) == (name if "\udce9" not in name else told)


@given(st.text())
def test_no_text_is_more_than_a_line_or_escaped_twice(text: str) -> None:
    told = printable(text)
    assert len(told.splitlines()) <= 1
    assert printable(told) == told
    assert not [c for c in told if unicodedata.category(c) in {"Cc", "Zl", "Zp"}]


@pytest.mark.usefixtures("ink")
def test_piped_lines_tell_every_name_and_hold_no_control_codes(
    nst: Nst, tmp_path: Path, write_picture: Write
) -> None:
    draw_all(write_picture, "photos", list(TOLD))
    ended = nst("batch", "photos", "art", *RUN)
    assert ended.code == 0, ended.err
    assert {c for c in ended.err if printable(c) != c} == {"\n"}
    for told in TOLD.values():
        assert f" ! {told} × ink.png → " in ended.err
    assert len([line for line in ended.err.splitlines() if " × ink.png → " in line]) == len(TOLD)
    assert_each_shows_its_content(tmp_path)

    listed = nst("batch", "photos", "art", *RUN, "--dry-run")
    assert {c for c in listed.out if printable(c) != c} == {"\n"}
    assert len(listed.out.splitlines()) == len(TOLD)
    for told in TOLD.values():
        assert f"  {told} × ink.png → " in listed.out


@pytest.mark.usefixtures("ink")
def test_records_and_events_hold_the_names_as_they_are(
    nst: Nst, tmp_path: Path, write_picture: Write
) -> None:
    draw_all(write_picture, "photos", list(TOLD))
    (tmp_path / "photos/\x1b[31mbroken\n.png").write_bytes(b"no picture")
    ended = nst("batch", "photos", "art", *RUN, "--json")
    assert ended.code == 1
    paths = {stored(f"photos/{name}") for name in TOLD}
    assert {record["content"] for record in records(tmp_path / "out").values()} == paths
    broken = "photos/\x1b[31mbroken\n.png"
    (failure,) = records(tmp_path / "out", "failures").values()
    assert failure["content"] == broken
    assert failure["error"].startswith(r"photos/\x1b[31mbroken\n.png: not an image")

    (summary,) = map(json.loads, ended.out.splitlines())
    assert [each["content"] for each in summary["failures"]] == [broken]
    report = ended.err[ended.err.index("Done: ") :].splitlines()
    assert report[2].startswith(
        r"  ✗ \x1b[31mbroken\n.png × ink.png   photos/\x1b[31mbroken\n.png: not an image"
    )

    lines = (tmp_path / "out/.nst/events.jsonl").read_bytes().splitlines()
    events = [json.loads(line) for line in lines]
    assert {each["content"] for each in events if each["event"] == "done"} == paths
    (log,) = (tmp_path / "out/.nst").glob("run-*.log")
    text = log.read_text()
    assert {c for c in text if printable(c) != c} == {"\n"}
    assert len([line for line in text.splitlines() if " done " in line]) == len(TOLD)


@pytest.mark.usefixtures("ink", "tiny_plugin")
def test_a_terminal_shows_every_name_and_obeys_none(tmp_path: Path, write_picture: Write) -> None:
    draw_all(write_picture, "photos", list(TOLD))
    (tmp_path / "photos/\x1b[31mbroken\n.png").write_bytes(b"no picture")
    text = on_terminal(tmp_path, "batch", "photos", "art", *RUN)
    for raw in OBEYED:
        if "\udce9" not in raw:
            assert raw not in text
    assert "\x1b]0;" not in text
    assert "\x1b[31mbroken" not in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert {c for c in plain if printable(c) != c} <= {"\r", "\n"}
    for told in TOLD.values():
        assert f"! {told} × ink.png → " in plain
    assert r"✗ \x1b[31mbroken\n.png × ink.png" in plain


@pytest.mark.usefixtures("ink")
def test_an_ascii_stream_escapes_and_its_json_stays_json(
    nst_process: Callable[..., subprocess.Popen[str]], tmp_path: Path, write_picture: Write
) -> None:
    draw_all(write_picture, "photos", list(TOLD))
    (tmp_path / "photos/brökén 🌊.png").write_bytes(b"no picture")
    process = nst_process(
        "batch", "photos", "art", *RUN, "--json", PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert out.isascii()
    assert err.isascii()
    summary = json.loads(out)
    assert summary["made"] == len(TOLD)
    assert summary["failures"][0]["content"] == "photos/brökén 🌊.png"
    assert r"br\xf6k\xe9n \U0001f30a.png" in err
    assert "Traceback" not in err


class _Page(HTMLParser):
    """The links and pictures of a page, and the names of its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.elements: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.links |= {value for key, value in attributes if key in {"href", "src"} and value}
        self.texts += [value for _, value in attributes if value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.usefixtures("ink")
def test_the_gallery_links_every_result_and_takes_no_name_for_html(
    nst: Nst, tmp_path: Path, write_picture: Write
) -> None:
    draw_all(write_picture, "photos", list(TOLD))
    assert nst("batch", "photos", "art", *RUN, "-q").code == 0
    assert nst("gallery", "out").code == 0
    page = _Page()
    page.feed((tmp_path / "out/index.html").read_text("utf-8"))
    assert "script" not in {link.partition(":")[0] for link in page.links}
    local = {unquote(link) for link in page.links if not link.startswith(("#", "data:", "http"))}
    for link in local:
        assert (tmp_path / "out" / link).is_file(), link
    assert set(records(tmp_path / "out")) <= local
    text = "\n".join(page.texts)
    for name in VERBATIM:
        assert Path(name).stem in text
    assert "alert(1)" not in {each.strip() for each in page.texts}


@pytest.mark.parametrize(
    "arguments",
    [
        ("batch", "no\x1b[31m\nsuch", "art"),
        ("batch", "photos", "no\x1b[31m\nsuch*.png"),
        ("batch", "hollow\x1b[31m", "art"),
        ("stylize", "no\x1b[31m\nsuch.png", "art/ink.png"),
        ("batch", "photos", "art", "--name", "{no\x1b[31m}"),
    ],
)
@pytest.mark.usefixtures("ink")
def test_a_refusal_obeys_no_name(
    nst: Nst, tmp_path: Path, write_picture: Write, arguments: tuple[str, ...]
) -> None:
    write_picture("photos/a.png")
    (tmp_path / "hollow\x1b[31m").mkdir()
    ended = nst(*arguments, "-m", "tiny")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert ended.err[:-1].isprintable()
    assert r"\x1b[31m" in ended.err


@pytest.mark.usefixtures("ink")
def test_a_path_that_looks_like_markup_is_told(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos/img[").mkdir(parents=True)
    (tmp_path / "photos/img[/b].png").write_bytes(b"no picture")
    ended = nst("batch", "photos", "art", *RUN, "-r")
    assert ended.code == 1
    report = ended.err[ended.err.index("Done: ") :]
    assert (
        "  ✗ b].png × ink.png   photos/img[/b].png: not an image, it starts like a text" in report
    )


@pytest.mark.usefixtures("ink")
def test_notes_obey_no_name(nst: Nst, tmp_path: Path, write_picture: Write) -> None:
    write_picture("ph\x1botos/a.png")
    (tmp_path / "ph\x1botos/g\x1bone.png").symlink_to("nowhere")
    (tmp_path / "ph\x1botos/other.\x1btxt").touch()
    ended = nst("batch", "ph\x1botos", "art", *RUN[2:], "-o", "o\x1but")
    assert ended.code == 0
    assert {c for c in ended.err if printable(c) != c} == {"\n"}
    assert r"note: 'ph\x1botos/g\x1bone.png' is a broken link; left out" in ended.err
    assert r"note: 'ph\x1botos': 1 other file left out (.\x1btxt)" in ended.err
    assert r" → o\x1but" in ended.err


TWINS = [
    (["cat.jpg", "cat.png"], ["ink.png"]),
    (["A.JPG", "a.jpg"], ["ink.png"]),
    (["Cat.png", "cat.png", "CAT.png"], ["ink.png"]),
    (["\u00e9.png", "e\u0301.png"], ["ink.png"]),
    (["stra\u00dfe.png", "STRASSE.png"], ["ink.png"]),
    (["a__b.png", "a.png"], ["c.png", "b__c.png"]),
    (["why?.png", "why_.png", "why*.png"], ["ink.png"]),
    (["dot.png", "dot..png", "dot .png"], ["ink.png", "ink .png"]),
    (["%E9.png", os.fsdecode(b"\xe9.png")], ["ink.png"]),
    (["x" * 251 + ".png", "x" * 250 + "y.png"], ["ink.png", "y" * 251 + ".png"]),
    (["ä" * 125 + ".png", "ä" * 124 + "a.png", "🌊" * 62 + ".png"], ["ink.png"]),
    (["a.png", "a.png__ink.png"], ["ink.png"]),
]


@pytest.mark.parametrize(("contents", "styles"), TWINS, ids=[ascii(c[0][:12]) for c, _ in TWINS])
def test_twins_have_each_their_own_result(
    nst: Nst, tmp_path: Path, write_picture: Write, contents: list[str], styles: list[str]
) -> None:
    from nstcli.images import encode
    from tests.conftest import draw

    for number, name in enumerate([*contents, *styles]):
        path = tmp_path / ("photos" if number < len(contents) else "art") / name
        path.parent.mkdir(exist_ok=True)
        # PNG under any suffix, so that the pixels come back as they are.
        path.write_bytes(encode(draw(12, 12, seed=number)))
    run = ("batch", "photos", "art", *RUN)
    ended = nst(*run)
    pairs = len(contents) * len(styles)
    assert ended.code == 0, ended.err
    assert f"Done: {pairs} made ({pairs} no better than at the start) in" in ended.err
    made = records(tmp_path / "out")
    folded = {
        unicodedata.normalize("NFC", unicodedata.normalize("NFC", n).casefold()) for n in made
    }
    assert len(folded) == pairs
    assert set(made) == {path.name for path in (tmp_path / "out").iterdir()} & set(made)
    assert all(len(os.fsencode(name)) <= 255 for name in made)
    for output, record in made.items():
        (number,) = (
            n for n, c in enumerate(contents) if stored(f"photos/{c}") == record["content"]
        )
        found = decode((tmp_path / "out" / output).read_bytes(), "x").rgb
        np.testing.assert_array_equal(found, draw(12, 12, seed=number))
    # Every twin that is not called what anybody would expect is told of, with the reason.
    renamed = [
        output
        for output, record in made.items()
        if output != f"{Path(record['content']).stem}__{Path(record['style']).stem}.png"
    ]
    notes = [line for line in ended.err.splitlines() if " is called '" in line]
    assert len(notes) == min(len(renamed), 5)
    for output in renamed if len(renamed) <= 5 else ():
        assert [note for note in notes if f" is called '{output}': " in note]
    assert f"Done: {pairs} cached in" in nst(*run).err


REFUSED_BY_WINDOWS = [
    "CON.png",
    "nul.tar.png",
    "a:b.png",
    "space ",
    "q?.png",
    "p|<>*.png",
]


@pytest.mark.usefixtures("ink")
def test_names_that_windows_refuses_are_changed_and_told(
    nst: Nst, tmp_path: Path, write_picture: Write
) -> None:
    from nstcli.images import encode
    from tests.conftest import draw

    for number, name in enumerate(REFUSED_BY_WINDOWS):  # behind a folder that it refuses, too
        path = tmp_path / "photos" / "aux" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(draw(12, 12, seed=number)))
    run = ("batch", "photos/aux/*", "art", *RUN, "--name", "{content}")
    ended = nst(*run)
    assert ended.code == 0, ended.err
    assert set(records(tmp_path / "out")) == {
        "CON_.png",
        "nul_.tar.png",
        "a_b.png",
        "space .png",
        "q_.png",
        "p____.png",
    }
    assert "note: a:b.png × ink.png is called 'a_b.png': not every system takes the name 'a:b" in (
        ended.err
    )
    (tmp_path / "photos" / "aux").rename(tmp_path / "photos" / "aux.")
    mirrored = nst("batch", "photos", "art", *RUN, "-r", "-o", "again")
    assert mirrored.code == 0
    assert {name.split("/")[0] for name in records(tmp_path / "again")} == {"aux_"}
    assert "aux_/CON__ink.png" in records(tmp_path / "again")


@pytest.fixture
def tree(write_picture: Write) -> None:
    """Photos and artworks in folders of folders."""
    for number, name in enumerate(
        (
            "photos/cat.png",
            "photos/2024/cat.png",
            "photos/2024/raw/dog.png",
            "photos/drafts/emu.png",
            "photos/img[1]/a.png",
            "art/ink.png",
            "art/monet/ink.png",
        )
    ):
        write_picture(name, 12, 10 + number, seed=number)


@pytest.mark.usefixtures("tree")
def test_folders_are_mirrored_filtered_and_every_result_is_its_own(
    nst: Nst, tmp_path: Path
) -> None:
    run = ("batch", "photos", "art", *RUN, "-r", "--exclude", "drafts", "--exclude", "**/raw/**")
    ended = nst(*run)
    assert ended.code == 0, ended.err
    assert set(records(tmp_path / "out")) == {
        f"{name}__{style}.png"
        for name in ("cat", "2024/cat", "img[1]/a")
        for style in ("ink", "monet-ink")
    }
    assert_each_shows_its_content(tmp_path)
    assert "cat.png × ink.png is called 'cat__monet-ink.png': another result would be" in ended.err
    assert "Done: 6 cached" in nst(*run).err
    # The same command with more or fewer of the pictures finds its results again.
    more = nst(*run[:-4])
    assert more.code == 0
    assert "Done: 4 made (4 no better than at the start), 6 cached" in more.err
    less = nst(*run, "--include", "img[[]1]/*", "--include", "ink.png")
    assert "Done: 2 cached" in less.err


@pytest.mark.usefixtures("tree")
def test_zip_limit_and_template(nst: Nst, tmp_path: Path) -> None:
    run = ("batch", "photos/2024/*", "art", *RUN)
    zipped = nst("batch", "photos", "art", *RUN, "-r", "--pairs", "zip")
    assert zipped.code == 2
    assert "needs as many styles as contents, not 5 contents and 2 styles" in zipped.err
    zipped = nst(
        *run[:2], "art/ink.png", *RUN, "--pairs", "zip", "--name", "{style}/{index} {content}"
    )
    assert zipped.code == 0, zipped.err
    assert set(records(tmp_path / "out")) == {"ink/0001 cat.png"}
    assert (tmp_path / "out/ink/0001 cat.png").is_file()

    limited = nst("batch", "photos", "art", *RUN, "-r", "--limit", "3", "-o", "few")
    assert limited.code == 0
    assert "Done: 3 made" in limited.err
    whole = nst("batch", "photos", "art", *RUN, "-r", "-o", "few")
    assert "Done: 7 made (7 no better than at the start), 3 cached" in whole.err
    assert len(records(tmp_path / "few")) == 10


@pytest.mark.usefixtures("tree")
def test_a_folder_of_results_inside_of_what_is_read_is_refused(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(tmp_path / "photos")
    for output in ("photos/out", "photos", "elsewhere/out"):
        ended = nst("batch", "photos", "art", *RUN[2:], "-r", "-o", output)
        assert ended.code == 2
        assert "the next run would take the results for pictures to paint" in ended.err
        assert not (tmp_path / "photos/out").exists()


@pytest.mark.usefixtures("ink")
def test_many_renamed_results_are_told_by_five_and_a_count(nst: Nst, write_picture: Write) -> None:
    draw_all(write_picture, "photos", [f"q{n}?.png" for n in range(8)])
    ended = nst("batch", "photos", "art", *RUN)
    assert ended.err.count("not every system takes the name") == 5
    assert "note: and 3 more have names of their own" in ended.err
