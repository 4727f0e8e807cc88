"""Pictures that go with photos: one for all, or the one of the same name in a folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nstcli.errors import InputError
from nstcli.plan.beside import started, with_input
from nstcli.plan.pair import Input, Pair
from nstcli.recipe import DEFAULT


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what puts files into a folder `starts`."""
    monkeypatch.chdir(tmp_path)

    def put(*names: str) -> None:
        for name in names:
            path = tmp_path / "starts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")

    return put


def pair(content: str = "photos/Cat.jpg", output: str = "Cat__ink.png") -> Pair:
    return Pair.of(Path(content), Path("art/ink.png"), output)


def found(pairs: list[Pair]) -> list[str]:
    for each in pairs:
        assert each.inputs[-1].role == "init"
    return [each.inputs[-1].path.as_posix() for each in pairs]


@pytest.mark.parametrize("word", ["content", "noise", "style"])
def test_a_word_is_no_picture_whatever_lies_there(starts: Callable[..., None], word: str) -> None:
    starts("cat.png")
    Path(word).mkdir()
    assert started([pair()], {**DEFAULT, "init": word}) == [pair()]


def test_a_file_is_for_all(starts: Callable[..., None]) -> None:
    starts("x.png")
    pairs = started([pair(), pair("b.png", "b__ink.png")], {**DEFAULT, "init": "starts/x.png"})
    assert found(pairs) == ["starts/x.png"] * 2
    assert pairs[0].inputs == (*pair().inputs, Input("init", Path("starts/x.png")))
    assert pairs[0].title == "Cat.jpg × ink.png × x.png"


@pytest.mark.parametrize(
    ("there", "output", "expected"),
    [
        (("cat.png", "dog.png"), "Cat__ink.png", "cat.png"),
        (("cat.webp", "CAT__ink.jpg"), "Cat__ink.png", "CAT__ink.jpg"),
        (("cat.png", "trip/cat.png"), "trip/Cat__ink.png", "trip/cat.png"),
        (("cat.png", "other/cat.png"), "trip/Cat__ink.png", "cat.png"),
        (("trip/cat.png", "cat__ink.png"), "trip/Cat__ink.png", "cat__ink.png"),
    ],
)
def test_in_a_folder_the_name_of_the_result_counts_and_then_that_of_the_photo(
    starts: Callable[..., None], there: tuple[str, ...], output: str, expected: str
) -> None:
    starts(*there)
    assert found(started([pair(output=output)], {**DEFAULT, "init": "starts"})) == [
        f"starts/{expected}"
    ]


@pytest.mark.parametrize(
    ("there", "init", "message"),
    [
        (("dog.png",), "starts", "'starts' has no picture for .*, called 'Cat' or 'Cat__ink'"),
        (("cat.png", "cat.jpg"), "starts", "have the same name; keep one"),
        (("cat.png",), "noize", r"--init: no such file or folder: 'noize' \(did you mean 'noise"),
    ],
)
def test_what_is_not_there_is_named(
    starts: Callable[..., None], there: tuple[str, ...], init: str, message: str
) -> None:
    starts(*there)
    with pytest.raises(InputError, match=message):
        started([pair()], {**DEFAULT, "init": init})


def test_a_single_picture_in_a_folder_is_not_for_all(starts: Callable[..., None]) -> None:
    starts("dog.png")
    with pytest.raises(InputError, match="has no picture"):
        with_input([pair()], "init", "starts")
