"""The newest run, as the journal tells of it."""

import json
from pathlib import Path

import pytest

from nstcli.plan.layout import Layout
from nstcli.plan.pair import Pair
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
    assert newest_run(Layout(tmp_path).events) is None
    journal(Layout(tmp_path).events)
    assert newest_run(Layout(tmp_path).events) is None


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
    run = newest_run(Layout(tmp_path).events)
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
    assert newest_run(Layout(tmp_path).events) == Run(2, 6, 1, 0, ("c.png",))


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
    assert newest_run(Layout(tmp_path).events) == Run(1, 2, 0, 0, ("a.png",))


def test_a_line_cut_short_is_passed_over(tmp_path: Path) -> None:
    journal(Layout(tmp_path).events, event("r", "done", 1, "a.png"))
    with (tmp_path / "events.jsonl").open("ab") as stream:
        stream.write(b'{"time": 2, "run": "r", "caf\xc3')
    assert newest_run(Layout(tmp_path).events) == Run(1, 1, 1, 0, ())
