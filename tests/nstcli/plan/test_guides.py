"""Masks and maps of pairs: whose they are, and what is said where there is none."""

from pathlib import Path

import pytest

from nstcli.errors import InputError
from nstcli.plan.guides import guided
from nstcli.plan.pair import Input, Pair


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("all.png", "masks/Cat.png", "masks/trip/cat.png", "masks/ink.jpg", "none/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


CAT = Pair.of(Path("photos/cat.jpg"), Path("art/ink.png"), "cat__ink.png")
DOG = Pair.of(Path("photos/dog.jpg"), Path("art/ink.png"), "dog__ink.png")
TWO = Pair(
    (*CAT.inputs, Input("style", Path("art/wave.png"), 0.5)),
    "cat__two.png",
)


def roles(pair: Pair) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in pair.inputs:
        if "-" in each.role:
            found.setdefault(each.role, []).append(each.path.as_posix())
    return found


def test_nothing_asked_for_is_nothing_given() -> None:
    assert guided([CAT, DOG], {}) == ([CAT, DOG], [])


def test_a_file_is_for_all_and_a_folder_has_one_for_each() -> None:
    trip = Pair.of(Path("photos/trip/cat.jpg"), Path("art/ink.png"), "trip/cat__ink.png")
    pairs, notes = guided(
        [CAT, DOG, trip], {"content-mask": ["masks"], "content-weight-map": ["all.png"]}
    )
    assert [roles(pair) for pair in pairs] == [
        {"content-mask": ["masks/Cat.png"], "content-weight-map": ["all.png"]},
        {"content-weight-map": ["all.png"]},
        {"content-mask": ["masks/trip/cat.png"], "content-weight-map": ["all.png"]},
    ]
    assert notes == ["'masks' has no --content-mask for 'dog.jpg': painted without"]
    assert pairs[0].title == "cat.jpg × ink.png"


def test_styles_may_have_a_mask_each() -> None:
    given = {"content-mask": ["all.png", "masks"], "style-mask": ["all.png"]}
    (pair,), _ = guided([TWO], given)  # type: ignore[arg-type]
    assert roles(pair) == {
        "content-mask": ["all.png", "masks/Cat.png"],
        "style-mask": ["all.png", "all.png"],
    }


def test_regions_are_those_of_both_sides() -> None:
    given = {"content-regions": ["masks"], "style-regions": ["masks"]}
    pairs, notes = guided([CAT, DOG], given)  # type: ignore[arg-type]
    assert roles(pairs[0]) == {
        "content-regions": ["masks/Cat.png"],
        "style-regions": ["masks/ink.jpg"],
    }
    assert roles(pairs[1]) == {}
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("pair", "given", "message"),
    [
        (CAT, {"content-mask": ["nowhere"]}, "--content-mask: no such file or folder: 'nowhere'"),
        (CAT, {"content-mask": ["none"]}, "no file in 'none' is called like a photo"),
        (CAT, {"style-mask": ["none"]}, "no file in 'none' is called like an artwork"),
        (CAT, {"content-regions": ["masks"]}, "is of no use without --style-regions"),
        (CAT, {"style-regions": ["masks"]}, "is of no use without --content-regions"),
        (CAT, {"content-mask": ["all.png"] * 2}, "is given 2 times, for cat.jpg × ink.png; "),
        (TWO, {"style-mask": ["all.png"] * 3}, "should be once or 2 times, one for each style"),
        (TWO, {"style-mask": ["masks"]}, "there is one for a style of cat.jpg × ink.png + wave"),
        (
            TWO,
            {
                "content-mask": ["all.png"] * 2,
                "content-regions": ["all.png"],
                "style-regions": ["all.png"],
            },
            "give styles a --content-mask each, or --content-regions, and not both",
        ),
    ],
)
def test_what_cannot_be_given_so(pair: Pair, given: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError) as raised:
        guided([pair], given)  # type: ignore[arg-type]
    assert message in str(raised.value)
