"""The name that a user gives a lone result, against formats from elsewhere and odd paths."""

from pathlib import Path

import pytest

from nstcli.images import decode
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders")

PAIR = ("stylize", "photos/cat.png", "art/wave.png", "-m", "tiny", "--steps", "2")


@pytest.mark.parametrize("by_file", [True, False])
def test_a_name_wins_over_a_format_that_is_meant_for_all(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_file: bool
) -> None:
    if by_file:
        (tmp_path / "nst.toml").write_text('format = "jpg"')
    else:
        monkeypatch.setenv("NST_FORMAT", "jpg")
    ended = nst(*PAIR, "-o", "x.png")
    assert ended.code == 0, ended.err
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert nst(*PAIR, "-o", "plain").code == 0  # says none itself
    assert (tmp_path / "plain").read_bytes().startswith(b"\xff\xd8")
    refused = nst(*PAIR, "-o", "y.png", "--format", "jpg")
    assert (refused.code, "--format jpg contradicts its name" in refused.err) == (2, True)


def test_a_folder_that_may_not_be_looked_at_is_no_bug(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may look everywhere, so the refusal is played."""
    look = Path.is_dir

    def is_dir(path: Path, **options: bool) -> bool:
        if path.name == "x.bmp":
            raise PermissionError(13, "Permission denied")
        return look(path, **options)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    ended = nst(*PAIR, "-o", "x.bmp")
    assert (ended.code, "end the name in one of" in ended.err) == (2, True), ended.err


def test_sheets_and_results_have_one_answer(nst: Nst, tmp_path: Path) -> None:
    assert nst(*PAIR, "-o", "x.JPEG").code == 0
    assert decode((tmp_path / "x.JPEG").read_bytes(), "x").rgb.shape == (24, 32, 3)
    said = {
        nst("sheet", "photos", "-o", "x.gif").err,
        nst(*PAIR, "-o", "x.gif").err,
    }
    assert said == {"nst: 'x.gif': end the name in one of .png, .jpg, .webp, .tiff\n"}


@pytest.mark.parametrize("name", ["~nobody-of-that-name/x.pth", f"{'x' * 300}.pth"])
def test_a_weights_file_may_have_any_path(nst: Nst, name: str) -> None:
    ended = nst(*PAIR, "--weights", name)
    assert (ended.code, f"{name} does not exist" in ended.err) == (2, True), ended.err
