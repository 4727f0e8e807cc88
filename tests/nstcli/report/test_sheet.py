from pathlib import Path

import numpy as np
import pytest

from nstcli.errors import InputError
from nstcli.images import decode
from nstcli.plan.pair import Pair
from nstcli.report.sheet import draw_sheet
from tests.nstcli.report.output_folders import batch, make


def holds(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Tell whether a picture lies in the sheet, pixel by pixel."""
    height, width = picture.shape[:2]
    corners = np.argwhere((sheet == picture[0, 0]).all(axis=2))
    return any(
        np.array_equal(sheet[y : y + height, x : x + width], picture) for y, x in corners.tolist()
    )


def test_every_result_is_there(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png", "dog.png"], ["ink.png", "wave.png", "x.png"])
    sheet = draw_sheet(store.folder)
    for output, _ in store.records():
        assert holds(sheet, decode((store.folder / output).read_bytes(), output).rgb)
    gap = 4
    assert sheet.shape[1] == 4 * 64 + 5 * gap  # columns as wide as the narrowest that is legible
    assert (sheet[:gap] == 255).all()
    assert (sheet[-gap:] == 255).all()


def test_columns_have_the_width_asked_for(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    assert draw_sheet(store.folder, 200).shape[1] == 2 * 200 + 3 * 10
    small = draw_sheet(store.folder, 32)
    assert small.shape[1] == 2 * 32 + 3 * 4


def test_many_columns_are_narrow(tmp_path: Path) -> None:
    store = batch(tmp_path, ["c.png"], ["s.png"], width=4000)
    assert draw_sheet(store.folder).shape[1] == 2 * 320 + 3 * 16
    pair = tmp_path / "photos/c.png", tmp_path / "art/s.png"
    for number in range(59):
        make(store, *pair, f"{number}.png", width=4000, recipe={"seed": number + 1})
    assert draw_sheet(store.folder).shape[1] == 2 * (12_000 // 61) + 3 * 9


def test_variants_have_rows_of_their_own(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    height = draw_sheet(store.folder).shape[0]
    pair = tmp_path / "photos/cat.png", tmp_path / "art/ink.png"
    make(store, *pair, "b.png", recipe={"model": "other"})
    sheet = draw_sheet(store.folder)
    assert sheet.shape[0] > height + 36
    one, other = (
        decode((store.folder / name).read_bytes(), name).rgb for name in ("b.png", "cat__ink.png")
    )
    for part, found, missing in ((sheet[:height], one, other), (sheet[height:], other, one)):
        assert holds(part, found)
        assert not holds(part, missing)


def test_what_is_missing_has_a_placeholder(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    art = tmp_path / "art/ink.png"
    store.fail(Pair.of(tmp_path / "photos/lost.png", art, "lost.png"), "why", 1.0)
    failed = draw_sheet(store.folder)
    assert (failed == (251, 238, 234)).all(axis=2).any()
    (store.folder / "cat__ink.png").unlink()
    gone = draw_sheet(store.folder)
    assert gone.shape == failed.shape
    assert (gone == 243).all(axis=2).sum() > (failed == 243).all(axis=2).sum()


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no record"):
        draw_sheet(tmp_path)
