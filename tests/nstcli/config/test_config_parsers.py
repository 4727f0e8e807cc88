"""What users write in a form of their own: seconds, counts, lists, layers."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.config.parsers import (
    auto_off_or_count,
    auto_or_count,
    layers,
    memory,
    seconds,
    strength,
    texts,
)


@pytest.mark.parametrize(("written", "value"), [("90", 90), ("1e2", 100), (0.5, 0.5), (3, 3)])
def test_seconds(written: object, value: float) -> None:
    assert seconds(written) == value


@pytest.mark.parametrize("written", ["", "0", "-1", "1m", "nan", "inf", 0, math.inf, True, None])
def test_no_seconds(written: object) -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        seconds(written)


@pytest.mark.parametrize(
    ("written", "value"), [("0", 0), ("1e1", 10), (0.5, 0.5), (3, 3), (True, 1), (False, 0)]
)
def test_strength(written: object, value: float) -> None:
    found = strength(written)
    assert (found, type(found)) == (value, float)


@pytest.mark.parametrize("written", ["", "a.jpg", "true", -1, "nan", math.inf, None, [1]])
def test_no_strength(written: object) -> None:
    with pytest.raises(ValueError, match="number from 0 on"):
        strength(written)


@pytest.mark.parametrize(
    ("written", "value"), [("auto", "auto"), ("3", 3), (3, 3), (2.0, 2), ("1e1", 10)]
)
def test_auto_or_count(written: object, value: object) -> None:
    found = auto_or_count(written)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "written", ["", "Auto", "0", 0, -1, 1.5, "1.5", "nan", True, None, [1], math.inf, "1e999"]
)
def test_neither_auto_nor_count(written: object) -> None:
    with pytest.raises(ValueError, match="'auto' or a whole number from 1"):
        auto_or_count(written)


def test_a_count_has_its_end() -> None:
    assert auto_or_count("16", most=16) == 16
    with pytest.raises(ValueError, match=r"from 1 to 16$"):
        auto_or_count(17, most=16)


UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@given(
    count=st.integers(1, 9000),
    unit=st.sampled_from(list(UNITS)),
    space=st.sampled_from(["", " "]),
    case=st.sampled_from([str, str.lower, str.upper]),
)
def test_memory(count: int, unit: str, space: str, case: Callable[[str], str]) -> None:
    found = memory(f"{count}{space}{case(unit)}")
    assert found == count * UNITS[unit]
    assert {memory(found), memory(str(found)), memory(f"{found}B"), memory(float(found))} == {found}
    assert memory(f"{count}.5{space}{case(unit)}") == found + UNITS[unit] // 2


@pytest.mark.parametrize(("written", "value"), [("2e6", 2_000_000), ("2000 kB", 2_000_000)])
def test_memory_in_small_units(written: str, value: int) -> None:
    assert memory(written) == value


@pytest.mark.parametrize(
    "written",
    [
        *("", "GB", "4", "0GB", "-4GB", "4G", "4 gigs", "4,5GB", "999kB", "nan GB", "1e999GB"),
        *(0, 4, 999_999, -(10**9), math.inf, True, None, ["4GB"]),
    ],
)
def test_no_memory(written: object) -> None:
    with pytest.raises(ValueError, match=r"a size like 4GB or 1\.5GiB, or bytes, from 1 MB on"):
        memory(written)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("*.jpg", ("*.jpg",)),
        (" *.jpg , *.png,", ("*.jpg", "*.png")),
        (["a,b", "c"], ("a,b", "c")),
        ((), ()),
    ],
)
def test_texts(written: object, value: tuple[str, ...]) -> None:
    assert texts(written) == value


@pytest.mark.parametrize("written", [1, None, [1], {"a": 1}])
def test_no_texts(written: object) -> None:
    with pytest.raises(ValueError, match="a text or a list of texts"):
        texts(written)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("relu1_1,relu2_1=0.5", "relu1_1,relu2_1=0.5"),
        (["relu1_1", "relu2_1=0.5"], "relu1_1,relu2_1=0.5"),
        ({"relu1_1": 1, "relu2_1": 5e-7, "x": "1e5"}, "relu1_1=1.0,relu2_1=5e-07,x=100000.0"),
    ],
)
def test_layers(written: object, text: str) -> None:
    assert layers(written) == text


@pytest.mark.parametrize(
    "written",
    [1, True, None, [], {}, [1], {"relu1": 0}, {"relu1": "x"}, {"relu1": True}, {"r": math.inf}],
)
def test_no_layers(written: Any) -> None:
    with pytest.raises(ValueError, match="a list, or a table of weights"):
        layers(written)


@given(
    weights=st.dictionaries(
        st.sampled_from(["relu1", "relu2", "relu3", "conv1"]),
        st.floats(0, 1e300, exclude_min=True),
        min_size=1,
    )
)
def test_a_table_of_layers_is_read_back_by_the_recipe(weights: dict[str, float]) -> None:
    from nstcli.recipe import parse_layers
    from tests.tiny import TINY

    assert parse_layers(layers(weights), {}, TINY) == weights


@pytest.mark.parametrize(
    ("written", "value"), [("auto", "auto"), ("off", "off"), (False, "off"), ("512", 512), (8, 8)]
)
def test_auto_off_or_count(written: object, value: object) -> None:
    assert auto_off_or_count(written) == value


@pytest.mark.parametrize("written", ["on", True, 0, "1.5", None])
def test_auto_off_or_count_is_nothing_else(written: object) -> None:
    with pytest.raises(ValueError, match="'auto', 'off' or a whole number from 1 on"):
        auto_off_or_count(written)
