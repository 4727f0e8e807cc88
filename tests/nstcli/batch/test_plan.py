from pathlib import Path, PurePath
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.batch.plan import pairs

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: PurePath(name).name == name and name not in {".", ".."})
paths = st.lists(names.map(Path), min_size=1, max_size=6, unique=True)


def outputs(contents: list[str], styles: list[str]) -> list[str]:
    planned = pairs([Path(c) for c in contents], [Path(s) for s in styles], ".png")
    return [pair.output for pair in planned]


def test_the_product_goes_content_by_content() -> None:
    planned = pairs([Path("a.jpg"), Path("b.jpg")], [Path("x.png"), Path("y.png")], ".webp")
    assert [(p.content.name, p.style.name, p.output) for p in planned] == [
        ("a.jpg", "x.png", "a__x.webp"),
        ("a.jpg", "y.png", "a__y.webp"),
        ("b.jpg", "x.png", "b__x.webp"),
        ("b.jpg", "y.png", "b__y.webp"),
    ]


def test_limit_takes_the_first_pairs_under_the_names_they_have_without_it() -> None:
    contents, styles = [Path("a.jpg"), Path("a.png")], [Path("x.png"), Path("y.png")]
    assert pairs(contents, styles, ".png", 3) == pairs(contents, styles, ".png")[:3]


def test_two_pictures_of_one_stem_keep_their_suffixes_and_others_stay_short() -> None:
    assert outputs(["cat.jpg", "cat.png", "dog.jpg"], ["wave.png"]) == [
        "cat.jpg__wave.png.png",
        "cat.png__wave.png.png",
        "dog__wave.png",
    ]


@pytest.mark.parametrize(
    ("contents", "styles"),
    [
        (["A.JPG", "a.jpg"], ["x.png"]),  # one file where case is ignored
        (["é.jpg", "e\u0301.jpg"], ["x.png"]),  # one file where composition is ignored
        (["a__b.jpg", "a.jpg"], ["c.png", "b__c.png"]),  # the separator within a name
        (["ß.jpg", "ss.jpg", "SS.jpg"], ["x.png"]),  # equal when case-folded
        (["a.jpg", "a.jpg__a.jpg"], ["a.jpg", "a.jpg__a.jpg"]),  # a second form met by a first
    ],
)
def test_names_that_a_file_system_could_confuse_are_told_apart(
    contents: list[str], styles: list[str]
) -> None:
    made = outputs(contents, styles)
    folded = {normalize("NFC", normalize("NFC", name).casefold()) for name in made}
    assert len(folded) == len(contents) * len(styles)


@given(paths, paths)
def test_no_two_pairs_share_a_name_on_any_file_system(
    contents: list[Path], styles: list[Path]
) -> None:
    made = [pair.output for pair in pairs(contents, styles, ".png")]
    assert len(made) == len(contents) * len(styles)
    assert len({normalize("NFC", normalize("NFC", n).casefold()) for n in made}) == len(made)
    assert all(name.endswith(".png") for name in made)


@given(paths, paths)
def test_names_do_not_depend_on_the_order_of_inputs(
    contents: list[Path], styles: list[Path]
) -> None:
    forward = {(p.content, p.style): p.output for p in pairs(contents, styles, ".png")}
    backward = {(p.content, p.style): p.output for p in pairs(contents[::-1], styles[::-1], ".png")}
    assert forward == backward


def test_names_stay_within_what_file_systems_take() -> None:
    long = ["ä" * 100 + ".jpg", "ä" * 100 + "b.jpg", "x" * 200 + ".jpg"]
    made = outputs(long, long)
    assert len(set(made)) == 9
    assert all(len(name.encode()) <= 250 for name in made)


def test_namesakes_from_several_folders_keep_their_names_when_another_comes() -> None:
    def named(*folders: str) -> dict[Path, str]:
        contents = [Path(folder, "cat.jpg") for folder in folders]
        return {p.content: p.output for p in pairs(contents, [Path("x.png")], ".png")}

    two, three = named("b", "c"), named("a", "b", "c")
    assert len(set(three.values())) == 3
    assert {path: three[path] for path in two} == two


def test_the_same_file_twice_still_gets_two_names() -> None:
    assert len(set(outputs(["a.jpg", "a.jpg"], ["x.png"]))) == 2
