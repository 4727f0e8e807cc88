"""`nst faces`: what it says of photos, and the copy that it draws."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nstcli import images
from nstcli.faces import Face
from nstcli.images import Picture, marked
from nstcli.run import job
from nstcli.run.faces import FaceFinder
from tests.conftest import draw
from tests.nstcli.cli.conftest import Nst

SEEN = (
    Face((20.0, 10.0, 60.0, 62.0), 0.9987, ((30.0, 25.0), (50.0, 25.0))),
    Face((-9.0, 30.0, 14.0, 66.0), 0.91),
)


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be two faces in a wide photo, and none in others; nothing is downloaded."""
    monkeypatch.setattr("nstcli.run.job.fetch", lambda *_: None)
    monkeypatch.setattr(FaceFinder, "find", _find)


def _find(_: FaceFinder, picture: Picture) -> tuple[Face, ...]:
    return SEEN if picture.width > picture.height else ()


def test_a_table_of_all_photos(nst: Nst, write_picture: Callable[..., Path]) -> None:
    write_picture("party.png", 80, 100)
    write_picture("cat.png", 40, 20)
    ended = nst("faces", "party.png", "cat.png")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split() for line in ended.out.splitlines() if ".png" in line]
    assert lines[0] == ["party.png", "1", "20", "10", "40", "52", "99.9%"]
    assert lines[1] == ["party.png", "2", "-9", "30", "23", "36", "91.0%"]
    assert lines[2][0] == "cat.png"
    assert "2 faces in 2 photos" in ended.out


def test_json(nst: Nst, write_picture: Callable[..., Path]) -> None:
    write_picture("photos/cat.png", 40, 20)
    write_picture("photos/party.png", 80, 100)
    told = json.loads(nst("faces", "photos", "--json").out)["photos"]
    assert [Path(each["photo"]).name for each in told] == ["cat.png", "party.png"]
    assert told[0]["faces"] == []
    first, second = told[1]["faces"]
    assert (first["left"], first["bottom"], first["probability"]) == (20, 62, 0.9987)
    assert first["points"] == [[30, 25], [50, 25]]
    assert second["left"] == -9


def test_a_copy_with_boxes_replaces_its_like_alone(
    nst: Nst, write_picture: Callable[..., Path], tmp_path: Path
) -> None:
    photo = write_picture("party.png", 80, 100)
    before = photo.read_bytes()
    assert nst("faces", "party.png", "-o", "boxes.png").code == 0
    rgb = images.decode((tmp_path / "boxes.png").read_bytes(), "boxes").rgb
    assert (rgb == marked(draw(80, 100), [face.box for face in SEEN])).all()
    assert nst("faces", "party.png", "-o", "boxes.png").code == 0
    refused = nst("faces", "party.png", "-o", "party.png")
    assert refused.code == 2
    assert "'party.png' is there and no copy of nst" in refused.err
    assert photo.read_bytes() == before


def test_a_copy_is_of_one_photo(nst: Nst, write_picture: Callable[..., Path]) -> None:
    write_picture("photos/a.png")
    write_picture("photos/b.png")
    ended = nst("faces", "photos", "-o", "boxes.png")
    assert ended.code == 2
    assert "-o is a copy of one photo" in ended.err


def test_a_broken_photo_leaves_the_others(
    nst: Nst, write_picture: Callable[..., Path], tmp_path: Path
) -> None:
    write_picture("party.png", 80, 100)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    ended = nst("faces", "broken.png", "party.png")
    assert ended.code == 1
    assert "broken.png: " in ended.err
    assert "party.png" in ended.out
    assert nst("faces", "nothing.png").code == 2


@pytest.mark.parametrize("shape", [(1, 1), (9, 300), (300, 9), (1200, 900)])
def test_boxes_are_drawn_on_pictures_of_any_size(shape: tuple[int, int]) -> None:
    rgb = draw(*shape)
    before = rgb.copy()
    boxes = [(-50.0, -50.0, 2000.0, 2000.0), (3.0, 3.0, 7.0, 7.0), (5.0, 2.0, 5.0, 2.0)]
    found = marked(rgb, boxes)
    assert found.shape == rgb.shape
    assert (rgb == before).all()
    assert (marked(rgb, []) == rgb).all()
    if min(shape) > 8:
        assert np.any(found != rgb)


def test_a_batch_keeps_faces(nst: Nst, folders: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag alone, a file's `true`, and the number 1 are one recipe."""
    monkeypatch.setattr(job, "DETECTOR", ())
    line = ["batch", "photos", "art", "-m", "tiny", "--steps", "2", "-o", "out", "--no-gallery"]
    first = nst(*line, "--keep-faces")
    assert first.code == 0
    assert first.err.count("no face was found in it") == 1  # in the dog, once for both artworks
    again = nst(*line, "--keep-faces", "1", "--dry-run")
    assert "4 cached" in again.err + again.out or "up to date" in again.err + again.out
    Path("nst.toml").write_text("keep-faces = true")
    assert nst(*line, "--dry-run").code == 0
    stale = nst(
        "batch", "photos", "art", "-m", "tiny", "--steps", "2", "-o", "out", "--keep-faces=0"
    )
    assert stale.code == 2
    assert "keep-faces 1.0 → 0.0" in stale.err
