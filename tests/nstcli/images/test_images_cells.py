import numpy as np
import pytest

from nstcli.images import Picture
from nstcli.images.cells import ALARM, EMPTY, FAILED, INK, Cells

GAP = 5


def plain(height: int, level: int, width: int = 100) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize("bottom", [False, True])
def test_a_row_aligns_its_cells_with_gaps_around(bottom: bool) -> None:
    row = Cells(100).row([plain(40, 10), plain(25, 20)], bottom)
    assert row.shape == (40, 2 * 100 + 3 * GAP, 3)
    expected = np.full_like(row, 255)
    expected[:, GAP : GAP + 100] = 10
    expected[slice(15, None) if bottom else slice(25), 2 * GAP + 100 : -GAP] = 20
    assert (row == expected).all()


def test_a_sheet_sets_rows_below_each_other() -> None:
    sheet = Cells(100).sheet([plain(10, 1), plain(20, 2)])
    assert [int(line[0, 0]) for line in sheet] == (
        [255] * GAP + [1] * 10 + [255] * GAP + [2] * 20 + [255] * GAP
    )


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(50, 200, (25, 100)), (400, 100, (150, 38)), (30, 40, (30, 40)), (1, 5000, (1, 100))],
)
def test_pictures_are_shrunk_into_their_cell_and_never_enlarged(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    draw = Cells(100)
    image = draw.fitted(Picture(plain(height, 0, width)), draw.highest)
    assert image.shape == (expected[0], 100, 3)
    assert (image[:, : expected[1]] == 0).all()
    assert (image[:, expected[1] :] == 255).all()


def test_a_field_says_in_its_middle_why_nothing_is_there() -> None:
    draw = Cells(100)
    assert (draw.field() == EMPTY).all()
    field = draw.field("failed", ALARM, FAILED)
    assert field.shape == (75, 100, 3)
    written = np.argwhere((field != FAILED).any(axis=2))
    assert (field[tuple(written.T)] <= FAILED).all()
    middle = (written.min(axis=0) + written.max(axis=0)) / 2
    assert middle == pytest.approx([37, 49.5], abs=3)


def test_captions_stand_below_an_image() -> None:
    draw = Cells(100)
    line = draw.line("cat", INK)
    cell = draw.captioned(plain(20, 7), line, line)
    assert cell.shape == (20 + draw.text // 3 + 2 * len(line), 100, 3)
    assert (cell[:20] == 7).all()
    assert (cell[-len(line) :] == line).all()


@pytest.mark.parametrize(
    ("columns", "rows", "widths", "expected"),
    [(3, 2, [], 320), (3, 2, [90, 200], 200), (3, 100, [500], 120), (1000, 2, [500], 64)],
)
def test_the_width_is_that_of_pictures_unless_there_are_many(
    columns: int, rows: int, widths: list[int], expected: int
) -> None:
    assert Cells.fitting(columns, rows, widths, narrowest=64, widest=320).width == expected
