"""The summary of a run at its end: counts and failures, for people and as JSON."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer
from rich.text import Text

from nstcli.cli.screen import Screen, redirect_to_devnull
from nstcli.run.events import PairFailed
from nstcli.run.make import Summary
from nstcli.text import duration, plural, stored


def counts(summary: Summary) -> str:
    """Say it in one line."""
    parts = [
        (summary.made, "made"),
        (summary.elsewhere, "made by another process"),
        (summary.cached, "cached"),
        (len(summary.failures), "failed"),
    ]
    told = ", ".join(f"{n} {what}" for n, what in parts if n) or "nothing made"
    return f"{told} in {duration(summary.seconds)}"


def tell_end(summary: Summary, screen: Screen, where: object) -> None:
    """Say it at length: the counts, where the results are, what failed and why."""
    nothing = not (summary.made or summary.elsewhere or summary.cached)
    screen.say(f"Done: {counts(summary)}" + ("" if nothing else f" → {where}"))
    for line in failure_lines(summary.failures):
        screen.complain(line)
    if summary.failures:
        these = "failed pair" if len(summary.failures) == 1 else "failed pairs"
        screen.complain(f"Re-run the same command to retry only the {these}.")


def print_json(summary: Summary, where: Path, exit_code: int) -> None:
    """Print a summary for programs, one line on the standard output.

    In ASCII: an output stream that cannot encode a letter would make it no JSON any more.
    """
    document = {
        "made": summary.made,
        "made_elsewhere": summary.elsewhere,
        "cached": summary.cached,
        "failed": len(summary.failures),
        "seconds": round(summary.seconds, 3),
        "output": stored(where),
        "exit_code": exit_code,
        "failures": [
            {**failure.pair.for_json(), "error": failure.error} for failure in summary.failures
        ],
    }
    try:
        typer.echo(json.dumps(document))
    except BrokenPipeError:  # nobody reads it; the results are what counts
        redirect_to_devnull(sys.stdout)


def failure_lines(failures: Iterable[PairFailed]) -> Iterator[Text]:
    """Describe failures, a line for each cause."""
    causes: dict[str, list[PairFailed]] = defaultdict(list)
    for failure in failures:
        causes[failure.error].append(failure)
    for error, failed in causes.items():
        titles = failed[0].pair.title if len(failed) == 1 else plural(len(failed), "pair")
        yield Text.assemble("  ", ("✗ ", "red"), titles, "   ", error)
