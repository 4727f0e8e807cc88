import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.plan.names import LONGEST, cut, digest, folded, safe, safe_folder


@pytest.mark.parametrize(
    "name", ["cat.png", "é.png", "e\u0301.png", "Ω😀.png", "[1] (2) & more!.png"]
)
@pytest.mark.parametrize(
    "before", ["", " ", ".hidden ", "a..", "console.", "com10.", "a~1 100%", "nul__"]
)
def test_a_name_that_every_system_takes_is_kept(name: str, before: str) -> None:
    assert safe(before + name) == before + name


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ('<>:"/\\|?*.png', "_________.png"),
        ("a\tb\x7f\x85.png", "a_b__.png"),
        ("caf\udce9.png", "caf%E9.png"),
        ("\ud800.png", "_.png"),  # a half of a pair, which Windows allows
        ("holiday.", "holiday_"),
        ("holiday ", "holiday_"),
        (". .", ". _"),
        ("", "_"),
        ("con", "con_"),
        ("NUL.tar.gz", "NUL_.tar.gz"),
        ("Com1 .png", "Com1 _.png"),
        ("lpt².png", "lpt²_.png"),
    ],
)
def test_what_a_system_refuses_is_replaced(name: str, made: str) -> None:
    assert safe(name) == made


@given(st.text())
def test_a_safe_name_is_safe(name: str) -> None:
    assert safe(safe(name)) == safe(name)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("holiday", "holiday"),
        ("a.png", "a.png_"),
        ("A.PNG.JSON", "A.PNG.JSON_"),
        ("a.jpg", "a.jpg"),
        ("Index.html", "Index.html_"),
        (".nst", ".nst_"),
    ],
)
def test_a_folder_has_no_name_of_a_result(name: str, made: str) -> None:
    assert safe_folder(name, ".png") == made


def test_long_folders_that_begin_alike_stay_two() -> None:
    one, other = safe_folder("ä" * 127 + "a", ".png"), safe_folder("ä" * 127 + "b", ".png")
    assert one != other
    assert len(one.encode()) <= LONGEST
    assert one.startswith("ä" * 100)


def test_names_that_systems_confuse_fold_to_one() -> None:
    assert folded("É.PNG") == folded("e\u0301.png")
    assert folded("STRASSE") == folded("straße")
    assert folded("a") != folded("b")


def test_text_is_cut_at_whole_characters() -> None:
    assert cut("aäb", 2) == "a"
    assert cut("aäb", 3) == "aä"


def test_digests_know_where_one_text_ends() -> None:
    assert digest("a__b", "c") != digest("a", "b__c")
    assert len(digest("\udce9")) == 8
