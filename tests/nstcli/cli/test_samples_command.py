from pathlib import Path

from nstcli.images import decode
from nstcli.samples import CONTENT, STYLE
from tests.nstcli.cli.conftest import Nst


def test_samples_are_pictures_of_both_kinds_and_say_what_to_do_next(
    nst: Nst, tmp_path: Path
) -> None:
    ended = nst("samples", "mine")
    assert ended.code == 0
    written = sorted(p.relative_to(tmp_path / "mine") for p in (tmp_path / "mine").rglob("*.png"))
    expected = [Path("content", f"{n}.png") for n in CONTENT] + [
        Path("style", f"{n}.png") for n in STYLE
    ]
    assert written == sorted(expected)
    for path in written:
        assert max(decode((tmp_path / "mine" / path).read_bytes(), "x").rgb.shape) >= 400
    assert "nst batch mine/content mine/style -o mine/stylized" in ended.err


def test_what_is_there_is_left_as_it_is(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "mine/content").mkdir(parents=True)
    (tmp_path / "mine/content/chelsea.png").write_bytes(b"my own")
    assert nst("samples", "mine").code == 0
    assert (tmp_path / "mine/content/chelsea.png").read_bytes() == b"my own"


def test_a_folder_that_cannot_be_made_is_named(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = nst("samples", "file")
    assert ended.code == 2
    assert "cannot write to 'file/content'" in ended.err
