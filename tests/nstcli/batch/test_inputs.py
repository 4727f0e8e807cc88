import hashlib
import os
from pathlib import Path

import pytest

from nstcli.batch.inputs import digest, find
from nstcli.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("b.JPG", "a.png", "c.webp", ".hidden.png", "._a.png", "notes.txt", "Thumbs.db"):
        (photos / name).write_bytes(b"x")
    (photos / "sub.png").mkdir()
    return photos


def test_a_folder_stands_for_its_pictures_in_the_order_of_names(folder: Path) -> None:
    assert [path.name for path in find(str(folder))] == ["a.png", "b.JPG", "c.webp"]


def test_a_file_stands_for_itself_whatever_its_suffix(folder: Path) -> None:
    assert find(str(folder / "notes.txt")) == [folder / "notes.txt"]


def test_a_quoted_pattern_stands_for_the_files_it_matches(folder: Path) -> None:
    assert [path.name for path in find(str(folder / "[ab].*"))] == ["a.png", "b.JPG"]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(folder: Path) -> None:
    (folder / "img[1].png").write_bytes(b"x")
    assert find(str(folder / "img[1].png")) == [folder / "img[1].png"]


def test_home_is_understood(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(find("~/photos")) == 3


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("photoz", "no such file or folder: '.*photoz' \\(did you mean 'photos'\\?\\)"),
        ("photos/*.gif", "no file matches"),
        ("empty", "no pictures in the folder"),
    ],
)
def test_nothing_found_is_an_error_that_says_where(
    folder: Path, argument: str, message: str
) -> None:
    (folder.parent / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        find(str(folder.parent / argument))


def test_digest_is_the_sha256_of_the_bytes(folder: Path) -> None:
    assert digest(folder / "a.png") == hashlib.sha256(b"x").hexdigest()


def test_what_cannot_be_read_has_no_digest(folder: Path) -> None:
    (folder / "broken.png").symlink_to(folder / "gone.png")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        digest(folder / "broken.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_fifo_is_refused_instead_of_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(InputError, match="not a regular file"):
        digest(folder / "pipe.png")
