import webbrowser
from pathlib import Path

import pytest

from nstcli.images import decode
from tests.nstcli.cli.conftest import Nst
from tests.nstcli.report.output_folders import batch


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return batch(tmp_path, ["cat.png"], ["ink.png"]).folder


def test_the_gallery_is_written_and_named(nst: Nst, out: Path) -> None:
    ended = nst("gallery", "out")
    assert (ended.code, ended.out) == (0, f"{Path('out/index.html')}\n")
    assert "cat__ink.png" in (out / "index.html").read_text("utf-8")


def test_it_can_be_opened(nst: Nst, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or len(opened) == 1)
    assert nst("gallery", "out", "--open").code == 0
    assert opened == [(out / "index.html").as_uri()]
    ended = nst("gallery", "out", "--open")
    assert ended.code == 2
    assert "no browser was found" in ended.err


def test_it_can_hold_its_pictures(nst: Nst, out: Path) -> None:
    assert nst("gallery", "out", "--self-contained").code == 0
    assert ".nst/" not in (out / "index.html").read_text("utf-8")


def test_the_sheet_is_written_and_named(nst: Nst, out: Path) -> None:
    ended = nst("sheet", "out")
    assert (ended.code, ended.out) == (0, f"{Path('out/sheet.png')}\n")
    first = decode((out / "sheet.png").read_bytes(), "sheet.png")
    assert nst("sheet", "out", "--cell", "100").code == 0  # replaces its own
    again = decode((out / "sheet.png").read_bytes(), "sheet.png")
    assert again.width == 2 * 100 + 3 * 5 > first.width


@pytest.mark.parametrize("name", ["a.jpg", "new/b.webp", "c.TIF"])
def test_the_sheet_has_the_format_of_its_name(
    nst: Nst, out: Path, tmp_path: Path, name: str
) -> None:
    for _ in range(2):
        assert nst("sheet", "out", "-o", name).code == 0
    assert decode((tmp_path / name).read_bytes(), name).notes == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gallery", "no"], "no such folder: 'no'"),
        (["gallery", "photos"], "no record of any result in 'photos'"),
        (["sheet", "photos"], "no record of any result in 'photos'"),
        (["sheet", "out", "-o", "x.gif"], "'x.gif': end the name in one of .png, .jpg"),
        (["sheet", "out", "-o", "photos/cat.png"], "no sheet of nst; choose another -o"),
    ],
)
def test_what_cannot_be_done_is_said(
    nst: Nst, out: Path, arguments: list[str], message: str
) -> None:
    ended = nst(*arguments)
    assert ended.code == 2
    assert message in ended.err


@pytest.mark.parametrize("command", ["gallery", "sheet"])
def test_a_folder_that_cannot_be_written_to_is_named(nst: Nst, out: Path, command: str) -> None:
    (out / ".nst/thumbs").write_text("in the way")
    ended = nst(command, "out")
    assert ended.code == 2
    assert "cannot write to 'out" in ended.err


def test_a_sheet_that_cannot_be_looked_at_is_named(
    nst: Nst, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nst("sheet", "out").code == 0
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "sheet.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    ended = nst("sheet", "out")
    assert ended.code == 2
    assert "sheet.png': Permission denied" in ended.err
