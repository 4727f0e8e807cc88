"""Gallery and manifest while a batch goes on: current enough, and never in its way."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from nstcli.plan.pair import Pair
from nstcli.report import summaries
from nstcli.report.summaries import Summaries
from nstcli.results.folder import Store
from nstcli.run.events import PairFailed, WorkerReady
from tests.nstcli.report.output_folders import batch

ENDED = PairFailed(Pair.of(Path("a.png"), Path("b.png"), "a__b.png"), "why")


class Clock:
    """Shows the seconds that it is set to; writing a gallery takes one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.now = 0.0
        self.written: list[float] = []
        self.problem: OSError | None = None
        monkeypatch.setattr(summaries, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr("nstcli.report.gallery.write_gallery", self.write)

    def write(self, folder: Path) -> None:
        self.written.append(self.now)
        self.now += 1
        if self.problem:
            raise self.problem


def tell(listener: Summaries) -> None:
    """Tell of a pair, and wait for what is written then."""
    listener(ENDED)
    if listener._writing:
        listener._writing.join()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return batch(tmp_path, ["cat.png"], ["ink.png"])


def test_it_is_written_anew_at_intervals_and_at_the_end(clock: Clock, store: Store) -> None:
    listener = Summaries(store, pytest.fail, gallery=True)
    for at in (1, 9, 10, 12, 30, 41, 42):
        clock.now = at
        tell(listener)
    assert clock.written == [10, 41]  # thirty times what it took
    listener(WorkerReady("cpu", "float32"))
    clock.now = 50
    listener.finish()
    assert clock.written == [10, 41, 50]
    assert (store.folder / "manifest.json").exists()


def test_one_that_cannot_be_written_is_told_once_and_given_up(clock: Clock, store: Store) -> None:
    told: list[str] = []
    clock.problem = OSError("no room")
    listener = Summaries(store, told.append, gallery=True)
    for at in (10, 100, 200):
        clock.now = at
        tell(listener)
    assert listener.finish() == store.folder
    assert clock.written == [10]
    assert told == ["the gallery cannot be written: no room"]


def test_with_nothing_new_nothing_is_written(clock: Clock, store: Store) -> None:
    (store.folder / "index.html").write_text("as it was")
    listener = Summaries(store, pytest.fail, gallery=True)
    assert listener.finish() == store.folder / "index.html"
    assert clock.written == []
    assert not (store.folder / "manifest.json").exists()


def test_without_a_gallery_the_folder_is_named(clock: Clock, store: Store) -> None:
    listener = Summaries(store, pytest.fail, gallery=False)
    listener(ENDED)
    assert listener.finish() == store.folder
    assert clock.written == []


def test_nobody_waits_for_a_gallery_while_pairs_are_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And there is one at a time; the last is written when the others are done."""
    written: list[str] = []
    go_on = threading.Event()

    def write(folder: Path) -> None:
        written.append("begun")
        assert go_on.wait(60)
        written.append("done")

    monkeypatch.setattr("nstcli.report.gallery.write_gallery", write)
    monkeypatch.setattr(summaries, "_PAUSE", 0.0)
    listener = Summaries(store, pytest.fail, gallery=True)
    for _ in range(3):
        listener(ENDED)
    assert written in ([], ["begun"])
    go_on.set()
    listener.finish()
    assert written == ["begun", "done"] * 2
