import pytest

from nstcli.errors import InputError
from nstcli.plan.template import DEFAULT, Template

VALUES = {"model": "vgg19", "size": "512"}


def test_every_placeholder_is_filled() -> None:
    text = "{{{index}}} {content} {style} {model} {size}"
    assert (
        Template(text, VALUES).fill({"content": "cat", "style": "wave"}, 7)
        == "{0007} cat wave vgg19 512"
    )


def test_braces_in_names_are_no_placeholders() -> None:
    assert (
        Template(DEFAULT, {}).fill({"content": "{style}", "style": "{x!r:3}"}, 1)
        == "{style}__{x!r:3}"
    )


def test_a_value_makes_no_folder() -> None:
    assert (
        Template("{weights}/a", {"weights": "/w/x.pth"}).fill({"content": "c", "style": "s"}, 1)
        == "_w_x.pth/a"
    )


def test_the_names_of_a_pair_are_not_those_of_settings() -> None:
    assert (
        Template("{content}", {"content": "relu4_2"}).fill({"content": "cat", "style": "wave"}, 1)
        == "cat"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{contnt}", r"unknown placeholder {contnt} \(did you mean 'content'\?\); there are: {con"),
        ("{}", "unknown placeholder {}"),
        ("{0}", "unknown placeholder {0}"),
        ("{content.__class__}", "unknown placeholder"),
        ("{content[0]}", "unknown placeholder"),
        ("{content:>9}", "write {content} alone, without ':>9'"),
        ("{style!r}", "write {style} alone, without '!r'"),
        ("{content", "a brace of its own is written twice"),
        ("content}", "a brace of its own is written twice"),
        ("", "must be a path below the output folder"),
        ("/tmp/{content}", "must be a path below the output folder"),
        ("../{content}", "must be a path below the output folder"),
        ("a/../{content}", "must be a path below the output folder"),
        ("a/ . /{content}", "must be a path below the output folder"),
        ("{content}/", "must be a path below the output folder"),
        ("a\\{content}", "folders are divided by /"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Template(text, VALUES)


def test_missing_names_are_added() -> None:
    assert Template("{style}", {}).complete().text == "{style}__{content}"
    assert Template("x", {}).complete().text == "x__{content}__{style}"
    assert Template(DEFAULT, {}).complete().text == DEFAULT


def test_the_suffix_of_the_format_is_not_given_twice() -> None:
    assert Template("{content}.PNG", {}).without(".png").text == "{content}"
    assert Template("{content}.jpg", {}).without(".png").text == "{content}.jpg"
    assert Template(".png", {}).without(".png").text == ".png"


def test_what_pairs_do_not_have_has_no_placeholder() -> None:
    assert Template(DEFAULT, {}, ("style",)).fill({"style": "wave"}, 1) == "wave"
    assert Template("{index}", {}, ("style",)).complete().text == "{index}__{style}"
    with pytest.raises(InputError, match=r"unknown placeholder {content}.* there are: {style}"):
        Template("{content}", {}, ("style",))
