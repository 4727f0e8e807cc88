"""The photos of a training: any folder, squares that depend on nothing but seed and step."""

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nstcli import images
from nstcli.errors import InputError, StoppedError
from nstcli.training import photos as training_photos
from nstcli.training.photos import Photo, Photos, batches, find
from tests.conftest import draw


def found(folder: Path, size: int = 16, output: str = "net.safetensors") -> Photos:
    return find([str(folder)], folder.parent / output, size)


def test_sub_folders_count_and_every_photo_is_looked_at(photos: Path) -> None:
    heard: list[tuple[int, int]] = []
    every = find([str(photos)], Path("out/n"), 16, on_looked=lambda *counts: heard.append(counts))
    assert [photo.path.name for photo in every.all] == ["a.png", "b.png", "c.jpg"]
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert every.notes == []


def test_what_is_broken_or_too_small_is_left_out_and_told(
    photos: Path, write_picture: Callable[..., Path]
) -> None:
    whole = (photos / "a.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "text.jpg").write_text("no picture")
    write_picture("photos/thin.png", 3, 90)
    every = found(photos)
    assert len(every.all) == 3
    told = "\n".join(every.notes)
    for name in ("cut.png", "text.jpg", "thin.png: 90×3 px are too few for 16 px"):
        assert name in told
    assert told.count("left out") == 3


def test_no_photo_at_all_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="no pictures in the folder"):
        found(tmp_path / "photos")
    (tmp_path / "photos/a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match=r"none of 1 photo in .*photos' can be used: .*a\.jpg"):
        found(tmp_path / "photos")


def test_the_network_may_not_lie_among_the_photos(photos: Path) -> None:
    """The picture beside it would be one of the photos in the next run."""
    for output in ("photos/n.safetensors", "photos/more/n.safetensors"):
        with pytest.raises(InputError, match="choose another -o"):
            found(photos, output=output)


def test_photos_are_known_by_their_bytes_alone(photos: Path) -> None:
    before = found(photos).digest
    (photos / "a.png").rename(photos / "a2.png")
    assert found(photos).digest == before
    (photos / "a2.png").unlink()
    assert found(photos).digest != before


def test_a_batch_depends_on_seed_and_step_alone(photos: Path) -> None:
    every = found(photos)
    first = every.batch(3, 7, 2)
    assert first.shape == (2, 3, 16, 16)
    assert 0 <= first.min() < first.max() <= 1
    assert torch.equal(first, found(photos).batch(3, 7, 2))
    for other in (every.batch(4, 7, 2), every.batch(3, 8, 2)):
        assert not torch.equal(first, other)


def test_batches_come_in_the_order_of_their_steps(photos: Path) -> None:
    every = found(photos)
    with closing(batches(every, 1, 5, 2)) as drawn:
        for step, batch in zip(range(5, 25), islice(drawn, 20), strict=True):
            assert torch.equal(batch, every.batch(1, step, 2)), step


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_a_square_of_any_photo_has_the_size(height: int, width: int, seed: int) -> None:
    picture = images.Picture(draw(height, width, seed))
    every = Photos([Photo(Path("a"), "", picture)], 16, 10**6)
    square = every.square(np.random.default_rng(seed))
    assert square.rgb.shape == (16, 16, 3)


def test_what_is_not_kept_gives_the_same_squares(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = found(photos)
    monkeypatch.setattr(training_photos, "_KEPT_BYTES", 0)
    anew = found(photos)
    assert all(photo.pixels is None for photo in anew.all)
    for step in range(5):
        assert torch.equal(kept.batch(0, step, 2), anew.batch(0, step, 2))
    for path in photos.rglob("*.*"):
        path.write_bytes((photos / "a.png").read_bytes() + b" ")
    with pytest.raises(StoppedError, match="changed while the network was trained"):
        anew.batch(0, 9, 2)
    for path in photos.rglob("*.*"):
        path.unlink()
    with pytest.raises(StoppedError, match="lost"):
        anew.batch(0, 9, 2)
