"""What the journal of an output folder tells of its runs, read back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


def newest_run(hidden: Path) -> Run | None:
    """Return the run that started last, of those that made or tried something.

    Lines that cannot be read are passed over: a journal is written as well as can be.

    Args:
        hidden: the folder `.nst`.
    """
    runs: dict[str, _Told] = {}
    for event in _events(hidden / "events.jsonl"):
        runs.setdefault(event["run"], _Told(event["time"])).add(event)
    newest = max(runs.values(), key=lambda told: told.started, default=None)
    if newest is None:
        return None
    return Run(newest.started, newest.last, newest.made, newest.failed, tuple(newest.open))


@dataclass
class _Told:
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
        event = json.loads(line)
        known = isinstance(event["run"], str) and isinstance(event["event"], str)
        return event if known and 0 <= event["time"] < _LAST_SECOND else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
