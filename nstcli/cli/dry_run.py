"""`--dry-run`: print how every pair stands, and make none."""

from collections.abc import Mapping

import typer

from nstcli.cli.screen import Screen, console, escape_controls, failed_line, size
from nstcli.plan.pair import Pair
from nstcli.report.manifest import in_lines
from nstcli.run.check import Checked


def print_plan(
    checked: Checked,
    screen: Screen,
    precision: str,
    *,
    as_json: bool,
    cells: Mapping[str, str],
) -> None:
    """Print how every pair stands, a line each, on the standard output.

    Args:
        checked: the pairs.
        screen: where the memory is told.
        precision: asked for, `auto` if none.
        as_json: print one JSON document instead.
        cells: of the results, by their names, where they have any.
    """
    bad = {failure.pair for failure in checked.failures}
    sound = [standing for standing in checked.standings if standing.job.pair not in bad]
    needed = checked.memory_needed(precision)
    if as_json:
        told = [(s.job.pair, s.state.words, checked.reason(s) or None) for s in sound]
        told += [(failed.pair, "cannot be made", failed.error) for failed in checked.failures]
        pairs = [
            {**_cell(pair, cells), **pair.for_json(), "state": state, "why": why}
            for pair, state, why in told
        ]
        document = {"pairs": pairs, "peak_memory": needed}
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
    screen.say(f"peak memory: up to {size(needed)} besides torch and the network")


def _cell(pair: Pair, cells: Mapping[str, str]) -> dict[str, str]:
    return {"cell": cells[pair.output]} if cells else {}
