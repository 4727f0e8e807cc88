"""What a run would do, told without doing it."""

from collections.abc import Sequence

import typer

from nstcli.cli.screen import Screen, console, failed_line, harmless, size
from nstcli.report.manifest import in_lines
from nstcli.results.store import Results
from nstcli.run.check import Standing, reason
from nstcli.run.events import PairFailed
from nstcli.run.settings import Settings, memory_needed
from nstcli.text import stored


def print_plan(
    standings: Sequence[Standing],
    failures: Sequence[PairFailed],
    settings: Settings,
    store: Results,
    screen: Screen,
    *,
    precision: str,
    as_json: bool,
) -> None:
    """Print how every pair stands, a line each, on the standard output.

    Args:
        standings: of the pairs whose files could be read; some may be no pictures.
        failures: the pairs that cannot be made, and why.
        settings: of the run.
        store: where the results would go.
        screen: where the memory is told.
        precision: asked for, `auto` if none.
        as_json: print one JSON document instead.
    """
    bad = {failure.pair for failure in failures}
    sound = [standing for standing in standings if standing.job.pair not in bad]
    needed = memory_needed(settings, [s.job.pair for s in sound], precision)
    if as_json:
        typer.echo(_document(sound, failures, settings, store, needed), nl=False)
        return
    out = console(stderr=False)
    for standing in sound:
        pair, why = standing.job.pair, reason(standing, settings, store)
        line = f"{standing.state.value:24}  {pair.title} → {pair.output}"
        out.print(harmless(line + (f"   ({why})" if why else "")))
    for failure in failures:
        out.print(failed_line(failure))
    screen.say(f"peak memory: up to {size(needed)} besides torch and the network")


def _document(
    sound: Sequence[Standing],
    failures: Sequence[PairFailed],
    settings: Settings,
    store: Results,
    needed: int,
) -> str:
    """Write it for programs: a line for each pair."""
    told = [(s.job.pair, s.state.value, reason(s, settings, store) or None) for s in sound]
    told += [(failure.pair, "cannot be made", failure.error) for failure in failures]
    pairs = [
        {
            "content": stored(pair.content),
            "style": stored(pair.style),
            "result": pair.output,
            "state": state,
            "why": why,
        }
        for pair, state, why in told
    ]
    return in_lines({"pairs": pairs, "peak_memory": needed}, ascii_only=True)
