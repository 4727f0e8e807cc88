"""What happened in an output folder, for people and programs that were not there."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nstcli.batch.events import (
    Event,
    PairDone,
    PairFailed,
    PairFound,
    PairStarted,
    WorkerReady,
)
from nstcli.batch.plan import Pair, printable, stored


class Journal:
    """A listener that writes `events.jsonl`, of all runs, and a `run-….log` of this one.

    Both grow by whole lines, each written at once, so that several processes may share them. A
    journal that cannot be written is given up: the records are the truth, and they say when a
    folder cannot be written to.
    """

    def __init__(self, hidden: Path):
        self._events = hidden / "events.jsonl"
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._run = f"{stamp}-{os.getpid()}"
        self._log = hidden / f"run-{self._run}.log"

    def __call__(self, event: Event) -> None:
        """Write down what is worth it; steps are not."""
        told = _told(event)
        if told is None:
            return
        kind, text, facts = told
        entry = {"time": round(time.time(), 3), "run": self._run, "event": kind, **facts}
        self.note(text)
        _append(self._events, json.dumps(entry, ensure_ascii=False))

    def note(self, text: str) -> None:
        """Write a line into the log of this run."""
        _append(self._log, f"{datetime.now(UTC).strftime('%H:%M:%S')} {printable(text)}")


def _told(event: Event) -> tuple[str, str, dict[str, Any]] | None:
    match event:
        case WorkerReady(device, precision):
            text = f"worker on {device} in {precision}"
            return "ready", text, {"device": device, "precision": precision}
        case PairStarted(_, pair):
            return "started", f"started {pair.title}", _of(pair)
        case PairDone(pair, record):
            text = f"done {pair.title} → {pair.output} in {record.seconds:.1f} s"
            facts = {"seconds": record.seconds, "loss": record.loss}
            return "done", text, {**_of(pair), **facts}
        case PairFailed(pair, error):
            return "failed", f"failed {pair.title}: {error}", {**_of(pair), "error": error}
        case PairFound(pair):
            return "found", f"found up to date: {pair.title}", _of(pair)
    return None


def _of(pair: Pair) -> dict[str, str]:
    return {"content": stored(pair.content), "style": stored(pair.style), "result": pair.output}


def _append(path: Path, line: str) -> None:
    try:
        with path.open("ab", buffering=0) as stream:
            stream.write(f"{line}\n".encode(errors="backslashreplace"))
    except OSError:
        pass  # as the class says
