"""The summary of a run at its end: counts and failures, for people and as JSON."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer
from rich.text import Text

from nstcli.cli.screen import Screen, redirect_to_devnull
from nstcli.plan.pair import Pair
from nstcli.run.events import PairFailed
from nstcli.run.make import Summary
from nstcli.text import duration, plural, stored


def counts(summary: Summary) -> str:
    """Say it in one line."""
    made = "made"
    if summary.shortfalls:
        made += f" ({len(summary.shortfalls)} no better than at the start)"
    parts = [
        (summary.made, made),
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
    for line in _by_cause(("! ", "yellow"), summary.shortfalls):
        screen.complain(line)
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
        "no_better": [
            {**pair.for_json(), "shortfall": shortfall} for pair, shortfall in summary.shortfalls
        ],
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
    return _by_cause(("✗ ", "red"), [(each.pair, each.error) for each in failures])


def _by_cause(sign: tuple[str, str], told: Iterable[tuple[Pair, str]]) -> Iterator[Text]:
    causes: dict[str, list[Pair]] = defaultdict(list)
    for pair, cause in told:
        causes[cause].append(pair)
    for cause, pairs in causes.items():
        titles = pairs[0].title if len(pairs) == 1 else plural(len(pairs), "pair")
        yield Text.assemble("  ", sign, titles, "   ", cause)
