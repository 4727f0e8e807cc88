from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.experiments.chosen import Cell, addresses, cells, column_name, in_cells, which
from nstcli.experiments.sweep import Axis, Sweep, Value
from nstcli.plan.pair import Pair
from nstcli.recipe import DEFAULT
from tests.nstcli.experiments.comparisons import variant_of


def column(name: str, rows: int) -> tuple[Pair, ...]:
    return tuple(
        Pair.of(Path(f"c{n}.png"), Path("ink.png"), f"{name}/{n}.png") for n in range(rows)
    )


TABLE = [column(name, 3) for name in "xyz"]


def test_a_cell_is_a_picture_a_column_or_a_row() -> None:
    assert cells("b2, C4,aa1") == (Cell(1, 1), Cell(2, 3), Cell(26, 0))
    assert in_cells(TABLE, cells("b2,a3")) == {"y/1.png", "x/2.png"}
    assert in_cells(TABLE, cells("b")) == {"y/0.png", "y/1.png", "y/2.png"}
    assert in_cells(TABLE, cells("2")) == {"x/1.png", "y/1.png", "z/1.png"}
    assert in_cells(TABLE, cells("b,b2")) == in_cells(TABLE, cells("b"))


@pytest.mark.parametrize("text", ["", ",", "2b", "b0", "0", "b-1", "b2;c4", "é1", "b٣"])
def test_what_is_no_cell_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--cells"):
        cells(text)


@pytest.mark.parametrize("text", ["d1", "a4", "4", "zzzzzz", "a999999999"])
def test_a_cell_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="columns are a to c, rows 1 to 3"):
        in_cells(TABLE, cells(text))


def test_every_picture_has_a_cell_and_a_single_column_no_letter() -> None:
    assert addresses(TABLE)["y/1.png"] == "b2"
    assert list(addresses(TABLE[:1]).values()) == ["1", "2", "3"]
    for name, cell in addresses(TABLE).items():
        assert in_cells(TABLE, cells(cell)) == {name}


@given(st.integers(0, 10**7), st.integers(0, 10**8))
def test_what_a_cell_is_called_is_read_as_that_cell(column: int, row: int) -> None:
    assert cells(str(Cell(column, row))) == (Cell(column, row),)


def test_columns_are_named_as_in_a_spreadsheet() -> None:
    assert [column_name(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        "a", "z", "aa", "az", "ba", "zz", "aaa",
    ]  # fmt: skip


def test_an_expression_knows_what_varies_the_rest_and_the_pictures() -> None:
    weights = Axis(
        "style-weight", (Value("3", {"style_weight": 3.0}), Value("30", {"style_weight": 30.0}))
    )
    sweep = Sweep((weights,))
    variants = [
        replace(variant_of("vgg19"), changes=point[0].changes, point=point, pairs=column(name, 2))
        for name, point in zip("xy", sweep.points(), strict=True)
    ]

    def meant(text: str) -> set[str]:
        names = which(text, sweep, DEFAULT)
        return set().union(*map(names, variants))

    assert meant("style-weight>=30") == {"y/0.png", "y/1.png"}
    assert meant("style-weight=3 and content=c1") == {"x/1.png"}
    assert meant("content=c1.png and style=ink") == {"x/1.png", "y/1.png"}
    assert meant(f"size={DEFAULT['size']} and not style-weight=3") == meant("style-weight=30")
    assert meant("dense=true") == meant("optimizer=lbfgs") == meant("seed=0 or seed=1")
    assert meant("model=nobody") == set()
