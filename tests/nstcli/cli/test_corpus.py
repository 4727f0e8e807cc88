"""Every broken and odd picture of the corpus: by itself, and all of them in one batch."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nstcli.errors import InputError
from nstcli.images import Picture, decode
from nstcli.run.check import look, look_at_all
from tests.nstcli import corpus, flat
from tests.nstcli.cli.conftest import Ended, Nst
from tests.nstcli.corpus import BAD, GOOD, SMALL, Case

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")

# Without a style term, a result keeps the pixels of its content, so that it shows what was seen.
RUN = ("-o", "out", "-m", "tiny", "--steps", "2", "--max-pixels", corpus.MAX_PIXELS)
KEEP = ("--style-weight", "0")
ALL = [*GOOD, *SMALL, *BAD]


@pytest.fixture(autouse=True)
def _no_heic_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """See that nothing is printed, not even by the C libraries below Pillow."""
    yield
    assert capfd.readouterr() == ("", "")


def assert_shows(picture: Picture, case: Case) -> None:
    assert case.pixels is not None
    assert picture.rgb.shape == case.pixels.shape
    np.testing.assert_allclose(
        picture.rgb.astype(int), case.pixels, atol=case.tolerance, err_msg=case.name
    )
    if case.alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, case.alpha, err_msg=case.name)
    assert picture.notes == case.notes


def test_names_differ_in_their_stems_and_turns_in_their_pixels() -> None:
    """Else one case would stand for another."""
    assert len({case.name for case in ALL}) == len(ALL)
    turns = [case.pixels for case in GOOD if case.name in {f"turned {n}.jpg" for n in range(2, 9)}]
    assert len({turn.tobytes() for turn in turns if turn is not None}) == 7


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("case", [*GOOD, *SMALL], ids=str)
def test_a_sound_picture_shows_what_it_should(case: Case, tmp_path: Path) -> None:
    assert_shows(decode(case.data, case.name, corpus.MAX_PIXELS), case)
    corpus.write(tmp_path, [case])
    found = look(tmp_path / case.name, corpus.MAX_PIXELS)
    assert case.pixels is not None
    assert (found.height, found.width) == case.pixels.shape[:2]
    assert found.notes == case.notes


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("case", BAD, ids=str)
def test_a_bad_picture_is_one_line_with_its_name_and_cause(case: Case, tmp_path: Path) -> None:
    corpus.write(tmp_path, [case])
    path = tmp_path / case.name
    ((told, found),) = look_at_all([path], corpus.MAX_PIXELS)
    assert told == path
    assert isinstance(found, InputError)
    assert str(found).startswith(f"{path}: ")
    assert case.error in str(found)
    assert len(str(found).splitlines()) == 1
    assert str(found).isprintable()


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name, problem in corpus.write_odd(tmp_path).items():
        with pytest.raises(InputError, match=f"{name}: {problem}"):
            look(tmp_path / name)


def _written(folder: Path, kind: str) -> dict[str, dict[str, str]]:
    """The records of a folder, by the names of their contents."""
    paths = (folder / ".nst" / kind).glob("*.json")
    found = [flat.read(path) | {"result": path.stem} for path in paths]
    return {Path(record["content"]).name: record for record in found}


def _lines(ended: Ended) -> list[str]:
    """The lines of the end report that tell of failures."""
    report = ended.err[ended.err.index("Done: ") :]
    return [line for line in report.splitlines() if line.startswith("  ✗ ")]


def _assert_told(ended: Ended, folder: str, who: Callable[[Case], str], cases: list[Case]) -> None:
    """Each bad file has exactly one line, and nothing else has one."""
    lines = _lines(ended)
    assert len(lines) == len(cases)
    for case in cases:
        start = f"  ✗ {who(case)}   {folder}/{case.name}: "
        (line,) = (line for line in lines if line.startswith(start))
        assert case.error in line
    assert "Traceback" not in ended.err


@pytest.fixture
def photos(tmp_path: Path, write_picture: Callable[..., Path]) -> dict[str, str]:
    """The whole corpus in `photos`, one style in `art`; what shall be said of what is no file."""
    corpus.write(tmp_path / "photos", ALL)
    write_picture("art/ink.png", 28, 28, seed=3)
    return corpus.write_odd(tmp_path / "photos")


@pytest.mark.usefixtures("photos")
def test_one_batch_over_everything(nst: Nst, tmp_path: Path, photos: dict[str, str]) -> None:
    ended = nst("batch", "photos", "art", *RUN, *KEEP)
    out = tmp_path / "out"
    failed = [*SMALL, *BAD]
    assert ended.code == 1
    assert (
        f"Done: {len(GOOD)} made ({len(GOOD)} no better than at the start), {len(failed)} failed"
        in ended.err
    )
    _assert_told(ended, "photos", lambda case: f"{case.name} × ink.png", failed)
    for name, problem in photos.items():
        assert ended.err.count(f"note: 'photos/{name}' {problem}; left out\n") == 1
    for name in corpus.JUNK:
        assert name not in ended.err

    made = _written(out, "pairs")
    assert set(made) == {case.name for case in GOOD}
    assert set(_written(out, "failures")) == {case.name for case in failed}
    assert {path.name for path in out.glob("*__*")} == {each["result"] for each in made.values()}
    for case in GOOD:
        result = decode((out / made[case.name]["result"]).read_bytes(), "result.png")
        assert_shows(result, corpus.seen_again(case))
        said = [line for line in ended.err.splitlines() if line.startswith(f"  ! photos/{case}:")]
        assert said == [f"  ! photos/{case.name}: {note}" for note in case.notes]


@pytest.mark.usefixtures("photos")
def test_a_second_run_makes_nothing_and_retries_the_failures_alone(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    from nstcli.run import check

    run = ("batch", "photos", "art", *RUN, *KEEP)
    first = nst(*run)
    results = [*(tmp_path / "out").glob("*__*"), *(tmp_path / "out/.nst/pairs").iterdir()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in results}
    looked = []
    real = check.look

    def look(path: Path, *limit: int) -> object:
        looked.append(path.name)
        return real(path, *limit)

    monkeypatch.setattr(check, "look", look)
    second = nst(*run)
    failed = [*SMALL, *BAD]
    assert second.code == 1
    assert f"Done: {len(GOOD)} cached, {len(failed)} failed in" in second.err
    assert sorted(_lines(second)) == sorted(_lines(first))
    assert sorted(looked) == sorted(["ink.png", *(case.name for case in failed)])
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in results} == before

    mended = tmp_path / "photos" / BAD[0].name
    mended.write_bytes(corpus.saved(corpus.Image.fromarray(corpus.RGB), "JPEG"))
    third = nst(*run)
    made = "1 made (1 no better than at the start)"
    assert f"Done: {made}, {len(GOOD)} cached, {len(failed) - 1} failed in" in third.err
    assert mended.name not in _written(tmp_path / "out", "failures")


def test_everything_as_a_style(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    """With two photos: every bad artwork is told once, for both, and so is every remark."""
    corpus.write(tmp_path / "art", ALL)
    odd = corpus.write_odd(tmp_path / "art")
    write_picture("photos/cat.png", 24, 32, seed=1)
    write_picture("photos/dog.png", 32, 24, seed=2)
    ended = nst("batch", "photos", "art", *RUN)
    assert ended.code == 1
    failed = [*SMALL, *BAD]
    assert f"Done: {2 * len(GOOD)} made, {2 * len(failed)} failed in" in ended.err
    _assert_told(ended, "art", lambda case: "2 pairs", failed)
    for name, problem in odd.items():
        assert ended.err.count(f"note: 'art/{name}' {problem}; left out\n") == 1
    for case in GOOD:
        for note in case.notes:
            assert ended.err.count(f"  ! art/{case.name}: {note}\n") == 1
    for path in (tmp_path / "out").glob("*__*"):
        shape = decode(path.read_bytes(), "x").rgb.shape
        assert shape == ((24, 32, 3) if path.name.startswith("cat") else (32, 24, 3))


def test_strict_names_the_first_and_makes_nothing(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    write_picture("art/ink.png", 28, 28, seed=3)
    corpus.write(tmp_path / "photos", [*GOOD[:2], BAD[0]])
    ended = nst("batch", "photos", "art", *RUN, "--strict")
    assert ended.code == 2
    assert ended.err.startswith(f"nst: photos/{BAD[0].name}: {BAD[0].error}")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_bad_pictures_alone_is_no_success(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    write_picture("art/ink.png", 28, 28, seed=3)
    corpus.write(tmp_path / "photos", BAD)
    ended = nst("batch", "photos", "art", *RUN)
    assert ended.code == 1
    assert f"Done: {len(BAD)} failed in" in ended.err
    assert len(_lines(ended)) == len(BAD)


def test_a_folder_of_what_is_no_file_has_no_pictures(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    write_picture("art/ink.png", 28, 28, seed=3)
    (tmp_path / "photos").mkdir()
    corpus.write_odd(tmp_path / "photos")
    ended = nst("batch", "photos", "art", *RUN)
    assert ended.code == 2
    assert ended.err.startswith("nst: no pictures in the folder 'photos'; 'photos/circle.png'")
    assert not (tmp_path / "out").exists()


def test_links_in_a_circle_and_an_unreadable_folder_leave_the_rest(
    nst: Nst,
    tmp_path: Path,
    write_picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("art/ink.png", "photos/a.png", "photos/sub/b.png", "photos/secret/c.png"):
        write_picture(name, seed=len(name))
    (tmp_path / "photos/sub/up").symlink_to(tmp_path / "photos")
    (tmp_path / "photos/round").symlink_to("round")
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:  # a mode of 0 would not keep the administrator out
        if path.name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    run = ("batch", "photos", "art", *RUN, "-r")
    ended = nst(*run)
    assert ended.code == 0
    assert "Done: 2 made in" in ended.err
    assert [line for line in ended.err.splitlines() if line.endswith("; left out")] == [
        "note: 'photos/round' cannot be read: Too many levels of symbolic links; left out",
        "note: 'photos/secret' cannot be read: Permission denied; left out",
        "note: 'photos/sub/up' leads to 'photos', which is read already; left out",
    ]
    assert {path.relative_to(tmp_path / "out").as_posix() for path in listed(tmp_path / "out")} >= {
        "a__ink.png",
        "sub",
    }
    assert nst(*run[:4], "elsewhere", *run[5:], "--strict").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_an_unreadable_file_fails_its_own_pair_alone(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("art/ink.png", "photos/a.png", "photos/secret.png"):
        write_picture(name, seed=len(name))
    opened = Path.open

    def refusing(path: Path, *arguments: object, **options: object) -> object:
        if path.name == "secret.png":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refusing)
    ended = nst("batch", "photos", "art", *RUN)
    assert ended.code == 1
    assert _lines(ended) == [
        "  ✗ secret.png × ink.png   photos/secret.png: cannot be read: Permission denied"
    ]
    assert (tmp_path / "out/a__ink.png").exists()
