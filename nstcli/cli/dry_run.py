"""`--dry-run`: print how every pair stands, and make none."""

from collections.abc import Mapping

import typer

from nstcli.cli.screen import Screen, console, escape_controls, failed_line, size
from nstcli.plan.pair import Pair
from nstcli.report.manifest import in_lines
from nstcli.run.check import Checked, Foretold
from nstcli.run.job import Execution
from nstcli.run.pace import Paces
from nstcli.text import duration, plural


def print_plan(
    checked: Checked,
    screen: Screen,
    execution: Execution,
    *,
    as_json: bool,
    cells: Mapping[str, str],
) -> None:
    """Print how every pair stands, a line each, on the standard output.

    Args:
        checked: the pairs.
        screen: where memory and time are told.
        execution: by what means they would be made.
        as_json: print one JSON document instead.
        cells: of the results, by their names, where they have any.
    """
    bad = {failure.pair for failure in checked.failures}
    sound = [standing for standing in checked.standings if standing.job.pair not in bad]
    foretold = checked.foretold(execution)
    paces = Paces(execution)
    known = len(checked.jobs) - sum(map(len, paces.unknown(checked.jobs)))
    seconds = foretold.work * paces.seconds(checked.jobs)
    if as_json:
        told = [(s.job.pair, s.state.words, checked.reason(s) or None) for s in sound]
        told += [(failed.pair, "cannot be made", failed.error) for failed in checked.failures]
        pairs = [
            {**_cell(pair, cells), **pair.for_json(), "state": state, "why": why}
            for pair, state, why in told
        ]
        document = {
            "pairs": pairs,
            "peak_memory": foretold.memory,
            "tile": foretold.tile,
            "seconds": round(seconds, 1) if known else None,
        }
        typer.echo(in_lines(document, ascii_only=True), nl=False)
        return
    out = console(stderr=False)
    width = max(map(len, cells.values()), default=0)
    for standing in sound:
        pair, why = standing.job.pair, checked.reason(standing)
        cell = f"{cells[pair.output]:{width}}  " if cells else ""
        line = f"{standing.state.words:24}  {cell}{pair.title} → {pair.output}"
        out.print(escape_controls(line + (f"   ({why})" if why else "")))
    for failure in checked.failures:
        out.print(failed_line(failure))
    screen.say(f"peak memory: {memory_of(foretold)}")
    if checked.jobs:
        screen.say(f"time: {_time(seconds, known, len(checked.jobs))}")


def memory_of(foretold: Foretold) -> str:
    """Say what memory pictures will take."""
    said = f"up to {size(foretold.memory)} besides torch and the network"
    if foretold.tile:
        height, width = foretold.tile
        said += f", in tiles of {width}×{height} px: {foretold.work:.1f} times the work"
    if foretold.memory > foretold.free:
        said += f"; too much for the {size(int(foretold.free))} that are free"
    return said


def _time(seconds: float, known: int, count: int) -> str:
    """Say what time pictures will take, as far as any of their kind were made here."""
    if not known:
        return "unknown until the first such picture is made here"
    more = f", and {plural(count - known, 'picture')} of unknown pace" if known < count else ""
    return f"about {duration(seconds)}{more}, by this machine's pace so far"


def _cell(pair: Pair, cells: Mapping[str, str]) -> dict[str, str]:
    return {"cell": cells[pair.output]} if cells else {}
