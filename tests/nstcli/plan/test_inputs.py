import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from nstcli.errors import InputError
from nstcli.plan.inputs import find, refuse_nested
from nstcli.plan.walk import Selection

DEEP = Selection(recursive=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("b.JPG", "a.png", "c.webp", ".hidden.png", "._a.png", "notes.txt", "Thumbs.db"):
        (photos / name).write_bytes(b"x")
    (photos / "sub.png").mkdir()
    return photos


def names(argument: Path, wanted: Selection = Selection()) -> list[str]:  # noqa: B008
    """The pictures found, each by its name below the sub-folder that is to be mirrored."""
    return [(source.folder / source.path.name).as_posix() for source in find(str(argument), wanted)]


def test_a_folder_stands_for_its_pictures_in_the_order_of_names(folder: Path) -> None:
    assert names(folder) == ["a.png", "b.JPG", "c.webp"]


def test_a_file_stands_for_itself_whatever_its_suffix(folder: Path) -> None:
    assert [source.path for source in find(str(folder / "notes.txt"))] == [folder / "notes.txt"]


def test_a_quoted_pattern_stands_for_the_files_it_matches(folder: Path) -> None:
    assert names(folder / "[ab].*") == ["a.png", "b.JPG"]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(folder: Path) -> None:
    (folder / "img[1].png").write_bytes(b"x")
    assert names(folder / "img[1].png") == ["img[1].png"]


def test_home_is_understood(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(find("~/photos")) == 3


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("photoz", "no such file or folder: '.*photoz' \\(did you mean 'photos'\\?\\)"),
        ("photos/*.gif", "no file matches"),
        ("empty", "no pictures in the folder"),
    ],
)
def test_nothing_found_is_an_error_that_says_where(
    folder: Path, argument: str, message: str
) -> None:
    (folder.parent / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        find(str(folder.parent / argument))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Pictures at three depths, some things that are none, and hidden and foreign folders."""
    top = tmp_path / "tree"
    for name in (
        "b.png",
        "a/c.jpg",
        "a/deep/d.jpg",
        "a.png",
        "z/e.png",
        "readme.md",
        "z/clip.mp4",
        ".nst/thumbs/x.png",
        ".git/x.png",
        "a/@eaDir/c.jpg",
        "__MACOSX/._b.png",
        "z/.hidden.png",
        "z/desktop.ini",
        "z/.DS_Store",
    ):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"x")
    return top


def test_sub_folders_are_read_on_demand_in_the_order_of_paths(tree: Path) -> None:
    assert names(tree) == ["a.png", "b.png"]
    assert names(tree, DEEP) == ["a/c.jpg", "a/deep/d.jpg", "a.png", "b.png", "z/e.png"]


def test_what_was_left_out_is_told_but_junk_is_not(tree: Path) -> None:
    assert find(str(tree)).notes == (
        f"'{tree}': 1 other file left out (.md)",
        f"'{tree}': 2 sub-folders left out; -r reads them, too",
    )
    assert find(str(tree), DEEP).notes == (f"'{tree}': 2 other files left out (.md, .mp4)",)


@pytest.mark.parametrize(
    ("include", "exclude", "left"),
    [
        (["*.JPG"], [], ["a/c.jpg", "a/deep/d.jpg"]),
        ([], ["*.jpg"], ["a.png", "b.png", "z/e.png"]),
        (["a"], ["deep"], ["a/c.jpg"]),
        (["a/**", "b.*"], ["**/d.jpg"], ["a/c.jpg", "b.png"]),
        ([], ["a/deep/**", "z/*"], ["a/c.jpg", "a.png", "b.png"]),
    ],
)
def test_patterns_choose(
    tree: Path, include: list[str], exclude: list[str], left: list[str]
) -> None:
    assert names(tree, Selection(True, tuple(include), tuple(exclude))) == left


def test_an_excluded_folder_is_not_even_read(tree: Path, unreadable: Path) -> None:
    assert find(str(tree), Selection(True, exclude=("deep",), strict=True)).left_out == ()


def test_patterns_choose_among_the_files_of_a_glob(folder: Path) -> None:
    assert names(folder / "*", Selection(exclude=("*.txt", "b.*"))) == ["a.png", "c.webp"]


def test_a_glob_tells_of_folders_and_links_and_leaves_out_junk(folder: Path) -> None:
    (folder / "broken.png").symlink_to("gone")
    found = find(str(folder / "*"))
    assert [source.path.name for source in found] == ["a.png", "b.JPG", "c.webp", "notes.txt"]
    assert found.notes == (
        f"'{folder}/broken.png' is a broken link; left out",
        f"'{folder}/*': 1 folder left out",
    )


def test_an_empty_top_hints_at_its_sub_folders(tree: Path) -> None:
    (tree / "a.png").unlink()
    (tree / "b.png").unlink()
    with pytest.raises(InputError, match=r"no pictures .* there are 3 in its sub-folders: -r"):
        find(str(tree))
    (tree / "z/e.png").unlink()
    (tree / "a/c.jpg").unlink()
    with pytest.raises(InputError, match=r"; there is 1 in its sub-folders: -r"):
        find(str(tree))


def test_patterns_that_leave_nothing_are_named(tree: Path) -> None:
    for wanted in (
        Selection(include=("*.gif",)),
        Selection(exclude=("*",)),
        Selection(True, exclude=("*",)),
    ):
        with pytest.raises(InputError, match=r"leave no pictures of .* contents and styles alike"):
            find(str(tree), wanted)
    with pytest.raises(InputError, match=r"leave none of the files that .* matches"):
        find(str(tree / "*.png"), Selection(include=("*.gif",)))
    with pytest.raises(InputError, match=r"no file matches"):
        find(str(tree / "*.gif"), Selection(include=("*.gif",)))


def test_links_count_as_what_they_lead_to(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/f.png").write_bytes(b"x")
    (tree / "link.png").symlink_to(tmp_path / "far/f.png")
    (tree / "linked").symlink_to(tmp_path / "far")
    assert {"link.png", "linked/f.png"} < set(names(tree, DEEP))


def test_links_in_a_circle_come_to_an_end(tree: Path) -> None:
    before = names(tree, DEEP)
    (tree / "a/deep/up").symlink_to(tree)
    (tree / "a/again").symlink_to(tree / "z")
    (tree / "a/over").symlink_to(tree.parent)
    (tree / "a/self").symlink_to("self")
    found = find(str(tree), DEEP)
    assert names(tree, DEEP) == before
    assert found.left_out == (
        (tree / "a/again", f"leads to '{tree}/z', which is read already"),
        (tree / "a/deep/up", f"leads to '{tree}', which is read already"),
        (tree / "a/over", "leads up to a folder around this one"),
        (tree / "a/self", f"cannot be read: {os.strerror(errno.ELOOP)}"),
    )
    assert "1 more could not be read or need not be; left out" in found.notes


def test_a_folder_is_read_in_its_own_place_whatever_links_to_it(tree: Path) -> None:
    before = names(tree, DEEP)
    (tree / "0 first").symlink_to(tree / "z")
    (tree / "a/0 first").symlink_to(tree / "a/deep")
    assert names(tree, DEEP) == before


def test_two_ways_to_a_far_folder_give_its_pictures_once(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/f.png").write_bytes(b"x")
    for name in ("m", "k"):
        (tree / name).symlink_to(tmp_path / "far")
    assert [name for name in names(tree, DEEP) if "f.png" in name] == ["k/f.png"]


@pytest.fixture
def unreadable(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that refuses to be listed, to the administrator as well."""
    refused = tree / "a/deep"
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path == refused:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    return refused


def test_a_sub_folder_that_cannot_be_read_is_told(tree: Path, unreadable: Path) -> None:
    found = find(str(tree), DEEP)
    assert len(found) == 4
    assert found.left_out == ((unreadable, "cannot be read: Permission denied"),)
    assert found.notes[0] == f"'{unreadable}' cannot be read: Permission denied; left out"


def test_a_folder_that_cannot_be_read_is_an_error(unreadable: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the folder '.*deep': Permission denied"):
        find(str(unreadable))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_what_only_looks_like_a_picture_is_told(tree: Path) -> None:
    os.mkfifo(tree / "pipe.jpg")
    (tree / "gone.jpg").symlink_to("nowhere")
    (tree / "gone.txt").symlink_to("nowhere")
    assert find(str(tree)).left_out == (
        (tree / "gone.jpg", "is a broken link"),
        (tree / "pipe.jpg", "is a pipe, a socket or a device, not a file"),
    )


def test_a_broken_link_that_may_be_a_folder_is_told_when_folders_are_read(tree: Path) -> None:
    (tree / "album").symlink_to("nowhere")
    assert find(str(tree)).left_out == ()
    assert find(str(tree), DEEP).left_out == ((tree / "album", "is a broken link"),)


def test_strict_refuses_what_cannot_be_read_and_nothing_else(tree: Path) -> None:
    (tree / "a/up").symlink_to(tree)
    strict = Selection(recursive=True, strict=True)
    assert names(tree, strict) == names(tree, DEEP)
    (tree / "z/gone.jpg").symlink_to("nowhere")
    (tree / "also gone.jpg").symlink_to("nowhere")
    with pytest.raises(
        InputError, match=r"also gone.jpg' is a broken link \(the first of 2 such\)"
    ):
        find(str(tree), strict)
    with pytest.raises(InputError, match=r"gone.jpg' is a broken link; without --strict"):
        find(str(tree / "z/*.jpg"), Selection(strict=True))


def test_nothing_but_broken_links_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"no pictures in .*; '.*gone.jpg' is a broken link"):
        find(str(tmp_path))
    with pytest.raises(InputError, match=r"gone.jpg' is a broken link"):
        find(str(tmp_path / "gone.jpg"))


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="names are Unicode")
def test_names_that_are_not_utf8_are_found_and_told(tmp_path: Path) -> None:
    top = os.fsencode(tmp_path)
    for name in (b"caf\xe9.jpg", b"x.caf\xe9"):
        Path(os.fsdecode(top + b"/" + name)).write_bytes(b"x")
    Path(os.fsdecode(top + b"/gone\xe9.jpg")).symlink_to("nowhere")
    found = find(str(tmp_path))
    assert [os.fsencode(source.path.name) for source in found] == [b"caf\xe9.jpg"]
    assert all(note.isprintable() for note in found.notes)
    assert "gone\\xe9.jpg' is a broken link" in found.notes[0]
    assert "(.caf\\xe9)" in found.notes[1]


@pytest.mark.parametrize("output", ["tree", "tree/../tree", "link"])
def test_results_may_not_lie_among_the_inputs(tree: Path, output: str) -> None:
    (tree.parent / "link").symlink_to(tree)
    with pytest.raises(InputError, match=r"holds the inputs"):
        refuse_nested(tree.parent / output, find(str(tree)))


@pytest.mark.parametrize("output", ["tree/out", "tree/a/deep/out/more", "link/out", "far/out"])
def test_results_may_not_lie_below_a_folder_that_is_read_with_its_sub_folders(
    tree: Path, output: str
) -> None:
    (tree.parent / "link").symlink_to(tree)
    (tree.parent / "far").mkdir()
    (tree / "linked").symlink_to(tree.parent / "far")
    found = find(str(tree), DEEP)
    with pytest.raises(InputError, match=r"lies inside '.*tree', whose sub-folders are read, too"):
        refuse_nested(tree.parent / output, found)


def test_results_may_lie_elsewhere(tree: Path) -> None:
    refuse_nested(tree / "out", find(str(tree)))
    refuse_nested(tree.parent, find(str(tree), DEEP))
    refuse_nested(tree.parent / "tree2", find(str(tree), DEEP))
    refuse_nested(tree, find(str(tree / "*.png")))


def test_the_same_folder_is_found_the_same_by_any_path(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    assert names(Path(), DEEP) == names(tree, DEEP)
    assert find("a", DEEP).sources[1].folder == PurePosixPath("deep")


def test_a_pattern_that_finds_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos/out").mkdir(parents=True)
    for name in ("photos/a.png", "photos/out/a__b.png"):
        (tmp_path / name).write_bytes(b"x")
    found = find(str(tmp_path / "photos/**/*.png"))
    refuse_nested(tmp_path / "photos/out", found)  # a picture that happens to lie there
    (tmp_path / "photos/out/.nst/pairs").mkdir(parents=True)
    (tmp_path / "photos/out/.nst/pairs/a__b.png.json").write_text("{}")
    with pytest.raises(InputError, match=r"a__b\.png', which is a result in "):
        refuse_nested(tmp_path / "photos/out", found)
    refuse_nested(tmp_path / "elsewhere", found)


def test_a_tilde_that_is_nobody_s_home_is_a_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~tmp.jpg").write_bytes(b"x")
    assert names(Path("~tmp.jpg")) == ["~tmp.jpg"]
    with pytest.raises(InputError, match="no such file or folder: '~nobody here/photos'"):
        find("~nobody here/photos")


def test_what_may_not_be_looked_at_is_told(folder: Path, deny: Callable[[Path], None]) -> None:
    deny(folder / "a.png")
    with pytest.raises(InputError, match=r"a\.png' cannot be read: Permission denied"):
        find(str(folder / "a.png"))
    assert names(folder) == names(folder / "*.[!t]*") == ["b.JPG", "c.webp"]
    deny(folder)
    with pytest.raises(InputError, match="photos' cannot be read: Permission denied"):
        find(str(folder))


def test_names_in_a_folder_that_may_only_be_listed(
    tree: Path, deny: Callable[[Path], None]
) -> None:
    for name in ("notes", "e.png"):
        (tree / "z" / name).write_bytes(b"x")
        deny(tree / "z" / name)
    assert find(str(tree), DEEP).left_out == (
        (tree / "z/e.png", "cannot be read: Permission denied"),
    )


def test_a_name_that_is_too_long_is_told_and_a_pattern_may_be(folder: Path) -> None:
    with pytest.raises(InputError, match=f"cannot be read: {os.strerror(errno.ENAMETOOLONG)}"):
        find(str(folder / ("x" * 300)))
    assert names(folder / f"[{'ab' * 150}].png") == ["a.png"]


def test_an_output_folder_that_is_a_link_to_itself(folder: Path) -> None:
    (folder.parent / "loop").symlink_to("loop")
    refuse_nested(folder.parent / "loop", find(str(folder / "*.png")))
