"""`nst status`: what an output folder holds."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nstcli.report.inventory import Inventory
    from nstcli.report.manifest import Recipes

# Raise it when a field changes its meaning or goes; new fields may come at any time.
_SCHEMA = 1


def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the results")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="List everything, not only what needs attention")
    ] = False,
) -> None:
    """Say what DIR holds: results that are as they were made, and all that is not well.

    Files are compared with their records, byte by byte; none is changed.

    Exit code 0: all is well. 1: something failed, is missing, damaged, edited or unfinished, or
    an input changed.
    """
    from nstcli.cli.screen import console
    from nstcli.cli.status_lines import lines_of
    from nstcli.report.inventory import take_inventory
    from nstcli.report.manifest import in_lines

    inventory = take_inventory(folder)
    if as_json:
        typer.echo(in_lines(_described(inventory), ascii_only=True), nl=False)
    else:
        out = console(stderr=False)
        for line in lines_of(inventory, verbose):
            out.print(line)
    raise typer.Exit(0 if inventory.is_well else 1)


def _described(inventory: "Inventory") -> dict[str, Any]:
    """Return all of an inventory; every field is always there."""
    from nstcli.cli.status_lines import total_seconds
    from nstcli.report.inventory import STATES
    from nstcli.report.manifest import Recipes, of_failure, of_record
    from nstcli.text import stored
    from nstcli.version import VERSION

    counts = Counter(item.state for item in inventory.items)
    recipes = Recipes()
    results = [
        {
            **of_record(item.name, item.record, recipes),
            "state": item.state.value,
            "why": item.why or None,
        }
        for item in inventory.items
        if item.record
    ]
    return {
        "made_by": f"nst {VERSION}",
        "schema": _SCHEMA,
        "folder": stored(inventory.folder),
        "well": inventory.is_well,
        "at_work": inventory.at_work,
        "counts": {
            **{state.value: counts[state] for state in STATES},
            "failed": len(inventory.failures),
        },
        "seconds": round(total_seconds(inventory), 3),
        "newest_run": _run(inventory),
        "recipes": _recipes(recipes, Counter(result["recipe"] for result in results)),
        "results": results,
        "others": _others(inventory),
        "failures": [of_failure(name, failure) for name, failure in inventory.failures],
        "inputs": _inputs(inventory),
        "broken_records": [stored(name) for name in inventory.broken_records],
        "temporary_files": [stored(path) for path in inventory.leftovers],
    }


def _run(inventory: "Inventory") -> dict[str, Any] | None:
    run = inventory.run
    if run is None:
        return None
    return {
        "started": run.started,
        "last": run.last,
        "made": run.made,
        "failed": run.failed,
        "unfinished": list(inventory.unfinished),
    }


def _recipes(recipes: "Recipes", uses: Mapping[int, int]) -> list[dict[str, Any]]:
    from nstcli.cli.status_lines import painter_title

    return [
        {"network": painter_title(recipe), "results": uses[number], "recipe": recipe}
        for number, recipe in enumerate(recipes)
    ]


def _others(inventory: "Inventory") -> list[dict[str, Any]]:
    from nstcli.text import stored

    return [
        {"name": stored(item.name), "state": item.state.value}
        for item in inventory.items
        if not item.record
    ]


def _inputs(inventory: "Inventory") -> list[dict[str, Any]]:
    from nstcli.text import stored

    return [
        {
            "role": origin.role,
            "path": origin.path,
            "sha256": origin.sha256,
            "results": origin.results,
            "state": origin.state.value,
            "found": stored(origin.found) if origin.found else None,
        }
        for origin in inventory.origins
    ]
