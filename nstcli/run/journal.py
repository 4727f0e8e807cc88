"""The journal of an output folder: `events.jsonl` of all runs, and a log of each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from backbones.safe_json import parse_json
from nstcli.plan.layout import Layout
from nstcli.results.locks import Locks
from nstcli.run.events import (
    FewerWorkers,
    PairDone,
    PairFailed,
    PairFound,
    PairStarted,
    WorkerReady,
)
from nstcli.text import printable

# Of this process. Two may begin in one second.
_runs = count(1)
# See `prune`.
_LOGS, _LOG_SECONDS = 50, 30 * 24 * 3600.0
_EVENTS_BYTES = 8 * 2**20


class Journal:
    """A listener that writes `events.jsonl`, of all runs, and a `run-….log` of this one.

    Both grow by whole lines, each written at once, so that several processes may share them. A
    journal that cannot be written is given up: the records are the truth, and they say when a
    folder cannot be written to. What is old goes when the run writes its first line; see `prune`.
    """

    def __init__(self, layout: Layout):
        self._layout = layout
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._run = f"{stamp}-{os.getpid()}-{next(_runs)}"
        self._log = layout.log(self._run)
        self._begun = False

    def __call__(self, event: object) -> None:
        """Write down what is worth it; steps are not."""
        told = _entry_of(event)
        if told is None:
            return
        if not self._begun:
            self._begun = True
            prune(self._layout)
        kind, text, facts = told
        entry = {"time": round(time.time(), 3), "run": self._run, "event": kind, **facts}
        self.note(text)
        _append(self._layout.events, json.dumps(entry, ensure_ascii=False))

    def note(self, text: str) -> None:
        """Write a line into the log of this run."""
        _append(self._log, f"{datetime.now(UTC).strftime('%H:%M:%S')} {printable(text)}")


def prune(layout: Layout) -> None:
    """Remove logs and events that are old, and none of a batch at work.

    The logs of the newest 50 runs stay, and all that were written to in the last 30 days. Events
    that fill 8 MiB become `events.1.jsonl`, in the place of those before, while nobody makes pairs
    in the folder; whoever begins at that moment goes on in a new file, and both are read.
    """
    logs = [(log, _changed(log)) for log in layout.hidden.glob(layout.log("*").name)]
    logs.sort(key=lambda known: known[1], reverse=True)
    for log, changed in logs[_LOGS:]:
        if time.time() - changed > _LOG_SECONDS:
            with suppress(OSError):  # another process was sooner, or the folder is read-only
                log.unlink()
    with suppress(OSError):
        if layout.events.stat().st_size > _EVENTS_BYTES and not Locks(layout.folder).any_held():
            layout.events.replace(layout.events_before)


def _changed(path: Path) -> float:
    """Return when a file was written to, in seconds since 1970; of one that is gone, now."""
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def _entry_of(event: object) -> tuple[str, str, dict[str, Any]] | None:
    match event:
        case WorkerReady(device, precision):
            text = f"worker on {device} in {precision}"
            return "ready", text, {"device": device, "precision": precision}
        case FewerWorkers(why):
            return "fewer-workers", why, {"why": why}
        case PairStarted(_, pair):
            return "started", f"started {pair.title}", pair.for_json()
        case PairDone(pair, record):
            text = f"done {pair.title} → {pair.output} in {record.seconds:.1f} s"
            facts = {"seconds": record.seconds, "loss": record.figure("loss")}
            if record.shortfall:
                text += f": {record.shortfall}"
            told = {"shortfall": record.shortfall} if record.shortfall else {}
            return "done", text, {**pair.for_json(), **facts, **told}
        case PairFailed(pair, error):
            return "failed", f"failed {pair.title}: {error}", {**pair.for_json(), "error": error}
        case PairFound(pair):
            return "found", f"found up to date: {pair.title}", pair.for_json()
    return None


def _append(path: Path, line: str) -> None:
    try:
        with path.open("ab", buffering=0) as stream:
            stream.write(f"{line}\n".encode(errors="backslashreplace"))
    except OSError:
        pass  # as the class says


# Of events that end a pair.
_ENDS = {"done", "failed", "found"}
# Beyond that, a number of seconds is none since 1970 (it would be the year 2242).
_LAST_SECOND = 2**33


@dataclass(frozen=True)
class Run:
    """A run of `nst batch`.

    Attributes:
        started: when it was ready to make pairs, in seconds since 1970.
        last: when it was last heard of.
        made: how many results it made.
        failed: how many pairs it could not make.
        unfinished: results that it began and did not end: in hand, or lost with the process.
    """

    started: float
    last: float
    made: int
    failed: int
    unfinished: tuple[str, ...]


def newest_run(layout: Layout) -> Run | None:
    """Return the run that started last, of those that made or tried something.

    Lines that cannot be read are passed over: a journal is written as well as can be.
    """
    runs: dict[str, _RunSoFar] = {}
    for event in chain(_events(layout.events_before), _events(layout.events)):
        runs.setdefault(event["run"], _RunSoFar(event["time"])).add(event)
    newest = max(runs.values(), key=lambda told: told.started, default=None)
    if newest is None:
        return None
    return Run(newest.started, newest.last, newest.made, newest.failed, tuple(newest.open))


@dataclass
class _RunSoFar:
    """A run, while its events are read; `open` keeps the order of its keys."""

    started: float
    last: float = 0.0
    made: int = 0
    failed: int = 0
    open: dict[str, None] = field(default_factory=dict)

    def add(self, event: Mapping[str, Any]) -> None:
        kind, result = event["event"], event.get("result")
        self.last = max(self.last, event["time"])
        self.made += kind == "done"
        self.failed += kind == "failed"
        if isinstance(result, str):
            if kind == "started":
                self.open[result] = None
            elif kind in _ENDS:
                self.open.pop(result, None)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events that have a time, a run and a kind."""
    try:
        with path.open("rb") as stream:
            for line in stream:
                event = _parsed(line)
                if event:
                    yield event
    except OSError:
        return


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = parse_json(line)
        known = isinstance(event["run"], str) and isinstance(event["event"], str)
        return event if known and 0 <= event["time"] < _LAST_SECOND else None
    except (ValueError, TypeError, KeyError):
        return None
