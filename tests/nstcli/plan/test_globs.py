import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.plan.globs import Globs


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.jpg", "a.jpg"),
        ("*.jpg", "x/y/a.JPG"),
        ("*.JPG", "a.jpg"),
        ("IMG_00?[1-3].*", "img_0012.png"),
        ("drafts", "drafts/a.jpg"),
        ("drafts/", "x/drafts/a.jpg"),
        ("x/drafts", "x/drafts/y/a.jpg"),
        ("./x/*.jpg", "x/a.jpg"),
        ("/x/*.jpg", "x/a.jpg"),
        ("**/raw/**", "raw/a.jpg"),
        ("**/raw/**", "x/y/raw/z/a.jpg"),
        ("x/**/a.jpg", "x/a.jpg"),
        ("x/**/a.jpg", "x/y/z/a.jpg"),
        ("**", "x/a.jpg"),
        ("**/*.jpg", "a.jpg"),
        ("é.jpg", "e\u0301.jpg"),
        ("*\udce9*", "caf\udce9.jpg"),
        ("img[[]1].png", "img[1].png"),
        ("!a", "!a"),
        ("#a", "#a"),
        ("a ", "a "),
        ("a\t", "a\t"),
        ("[!a]", "b"),
        ("[^a]", "^"),
        ("[a", "[a"),
        ("a.jpg/", "x/a.jpg"),
        ("x/**", "x"),
        ("*", "\n"),
    ],
)
def test_fits(pattern: str, path: str) -> None:
    assert Globs([pattern]).fit(path.split("/"))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.jpg", "a.png"),
        ("*.jpg", "a.jpg.png"),
        ("a", "ab"),
        ("x/*.jpg", "x/y/a.jpg"),
        ("x/*.jpg", "y/x/a.jpg"),
        ("/drafts/*", "x/drafts/a.jpg"),
        ("**/raw/**", "x/raws/a.jpg"),
        ("x/**/b/a.jpg", "x/a.jpg"),
        ("x/y", "x"),
        ("!a", "b"),
        ("a ", "a"),
        ("[!a]", "A"),
        ("[^a]", "b"),
        ("[z-a]", "z"),
        ("a", "a\n"),
    ],
)
def test_fits_not(pattern: str, path: str) -> None:
    assert not Globs([pattern]).fit(path.split("/"))


@pytest.mark.skipif(os.sep == "\\", reason="about names with a backslash")
def test_a_backslash_is_a_character_like_others() -> None:
    assert Globs(["a\\*"]).fit(["a\\b"])
    assert not Globs(["a\\*"]).fit(["a*"])


def test_one_of_several_is_enough_and_none_fits_nothing() -> None:
    assert Globs(["*.png", "*.jpg"]).fit(["a.jpg"])
    assert not Globs([]).fit(["a.jpg"])
    assert not Globs([])


@pytest.mark.parametrize("pattern", ["", "/", "."])
def test_an_empty_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="need a pattern such as"):
        Globs([pattern])


def test_many_stars_take_no_time() -> None:
    assert not Globs(["/".join(["**", "a"] * 30)]).fit(["a"] * 29)
    assert not Globs(["/".join(["**", "a"] * 30 + ["b"])]).fit(["a"] * 60)
    assert not Globs(["*a" * 30 + "*b"]).fit(["a" * 100])


@given(st.text(min_size=1).filter(lambda text: text.strip("/.")), st.lists(st.text(), min_size=1))
def test_anything_may_be_asked(pattern: str, parts: list[str]) -> None:
    assert Globs([pattern]).fit(parts) in {True, False}
