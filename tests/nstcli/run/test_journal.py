"""The newest run, as the journal tells of it."""

import json
import os
import time
from pathlib import Path

import pytest

from nstcli.plan.layout import Layout
from nstcli.plan.pair import Pair
from nstcli.results.locks import Locks
from nstcli.run import journal as journals
from nstcli.run.events import PairDone, PairFailed, PairFound, PairStarted, WorkerReady
from nstcli.run.journal import Journal, Run, newest_run
from tests.nstcli.report.output_folders import record_of, write


def journal(path: Path, *events: object) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        for event in events:
            stream.write(event if isinstance(event, str) else json.dumps(event))
            stream.write("\n")


def event(run: str, kind: str, time: object, result: object = None) -> dict[str, object]:
    return {"time": time, "run": run, "event": kind, "result": result}


def test_without_a_journal_there_is_no_run(tmp_path: Path) -> None:
    assert newest_run(Layout(tmp_path)) is None
    journal(Layout(tmp_path).events)
    assert newest_run(Layout(tmp_path)) is None


def test_what_the_journal_writes_is_read(tmp_path: Path) -> None:
    cat, ink = (write(tmp_path / name, 8, 8, 1) for name in ("cat.png", "ink.png"))
    a, b, c, d = (Pair.of(cat, ink, f"{letter}.png") for letter in "abcd")
    Layout(tmp_path).hidden.mkdir()
    tell = Journal(Layout(tmp_path))
    tell(WorkerReady("cpu", "float32"))
    for number, pair in enumerate((a, b, c, d), 1):
        tell(PairStarted(number, pair))
    tell(PairDone(a, record_of(a, b"")))
    tell(PairFailed(b, "why"))
    tell(PairFound(c))
    run = newest_run(Layout(tmp_path))
    assert run is not None
    assert (run.made, run.failed, run.unfinished) == (1, 1, ("d.png",))
    assert 1.7e9 < run.started <= run.last


def test_the_run_that_began_last_counts_whoever_spoke_last(tmp_path: Path) -> None:
    journal(
        Layout(tmp_path).events,
        event("old", "started", 1, "a.png"),
        event("new", "started", 2, "b.png"),
        event("old", "done", 9, "a.png"),
        event("new", "done", 5, "b.png"),
        event("new", "started", 6, "c.png"),
    )
    assert newest_run(Layout(tmp_path)) == Run(2, 6, 1, 0, ("c.png",))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        "\x00\x00",
        "[" * 100_000,
        json.dumps({"time": 3, "event": "done"}),
        json.dumps(event("x", "done", "now")),
        json.dumps(event("x", "done", None)),
        json.dumps(event("x", "done", -1)),
        json.dumps(event("x", "done", 1e300)),
        '{"time": NaN, "run": "x", "event": "done"}',
        '{"time": 4, "run": ["x"], "event": "done"}',
        '{"time": 4, "run": "x", "event": {}}',
    ],
)
def test_broken_lines_are_passed_over(tmp_path: Path, line: str) -> None:
    journal(
        Layout(tmp_path).events,
        event("r", "started", 1, "a.png"),
        line,
        event("r", "started", 2, ["b"]),
    )
    assert newest_run(Layout(tmp_path)) == Run(1, 2, 0, 0, ("a.png",))


def test_a_line_cut_short_is_passed_over(tmp_path: Path) -> None:
    journal(Layout(tmp_path).events, event("r", "done", 1, "a.png"))
    with (tmp_path / "events.jsonl").open("ab") as stream:
        stream.write(b'{"time": 2, "run": "r", "caf\xc3')
    assert newest_run(Layout(tmp_path)) == Run(1, 1, 1, 0, ())


READY = WorkerReady("cpu", "float32")


def run_of(layout: Layout) -> str:
    """Return the last run that the events tell of."""
    return str(json.loads(layout.events.read_text("utf-8").splitlines()[-1])["run"])


def test_two_runs_of_one_process_in_one_second_are_two(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.hidden.mkdir()
    one, other = Journal(layout), Journal(layout)
    one(READY)
    first = run_of(layout)
    other(READY)
    assert run_of(layout) != first
    assert len(list(layout.hidden.glob("run-*.log"))) == 2


def test_old_logs_go_but_not_those_of_a_run_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which began long ago, and has written since."""
    monkeypatch.setattr(journals, "_LOGS", 3)
    layout, month = Layout(tmp_path), 31 * 24 * 3600
    layout.hidden.mkdir()
    now = time.time()
    ages = {"a": 4 * month, "b": 3 * month, "c": 2 * month, "d": 1 * month, "e": 60}
    for run, age in ages.items():
        layout.log(run).write_text("done\n")
        os.utime(layout.log(run), (now - age, now - age))
    keep = layout.hidden / "run-notes.txt"
    keep.write_text("of somebody")
    os.utime(keep, (0, 0))
    begun = Journal(layout)
    Journal(layout)  # a dry run writes nothing, and removes nothing
    assert len(list(layout.hidden.glob("run-*.log"))) == 5
    begun(READY)
    begun(READY)
    left = {path.name for path in layout.hidden.glob("run-?.log")}
    assert left == {"run-c.log", "run-d.log", "run-e.log"}
    assert keep.exists()


def test_events_beyond_some_size_give_way_when_nobody_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    journal(layout.events, event("old", "started", 1, "a.png"))
    Journal(layout)(READY)
    assert not layout.events_before.exists()  # few as they are
    monkeypatch.setattr(journals, "_EVENTS_BYTES", 10)
    lock = Locks(tmp_path).take("a.png")
    assert lock is not None
    Journal(layout)(READY)
    assert not layout.events_before.exists()
    lock.release()
    Journal(layout)(READY)
    assert len(layout.events_before.read_text("utf-8").splitlines()) == 3
    assert len(layout.events.read_text("utf-8").splitlines()) == 1
    Journal(layout)(READY)
    assert len(layout.events_before.read_text("utf-8").splitlines()) == 1


def test_a_run_is_known_by_the_events_of_both_files(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    journal(layout.events_before, event("old", "started", 1, "x.png"))
    journal(layout.events_before, event("new", "started", 2, "a.png"))
    journal(layout.events, event("old", "done", 3, "x.png"), event("new", "done", 4, "b.png"))
    assert newest_run(layout) == Run(2, 4, 1, 0, ("a.png",))


def test_what_cannot_be_pruned_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    layout = Layout(tmp_path)
    journal(layout.events, event("old", "started", 1, "a.png"))
    layout.log("a").touch()
    os.utime(layout.log("a"), (0, 0))
    monkeypatch.setattr(journals, "_LOGS", 0)
    monkeypatch.setattr(journals, "_EVENTS_BYTES", 0)
    for name in ("unlink", "replace"):
        monkeypatch.setattr(Path, name, refuse)
    Journal(layout)(READY)
    assert len(layout.events.read_text("utf-8").splitlines()) == 2
