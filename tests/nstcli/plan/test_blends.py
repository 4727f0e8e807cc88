"""Styles of several artworks: weights, sub-folders, steps from one to the next."""

from pathlib import Path

import pytest

from nstcli.errors import InputError
from nstcli.plan import blends
from nstcli.plan.inputs import find
from nstcli.plan.pair import Source
from nstcli.plan.walk import Selection


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def told(styles: list[Source], folder: Path) -> dict[str, list[tuple[str, float]]]:
    return {
        each.path.relative_to(folder).as_posix(): [
            (path.name, round(weight, 3)) for path, weight in each.pictures
        ]
        for each in styles
    }


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("a.jpg", ("a.jpg", 1)),
        ("a.jpg=0.7", ("a.jpg", 0.7)),
        ("a=b.jpg=2", ("a=b.jpg", 2)),
        ("there=1", ("there=1", 1)),
    ],
)
def test_an_argument_may_have_a_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str, expected: tuple[str, float]
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "there=1")
    assert blends.weighted(argument) == expected


def test_what_is_no_weight() -> None:
    with pytest.raises(InputError, match=r"'a.jpg=much': 'much' is no weight; should be FILE=0.7"):
        blends.weighted("a.jpg=much")
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"of 'a.jpg' should be 0 or more"):
            blends.named([(Path("a.jpg"), weight)])
    with pytest.raises(InputError, match="all weights"):
        blends.named([(Path("a.jpg"), 0), (Path("b.jpg"), 0)])


def test_only_ratios_matter_and_what_weighs_nothing_is_not_there() -> None:
    a, b = Path("x/a.b.jpg"), Path("y/c.jpg")
    assert blends.named([(a, 7), (b, 3)]) == Source(Path("a.b+c"), parts=((a, 0.7), (b, 0.3)))
    assert blends.named([(a, 0.4), (b, 0)]) == Source(a)
    assert blends.named([(a, 2)]).inputs("style")[0].weight == 1


def test_each_sub_folder_is_one_style(tmp_path: Path) -> None:
    put(tmp_path, "one.png", "monet/b.png", "monet/a.png", "monet/blend.toml", "klee/late/x.png")
    (tmp_path / "monet" / "blend.toml").write_text('"a.png" = 3\n')
    found = find(str(tmp_path), Selection(recursive=True))
    assert not found.notes  # of the file with weights
    assert told(blends.styles_of([found], blend=True, mix=None), tmp_path) == {
        "one.png": [("one.png", 1)],
        "klee/late": [("x.png", 1)],
        "monet": [("a.png", 0.75), ("b.png", 0.25)],
    }


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('"c.png" = 1', "there is no picture 'c.png' (did you mean"),
        ('"a.png" = "1"', "the weight of 'a.png' should be a number"),
        ('"a.png" = -1', "the weight -1 of"),
    ],
)
def test_weights_that_cannot_be(tmp_path: Path, toml: str, message: str) -> None:
    put(tmp_path, "monet/a.png", "monet/b.png")
    (tmp_path / "monet" / "blend.toml").write_text(toml)
    with pytest.raises(InputError) as raised:
        blends.styles_of([find(str(tmp_path), Selection(recursive=True))], blend=True, mix=None)
    assert message in str(raised.value)


def test_without_sub_folders_there_is_nothing_to_blend(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    with pytest.raises(InputError, match="has no sub-folders with pictures"):
        blends.styles_of([find(str(tmp_path))], blend=True, mix=None)


def test_steps_go_from_each_artwork_to_the_next(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png")
    styles = blends.styles_of([find(str(tmp_path))], blend=False, mix=3)
    assert told(styles, tmp_path) == {
        "a.png": [("a.png", 1)],
        "a+b_050": [("a.png", 0.5), ("b.png", 0.5)],
        "b.png": [("b.png", 1)],
        "b+c_050": [("b.png", 0.5), ("c.png", 0.5)],
        "c.png": [("c.png", 1)],
    }
    fine = blends.styles_of([find(str(tmp_path / "?.png"))], blend=False, mix=5)
    assert told(fine, tmp_path)["a+b_025"] == [("a.png", 0.75), ("b.png", 0.25)]
    with pytest.raises(InputError, match="name two or more"):
        blends.styles_of([find(str(tmp_path / "a.png"))], blend=False, mix=5)
