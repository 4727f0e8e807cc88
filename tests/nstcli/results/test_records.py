import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbones import atomic
from nstcli import images
from nstcli.errors import InputError
from nstcli.images import encode
from nstcli.images.decoding import decode
from nstcli.plan.pair import Pair
from nstcli.recipe import Recipe
from nstcli.results import folder as stores
from nstcli.results.folder import Store
from nstcli.results.records import Form, KnownInput, Record, stopped_key
from nstcli.results.records import key_of as key_of_inputs
from nstcli.results.state import State, embedded_key
from tests.conftest import draw
from tests.nstcli import flat

RECIPE = Recipe(
    model="tiny",
    weights="0" * 64,
    size=64,
    steps=3,
    loss="relative",
    content_weight=1.0,
    style_weight=100.0,
    sliced_weight=0.0,
    tv_weight=0.0,
    tv="l2",
    content_layers={"a": 1.0},
    style_layers={"a": 1.0, "b": 0.5},
    optimizer="lbfgs",
    dense=False,
    pooling="max",
    init="content",
    scales="auto",
    learning_rate=0.05,
    schedule="cosine",
    tolerance=0.0,
    seed=0,
)
PAIR = Pair.of(Path("cat.jpg"), Path("wave.jpg"), "cat__wave.png")


def key_of(recipe: Recipe, content: str, style: str, form: Form) -> str:
    inputs = [
        KnownInput(role=role, path="any", sha256=sha256)
        for role, sha256 in (("content", content), ("style", style))
    ]
    return key_of_inputs(recipe, inputs, form)


KEY = key_of(RECIPE, "c", "s", Form("png", 95))


def result(key: str = KEY, seed: int = 0) -> bytes:
    return encode(draw(seed=seed), metadata={"nst": f'{{"key": "{key}"}}'})


def record(data: bytes, key: str = KEY) -> Record:
    return flat.record({
        "key": key,
        "output_sha256": hashlib.sha256(data).hexdigest(),
        "content": "cat.jpg",
        "content_sha256": "c",
        "style": "wave.jpg",
        "style_sha256": "s",
        "recipe": RECIPE.dump(),
        "format": "png",
        "quality": 95,
        "version": "0",
        "device": "cpu",
        "precision": "float32 channels_last",
        "width": 32,
        "height": 24,
        "seconds": 1.5,
        "steps": 3,
        "loss": 0.5,
        "content_error": 0.1,
        "style_error": 0.01,
        "style_error_before": 0.9,
    })  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "out")
    made.prepare()
    return made


def test_a_record_comes_back_as_it_was_saved(store: Store) -> None:
    store.save(PAIR, result(), record(result()))
    assert store.load(PAIR.output) == record(result())
    assert (store.folder / PAIR.output).read_bytes() == result()


def _saved(store: Store) -> None:
    store.save(PAIR, result(), record(result()))


def _failed(store: Store) -> None:
    store.fail(PAIR, "why", 1.0)


def _truncated(store: Store) -> None:
    _saved(store)
    (store.folder / PAIR.output).write_bytes(result()[:100])


def _edited(store: Store) -> None:
    _saved(store)
    (store.folder / PAIR.output).write_bytes(result(seed=1))


def _deleted(store: Store) -> None:
    _saved(store)
    (store.folder / PAIR.output).unlink()


def _stale(store: Store) -> None:
    store.save(PAIR, result("other"), record(result("other"), "other"))


def _foreign(store: Store) -> None:
    (store.folder / PAIR.output).write_bytes(encode(draw()))


def _without_record(store: Store) -> None:
    (store.folder / PAIR.output).write_bytes(result())


def _stale_without_record(store: Store) -> None:
    (store.folder / PAIR.output).write_bytes(result("other"))


def _stopped(store: Store) -> None:
    data = result(stopped_key(KEY))
    store.save(PAIR, data, record(data, stopped_key(KEY)))


def _stopped_without_record(store: Store) -> None:
    (store.folder / PAIR.output).write_bytes(result(stopped_key(KEY)))


def _replaced_by(data: bytes) -> Callable[[Store], None]:
    def replace(store: Store) -> None:
        _saved(store)
        (store.folder / PAIR.output).write_bytes(data)

    return replace


def _of_another_program(store: Store) -> None:
    """A record of a version whose recipes have other fields."""
    data = result("other")
    old = record(data, "other").model_copy(update={"recipe": {"version": 0, "strokes": 3}})
    store.save(PAIR, data, old)


def _killed_saving(store: Store, data: bytes, key: str = KEY, *, before: bool = False) -> None:
    """Let a save end right after the result is there, or right before."""
    write = stores.write_atomic

    def dying(path: Path, content: bytes) -> None:
        if not (before and path == store.path(PAIR)):
            write(path, content)
        if path == store.path(PAIR):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "write_atomic", dying)
        with pytest.raises(KeyboardInterrupt):
            store.save(PAIR, data, record(data, key))


def _killed_while_overwriting(store: Store) -> None:
    """The new result is there, its record is not; an older one was."""
    _stale(store)
    _killed_saving(store, result())


def _killed_without_metadata(store: Store) -> None:
    _killed_saving(store, encode(draw()))


def _killed_with_other_settings(store: Store) -> None:
    _killed_saving(store, encode(draw()), "other")


def _killed_while_stopped(store: Store) -> None:
    _killed_saving(store, encode(draw()), stopped_key(KEY))


def _killed_before_overwriting(store: Store) -> None:
    _stale(store)
    _killed_saving(store, result(), before=True)


def _killed_before_making_again(store: Store) -> None:
    _saved(store)
    _killed_saving(store, result(), before=True)


def _broken_record(store: Store) -> None:
    _saved(store)
    (store.folder / ".nst" / "pairs" / "cat__wave.png.json").write_text("{")


@pytest.mark.parametrize(
    ("before", "state"),
    [
        (lambda store: None, State.MISSING),
        (_saved, State.UP_TO_DATE),
        (_failed, State.FAILED),
        (_deleted, State.MISSING),
        (_truncated, State.DAMAGED),
        (_edited, State.EDITED),
        (_stale, State.STALE),
        (_foreign, State.FOREIGN),
        (_replaced_by(b""), State.DAMAGED),
        (_replaced_by(encode(draw(), format="jpg")[:-50]), State.DAMAGED),
        (_replaced_by(encode(draw(), format="webp")[:-50]), State.DAMAGED),
        # Of another kind, and of one that Pillow does not read in full.
        (_replaced_by(b"8BPS\0\1 layers"), State.EDITED),
        (_replaced_by(encode(draw(), format="tiff")[:500]), State.EDITED),
        # It says itself that it is ours, and so it does when it was edited.
        (_without_record, State.UNRECORDED),
        (_broken_record, State.UNRECORDED),
        (_stale_without_record, State.STALE),
        (_stopped_without_record, State.UNRECORDED),
        (_of_another_program, State.STALE),
        (_stopped, State.STOPPED),
        (_killed_while_overwriting, State.MISSING),
        (_killed_without_metadata, State.MISSING),
        (_killed_with_other_settings, State.STALE),
        (_killed_while_stopped, State.STOPPED),
        (_killed_before_overwriting, State.STALE),
        (_killed_before_making_again, State.UP_TO_DATE),
    ],
)
def test_states(store: Store, before: Callable[[Store], Any], state: State) -> None:
    before(store)
    assert store.state(PAIR, KEY) is state


def test_a_success_clears_the_failure_before_it(store: Store) -> None:
    _failed(store)
    _saved(store)
    _deleted_output = store.folder / PAIR.output
    _deleted_output.unlink()
    assert store.state(PAIR, KEY) is State.MISSING


@pytest.mark.parametrize("limit", ["pixels", "memory", "memory while it is loaded"])
def test_an_edited_result_that_is_too_large_to_look_at_is_not_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    def strict(data: bytes, name: str, max_pixels: int = images.DEFAULT_MAX_PIXELS) -> object:
        if limit == "memory":
            raise MemoryError
        if limit == "memory while it is loaded":
            monkeypatch.setattr("PIL.ImageFile.ImageFile.load", _exhausted)
        return decode(data, name, 10 if max_pixels == images.DEFAULT_MAX_PIXELS else max_pixels)

    _edited(store)
    monkeypatch.setattr(images, "decode", strict)
    assert store.state(PAIR, KEY) is State.EDITED


def _exhausted(*arguments: object) -> None:
    raise MemoryError


@pytest.mark.parametrize("kill", ["before the record", "after the record"])
def test_a_kill_at_the_end_of_a_save_leaves_no_failure_beside_the_result(
    store: Store, monkeypatch: pytest.MonkeyPatch, kill: str
) -> None:
    _failed(store)
    replace = Path.replace

    def dying(path: Path, target: Path) -> Path:
        if kill == "after the record" and target.parent == store.layout.hidden / "pairs":
            replace(path, target)
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        if kill == "after the record":
            with pytest.raises(KeyboardInterrupt):
                _saved(store)
        else:
            _killed_saving(store, result())
    held = store.take(PAIR)
    assert held
    held.release()
    assert store.state(PAIR, KEY) is State.UP_TO_DATE
    assert store.failure(PAIR.output) is None


def test_no_failure_is_kept_of_a_name_that_holds_a_result(store: Store) -> None:
    _failed(store)
    old = store.layout.failure(PAIR.output).read_bytes()
    _saved(store)
    _failed(store)
    assert list(store.failures()) == []
    assert not store.layout.failure(PAIR.output).exists()
    store.layout.failure(PAIR.output).write_bytes(old)  # of an older program
    assert list(store.failures()) == []
    store.path(PAIR).unlink()
    assert [name for name, _ in store.failures()] == [PAIR.output]


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be opened there")
def test_what_says_that_a_pair_is_made_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entries of new folders reach the disk, and those of records in theirs."""
    synced: list[Path] = []
    monkeypatch.setattr(atomic, "_sync_folder", synced.append)
    store = Store(tmp_path / "new" / "out")
    store.prepare()
    hidden = store.layout.hidden
    assert {tmp_path, tmp_path / "new", store.folder, hidden} <= set(synced)
    synced.clear()
    below = replace(PAIR, output="holiday/beach/cat__wave.png")
    store.save(below, result(), record(result()))
    for place in (store.folder, hidden / "pairs", hidden / "coming"):
        assert {place, place / "holiday", place / "holiday/beach"} <= set(synced)
    synced.clear()
    store.fail(replace(below, output="city/cat__wave.png"), "why", 1.0)
    assert {hidden / "failures", hidden / "failures/city"} <= set(synced)


def test_a_failure_is_forgotten_once(store: Store) -> None:
    assert not store.forget(PAIR)
    _failed(store)
    assert store.forget(PAIR)
    assert store.failure(PAIR.output) is None


def test_two_processes_without_locks_may_save_the_same_pair(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one saves it while this one writes the result."""
    write, other = stores.write_atomic, Store(store.folder)

    def slowly(path: Path, content: bytes) -> None:
        write(path, content)
        if path == store.path(PAIR):
            monkeypatch.setattr(stores, "write_atomic", write)
            _saved(other)

    monkeypatch.setattr(stores, "write_atomic", slowly)
    _saved(store)
    assert store.state(PAIR, KEY) is State.UP_TO_DATE
    assert not list((store.layout.hidden / "coming").iterdir())


@pytest.mark.parametrize("before", [_stale, _foreign])
def test_a_pair_that_another_process_finishes_meanwhile_is_not_in_the_way(
    store: Store, monkeypatch: pytest.MonkeyPatch, before: Callable[[Store], None]
) -> None:
    before(store)
    digest = store.digests.digest

    def late(path: Path) -> str:
        monkeypatch.setattr(store.digests, "digest", digest)
        _saved(Store(store.folder))
        return digest(path)

    monkeypatch.setattr(store.digests, "digest", late)
    assert store.state(PAIR, KEY) is State.UP_TO_DATE


@pytest.mark.parametrize("kind", ["file", "broken link"])
def test_a_file_where_a_mirrored_folder_belongs_is_told(store: Store, kind: str) -> None:
    if kind == "file":
        (store.folder / "trip").write_text("notes")
    else:
        (store.folder / "trip").symlink_to("nowhere")
    for output in ("trip/a.png", "trip/one/a.png"):
        with pytest.raises(InputError, match=r"out/trip' is a file where a folder of results"):
            store.state(Pair.of(PAIR.path("content"), PAIR.path("style"), output), KEY)


def test_a_result_that_may_not_be_looked_at_is_not_missing(
    store: Store, deny: Callable[[Path], None]
) -> None:
    _saved(store)
    deny(store.path(PAIR))
    with pytest.raises(InputError, match=r"cannot read '.*cat__wave\.png': Permission denied"):
        store.state(PAIR, KEY)


@pytest.mark.skipif(os.name == "nt", reason="has no such pipes")
def test_a_pipe_in_the_way_is_told(store: Store) -> None:
    os.mkfifo(store.path(PAIR))
    with pytest.raises(InputError, match="is a pipe, a socket or a device where a result should"):
        store.state(PAIR, KEY)


def test_what_a_kill_left_in_a_mirrored_folder_without_results_is_removed(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    pair = Pair.of(PAIR.path("content"), PAIR.path("style"), "trip/cat__wave.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "write_atomic", _dying_at(store.path(pair), stores.write_atomic))
        with pytest.raises(KeyboardInterrupt):
            store.save(pair, result(), record(result()))
    left = store.folder / "trip" / f".nst-{atomic._host()}-{ended.pid}-0123abcd.tmp"
    left.write_bytes(b"half")
    store.prepare()
    assert not left.exists()


def _dying_at(place: Path, write: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
    def write_or_die(path: Path, content: bytes) -> None:
        if path == place:
            raise KeyboardInterrupt
        write(path, content)

    return write_or_die


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Store(Path("~/out")).path(PAIR) == tmp_path / "out" / PAIR.output


def test_a_folder_in_the_way_is_told(store: Store) -> None:
    (store.folder / PAIR.output).mkdir()
    with pytest.raises(InputError, match="is a folder where a result should go"):
        store.state(PAIR, KEY)


def test_only_what_somebody_may_want_to_keep_needs_consent() -> None:
    touchy = {state for state in State if state.needs_consent}
    assert touchy == {State.STALE, State.EDITED, State.FOREIGN, State.UNRECORDED}


@pytest.mark.parametrize(
    "data", [b"", b"no image", encode(draw()), encode(draw(), metadata={"nst": "[]"})]
)
def test_a_key_is_found_in_our_own_results_only(data: bytes) -> None:
    assert embedded_key(data) is None
    assert embedded_key(result("k")) == "k"


def test_the_key_is_pinned() -> None:
    """A change here makes every result of every user stale: raise recipe.VERSION, and say so."""
    assert KEY == "3aee671207589e2298509da005622a7a1432d5666cf8b3d79d1ec942cca50cdc"


OTHERS = {
    "model": "other",
    "weights": "1" * 64,
    "preprocessing": "caffe",
    "size": 65,
    "steps": 4,
    "loss": "gatys",
    "content_weight": 2,
    "style_weight": 50,
    "nearest_weight": 3,
    "sliced_weight": 3,
    "tv_weight": 1,
    "tv": "l1",
    "content_layers": {"b": 1},
    "style_layers": {"a": 1, "b": 0.6},
    "nearest_layers": {"a": 1},
    "sliced_layers": {"a": 1},
    "optimizer": "adam",
    "dense": True,
    "pooling": "avg",
    "padding": "circular",
    "init": "noise",
    "scales": 2,
    "learning_rate": 0.1,
    "schedule": "drop",
    "tolerance": 0.1,
    "seed": 1,
    "plugin": "2" * 64,
    "colors": "luminance",
    "style_scale": 2.0,
    "center_crop": "1x1",
    "fit": "crop",
    "keep_size": True,
    "keep_faces": 1.0,
    "history": 5,
    "init_noise": 0.5,
    "detector": "3" * 64,
    "companions": "4" * 64,
    "method": "adain",
    "alpha": 0.5,
}


def test_every_part_of_the_recipe_but_its_version_is_varied_below() -> None:
    assert set(OTHERS) | {"version"} == {field.name for field in fields(Recipe)}


# What an option must be beside for it to have any effect, and for it to have none where that is
# not so by default.
USED_WITH = {
    "alpha": {"method": "adain"},
    "seed": {"init": "noise"},
    "learning_rate": {"optimizer": "adam"},
    "schedule": {"optimizer": "adam"},
    "tv": {"tv_weight": 1.0},
    "content_layers": {"content_weight": 1.0},
    "style_layers": {"style_weight": 1.0},
    "nearest_layers": {"nearest_weight": 1.0},
    "sliced_layers": {"sliced_weight": 1.0},
}
IDLE_WITH = {"content_layers": {"content_weight": 0}, "style_layers": {"style_weight": 0}}


@pytest.mark.parametrize("name", OTHERS)
def test_the_key_changes_with_every_part_of_the_recipe(name: str) -> None:
    before = replace(RECIPE, **USED_WITH.get(name, {}))
    after = replace(before, **{name: OTHERS[name]})
    assert key_of(after, "c", "s", Form("png", 95)) != key_of(before, "c", "s", Form("png", 95))


@pytest.mark.parametrize("name", USED_WITH)
def test_the_key_does_not_change_with_what_has_no_effect(name: str) -> None:
    before = replace(RECIPE, **IDLE_WITH.get(name, {}))
    after = replace(before, **{name: OTHERS[name]})
    assert key_of(after, "c", "s", Form()) == key_of(before, "c", "s", Form())


@given(st.sampled_from(["png", "jpg", "webp", "tiff"]), st.integers(1, 100), st.integers(1, 100))
def test_the_key_depends_on_quality_where_the_bytes_do(format: str, one: int, two: int) -> None:
    same = key_of(RECIPE, "c", "s", Form(format, one)) == key_of(
        RECIPE, "c", "s", Form(format, two)
    )
    assert same == (one == two or format in {"png", "tiff"})


def test_the_key_tells_content_from_style() -> None:
    assert key_of(RECIPE, "s", "c", Form("png", 95)) != KEY
    assert key_of(RECIPE, "c", "t", Form("png", 95)) != KEY
    assert key_of(RECIPE, "c", "s", Form("tiff", 95)) != KEY


def test_a_result_whose_record_was_about_to_come_is_kept(store: Store) -> None:
    """Killed between the two: whoever takes the pair next finds it made."""
    _killed_saving(store, result())
    assert store.load(PAIR.output) is None
    lock = store.take(PAIR)
    assert lock is not None
    lock.release()
    assert store.state(PAIR, KEY) is State.UP_TO_DATE
    assert store.load(PAIR.output) == record(result())
