import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.experiments.sweep import MOST, Axis, Range, Sweep, Value, between, spaced, uniform


def axis(key: str, *labels: str) -> Axis:
    return Axis(key, tuple(Value(label, {key: label}) for label in labels))


def weights(start: float, end: float, log: bool = False, whole: bool = False) -> Range:
    return Range("w", start, end, log, whole, lambda x: Value(f"{x:g}", {"w": x}))


def names(sweep: Sweep) -> list[str]:
    return [sweep.name(point) for point in sweep.points()]


def test_a_grid_is_every_value_with_every_other_the_last_fastest() -> None:
    sweep = Sweep((axis("style-weight", "3", "30"), axis("model", "vgg19", "vgg16")))
    assert names(sweep) == [
        "style-weight=3,model=vgg19",
        "style-weight=3,model=vgg16",
        "style-weight=30,model=vgg19",
        "style-weight=30,model=vgg16",
    ]


def test_without_axes_there_is_one_point_without_a_name() -> None:
    assert names(Sweep()) == [""]


def test_a_zip_is_the_first_with_the_first() -> None:
    assert names(Sweep((axis("a", "1", "2"), axis("b", "x", "y")), "zip")) == ["a=1,b=x", "a=2,b=y"]
    again = Sweep((axis("a", "1", "2", "1"), axis("b", "x", "x", "y")), "zip")
    assert names(again) == ["a=1,b=x", "a=2,b=x", "a=1,b=y"]
    assert again.order() == {"a": ["1", "2"], "b": ["x", "y"]}
    with pytest.raises(InputError, match=r"how = 'zip' gives the same twice: a=1,b=x$"):
        Sweep((axis("a", "1", "2", "1"), axis("b", "x", "y", "x")), "zip").points()
    with pytest.raises(InputError, match=r"as many values of each key, not a 2, b 1"):
        Sweep((axis("a", "1", "2"), axis("b", "x")), "zip").points()


def test_more_than_anybody_paints_is_refused_without_a_list_of_it() -> None:
    many = axis("a", *map(str, range(1000)))
    with pytest.raises(InputError, match=f"1000000000 variants, of which {MOST} are the most"):
        Sweep((many, many, many)).points()
    with pytest.raises(InputError, match="are the most"):
        Sweep((weights(0, 1),), "random", samples=10**12).points()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 5))
def test_more_samples_only_add_to_fewer(few: int, more: int, seed: int) -> None:
    axes = (axis("a", *"abcdefgh"), weights(1, 1000, log=True))
    first = names(Sweep(axes, "random", few, seed))
    second = names(Sweep(axes, "random", few + more, seed))
    assert second[:few] == first
    assert len(set(second)) == few + more


def test_another_seed_draws_others() -> None:
    drawn = {tuple(names(Sweep((weights(0, 1),), "random", 4, seed))) for seed in range(5)}
    assert len(drawn) == 5


@given(st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=2, max_size=8, unique=True))
def test_a_value_more_changes_only_what_it_wins(labels: list[str]) -> None:
    *before, new = labels
    tokens = [f"token {n}" for n in range(40)]
    old = [axis("a", *before).draw(token).label for token in tokens]
    now = [axis("a", *labels).draw(token).label for token in tokens]
    assert all(b in {a, new} for a, b in zip(old, now, strict=True))


def test_draws_from_few_values_come_to_all_of_them() -> None:
    axes = (axis("a", "1", "2", "3"), axis("b", "x", "y"))
    assert len(set(names(Sweep(axes, "random", 6)))) == 6
    with pytest.raises(InputError, match="there are only 6 different ones"):
        Sweep(axes, "random", 7).points()
    with pytest.raises(InputError, match="the ranges hold only 3"):
        Sweep((weights(1, 3, whole=True),), "random", 4).points()


def test_draws_are_spread_evenly() -> None:
    found = sorted(uniform(f"{n}") for n in range(1000))
    assert all(abs(x - n / 1000) < 0.06 for n, x in enumerate(found))


def test_numbers_of_a_range_are_short_and_its_ends_exact() -> None:
    assert spaced(1, 1000, 4, log=True, whole=False) == [1, 10, 100, 1000]
    assert spaced(1, 1000, 6, log=True, whole=False) == [1, 3.981, 15.85, 63.1, 251.2, 1000]
    assert spaced(0, 1, 4, log=False, whole=False) == [0, 0.3333, 0.6667, 1]
    assert spaced(1000, 1001, 3, log=False, whole=False) == [1000, 1000.5, 1001]
    assert spaced(100, 200, 4, log=False, whole=True) == [100, 133, 167, 200]
    assert spaced(30, 3, 2, log=True, whole=False) == [30, 3]


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.floats(0, 1), st.booleans(), st.booleans())
def test_what_lies_between_lies_between(
    start: float, end: float, share: float, log: bool, whole: bool
) -> None:
    assume(not math.isclose(start, end))
    low, high = sorted((start, end))
    found = between(start, end, share, log, whole)
    room = 0.5 if whole else (high - low) * 1e-3 + (found * 1e-3 if log else 0)
    assert low - room <= found <= high + room
    assert between(start, end, 0, log, whole) == start
    assert between(start, end, 1, log, whole) == end
