"""What an output folder holds: each condition, and what is no business of ours."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backbones import atomic
from nstcli.errors import InputError
from nstcli.images import encode
from nstcli.plan.pair import Pair
from nstcli.report.inventory import Inventory, State, take_inventory
from nstcli.results.folder import Store
from nstcli.results.locks import Locks
from nstcli.results.records import stopped_key
from tests.conftest import draw
from tests.nstcli.report.output_folders import batch, make
from tests.nstcli.run.test_journal import event, journal

RESULT = "cat__ink.png"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return batch(tmp_path, ["cat.png", "dog.png"], ["ink.png"])


def conditions(inventory: Inventory) -> dict[str, State]:
    return {item.name: item.state for item in inventory.items}


def condition(store: Store, name: str = RESULT) -> State | None:
    return conditions(take_inventory(store.folder)).get(name)


def test_all_is_well_after_a_batch(store: Store) -> None:
    inventory = take_inventory(store.folder)
    assert conditions(inventory) == {RESULT: State.UP_TO_DATE, "dog__ink.png": State.UP_TO_DATE}
    assert inventory.is_well
    assert inventory.at_work is False
    assert (inventory.failures, inventory.broken_records, inventory.leftovers) == ((), (), ())
    assert inventory.run is None


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def _edit(path: Path) -> None:
    path.write_bytes(encode(draw(seed=9)))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Path.unlink, State.MISSING),
        (_broken_link, State.MISSING),
        (_truncate, State.DAMAGED),
        (lambda path: path.write_bytes(b""), State.DAMAGED),
        (_edit, State.EDITED),
        (_folder, State.UNREADABLE),
        (_loop, State.UNREADABLE),
        (lambda path: path.write_bytes(path.read_bytes()), State.UP_TO_DATE),
    ],
)
def test_files_are_compared_with_their_records(
    store: Store, change: Callable[[Path], object], expected: State
) -> None:
    change(store.folder / RESULT)
    inventory = take_inventory(store.folder)
    assert conditions(inventory)[RESULT] is expected
    assert conditions(inventory)["dog__ink.png"] is State.UP_TO_DATE
    assert inventory.is_well == (expected is State.UP_TO_DATE)
    (item,) = [item for item in inventory.items if item.name == RESULT]
    assert bool(item.why) == (expected is State.UNREADABLE)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_result_that_may_not_be_read(store: Store) -> None:
    (store.folder / RESULT).chmod(0)
    assert condition(store) is State.UNREADABLE


def test_a_sub_folder_that_is_gone(store: Store, tmp_path: Path) -> None:
    make(store, tmp_path / "photos/cat.png", tmp_path / "art/ink.png", "sub/a.png")
    (store.folder / "sub/a.png").unlink()
    (store.folder / "sub").rmdir()
    assert condition(store, "sub/a.png") is State.MISSING
    (store.folder / "sub").write_text("in the way")
    assert condition(store, "sub/a.png") is State.MISSING


def test_results_that_were_stopped_early(store: Store, tmp_path: Path) -> None:
    pair = make(
        store, tmp_path / "photos/cat.png", tmp_path / "art/ink.png", key=stopped_key("key")
    )
    assert condition(store, pair.output) is State.STOPPED
    assert not take_inventory(store.folder).is_well


def test_failures_stand_beside_results(store: Store, tmp_path: Path) -> None:
    pair = Pair.of(tmp_path / "photos/cow.png", tmp_path / "art/ink.png", "cow__ink.png")
    store.fail(pair, "why", 1.5)
    inventory = take_inventory(store.folder)
    ((name, failure),) = inventory.failures
    assert (name, failure.error) == ("cow__ink.png", "why")
    assert conditions(inventory)[RESULT] is State.UP_TO_DATE
    assert not inventory.is_well


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_broken_records_are_told(store: Store, text: str) -> None:
    (store.layout.hidden / "pairs" / f"{RESULT}.json").write_text(text)
    inventory = take_inventory(store.folder)
    assert inventory.broken_records == (RESULT,)
    # Without metadata, nothing but the broken record says whose it is.
    assert conditions(inventory)[RESULT] is State.UNRECORDED
    assert not inventory.is_well


def test_pictures_without_a_record(store: Store) -> None:
    ours = encode(draw(), metadata={"Software": "nst 0.1.0", "nst": '{"key": "k"}'})
    (store.folder / "killed.png").write_bytes(ours)
    (store.folder / "sheet.png").write_bytes(encode(draw(), metadata={"Software": "nst sheet"}))
    (store.folder / "theirs.JPG").write_bytes(encode(draw(), format="jpg"))
    (store.folder / "broken.gif").write_bytes(b"GIF8")
    (store.folder / ".hidden.png").write_bytes(encode(draw()))
    (store.folder / "notes.txt").write_text("no picture")
    (store.folder / "folder.png").mkdir()
    inventory = take_inventory(store.folder)
    found = conditions(inventory)
    assert found.pop(RESULT) is found.pop("dog__ink.png") is State.UP_TO_DATE
    assert found == {
        "killed.png": State.UNRECORDED,
        "theirs.JPG": State.FOREIGN,
        "broken.gif": State.FOREIGN,
    }
    assert inventory.is_well


def test_mirrored_folders_are_looked_at_and_no_others(store: Store, tmp_path: Path) -> None:
    make(store, tmp_path / "photos/cat.png", tmp_path / "art/ink.png", "a/b/c.png")
    failed = Pair.of(tmp_path / "photos/cat.png", tmp_path / "art/ink.png", "f/g.png")
    store.fail(failed, "why", 0)
    for name in ("a/b/x.png", "a/x.png", "other/x.png", "f/x.png"):
        (store.folder / name).parent.mkdir(exist_ok=True)
        (store.folder / name).write_bytes(encode(draw()))
    found = conditions(take_inventory(store.folder))
    assert found["a/b/c.png"] is State.UP_TO_DATE
    assert {name for name in found if name.endswith("x.png")} == {"a/b/x.png", "f/x.png"}


def test_a_result_listed_in_another_form_is_no_stranger(store: Store, tmp_path: Path) -> None:
    """Some file systems ignore case, or store names decomposed; a link stands for them here."""
    (store.folder / "CAT__INK.png").symlink_to(RESULT)
    (store.folder / "DOG__INK.png").write_bytes(encode(draw()))
    found = conditions(take_inventory(store.folder))
    assert "CAT__INK.png" not in found
    assert found["DOG__INK.png"] is State.FOREIGN


def test_changed_inputs_need_attention_and_absent_ones_do_not(store: Store, tmp_path: Path) -> None:
    (tmp_path / "photos/cat.png").unlink()
    assert take_inventory(store.folder).is_well
    (tmp_path / "art/ink.png").write_bytes(b"other")
    assert not take_inventory(store.folder).is_well


def test_what_killed_processes_left(store: Store, tmp_path: Path) -> None:
    make(store, tmp_path / "photos/cat.png", tmp_path / "art/ink.png", "sub/a.png")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    mine, theirs = (
        f".nst-{atomic._host()}-{process}-0123abcd.tmp" for process in (os.getpid(), ended.pid)
    )
    folders = [
        store.folder,
        store.folder / "sub",
        store.layout.hidden / "pairs",
        store.folder / "new",
    ]
    (store.layout.hidden / "coming/new").mkdir(
        parents=True
    )  # killed while its first result was written
    (store.layout.hidden / "coming/new/a.png.json").write_text("{}")
    (store.folder / "new").mkdir()
    for folder in folders:
        for name in (mine, theirs):
            (folder / name).write_bytes(b"half")
    before = sorted(store.folder.rglob("*"))
    inventory = take_inventory(store.folder)
    assert set(inventory.leftovers) == {folder / theirs for folder in folders}
    assert inventory.is_well
    assert sorted(store.folder.rglob("*")) == before


def test_another_nst_at_work_is_noticed(store: Store) -> None:
    journal(
        store.layout.events, event("r", "started", 1, "new.png"), event("r", "started", 2, RESULT)
    )
    lock = Locks(store.folder).take("new.png")
    assert lock
    with lock:
        inventory = take_inventory(store.folder)
        assert inventory.at_work
        assert (inventory.unfinished, inventory.lost) == (("new.png",), ())
        assert inventory.is_well
    inventory = take_inventory(store.folder)
    assert inventory.at_work is False
    assert inventory.lost == ("new.png",)
    assert not inventory.is_well


def test_nothing_but_digests_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from nstcli.results import digests

    def look() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in store.folder.rglob("*") if p.is_file()}

    before = look()
    take_inventory(store.folder)
    assert look() == before
    monkeypatch.setattr(digests, "_REST_SECONDS", 0.01)
    time.sleep(0.05)
    take_inventory(store.folder)
    after = look()
    remembered = str(store.layout.hidden / "digests.json")
    assert {name for name in after if after[name] != before.get(name)} <= {remembered}


def test_an_empty_folder_of_records_is_well(tmp_path: Path) -> None:
    (tmp_path / "out/.nst").mkdir(parents=True)
    inventory = take_inventory(tmp_path / "out")
    assert inventory.items == ()
    assert inventory.is_well


def test_curves_are_not_kept(store: Store) -> None:
    assert all(
        item.record and item.record.curve == () for item in take_inventory(store.folder).items
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ot", r"'ot' is not there \(did you mean 'out'\?\)"),
        ("file", "'file' is not a folder"),
        ("photos", "no batch was made in 'photos': it holds no folder .nst; name the folder"),
        (".", r"there is one in 'out'; name"),
    ],
)
def test_other_folders_are_refused_with_advice(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=message):
        take_inventory(Path(name))


def test_a_folder_that_may_not_be_looked_into_is_an_error(
    store: Store, deny: Callable[[Path], None]
) -> None:
    deny(store.layout.hidden)
    with pytest.raises(InputError, match=r"cannot read '.*\.nst': Permission denied"):
        take_inventory(store.folder)


def test_a_neighbour_that_may_not_be_looked_at_hides_no_other(
    store: Store, deny: Callable[[Path], None]
) -> None:
    for name in ("closed.png", "open.png"):
        (store.folder / name).write_bytes(encode(draw()))
    deny(store.folder / "closed.png")
    assert condition(store, "open.png") is State.FOREIGN


def test_an_edited_result_that_is_too_large_is_not_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nstcli import images

    def exhausted(*arguments: object, **options: object) -> None:
        raise MemoryError

    _edit(store.folder / RESULT)
    monkeypatch.setattr(images, "decode", exhausted)
    assert condition(store) is State.EDITED


def test_records_that_cannot_be_listed_are_an_error(tmp_path: Path) -> None:
    """They shall not pass for an empty folder."""
    (tmp_path / ".nst").mkdir()
    (tmp_path / ".nst/pairs").write_text("")
    with pytest.raises(InputError, match=r"cannot read '.*pairs'"):
        take_inventory(tmp_path)
