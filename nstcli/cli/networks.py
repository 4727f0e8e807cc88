"""`nst networks`: networks that paint in one pass: what there is, and what can be had."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from rich.text import Text

app = typer.Typer(invoke_without_command=True)


@app.callback()
def networks(context: typer.Context) -> None:
    """List networks that paint in one pass, or get ready-made ones.

    What is listed can be named as a style of --method network: network:multistyle/style07.
    """
    if context.invoked_subcommand is None:
        _list()


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Like multistyle")],
) -> None:
    """Download ready-made networks into the cache, so that nothing needs the network later."""
    from backbones import BackboneError
    from backbones.hints import closest
    from nstcli.cli.screen import Screen
    from nstcli.errors import InputError
    from nstcli.networks import ready
    from nstcli.text import shown

    for name in names:
        if name not in ready.COLLECTIONS:
            there = ", ".join(ready.COLLECTIONS)
            hint = closest(name, ready.COLLECTIONS)
            raise InputError(f"there are no networks '{shown(name)}'{hint}; there are: {there}")
    screen = Screen()
    failed = False
    for name in names:
        try:
            paths = ready.pull(ready.COLLECTIONS[name], progress=screen.downloading(name))
        except BackboneError as error:
            screen.complain(f"✗ {error}")
            failed = True
        else:
            screen.say(f"✓ {name}  {len(paths)} networks in {paths[0].parent}")
    if failed:
        raise typer.Exit(1)


def _list() -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from backbones.paths import is_file
    from nstcli.cli.screen import console
    from nstcli.networks import ready

    table = Table(box=box.SIMPLE_HEAD, caption=f"cache: {ready.folder()}")
    for heading in ("networks", "cache", "trained in", "from", "licence"):
        table.add_column(heading)
    absent = []
    for name, collection in ready.COLLECTIONS.items():
        here = all(map(is_file, collection.paths))
        absent += [] if here else [name]
        table.add_row(
            Text(f"{ready.PREFIX}{name}/*"),
            Text("here", "green") if here else "",
            "",
            Text(f"{collection.description}; {collection.source.describe()}"),
            Text(collection.licence),
        )
    for name, path in ready.found():
        if name.partition("/")[0] not in ready.COLLECTIONS:
            table.add_row(Text(f"{ready.PREFIX}{name}"), Text("here", "green"), *_told(path))
    console(stderr=False).print(table)
    if absent:
        console().print(f"get them with: nst networks pull {' '.join(absent)}")


def _told(path: "Path") -> "list[Text]":
    """Say how long a network was trained, where it is from, and its licence."""
    from rich.text import Text

    from nstcli.errors import InputError
    from nstcli.networks import file
    from nstcli.networks.kinds import KINDS
    from nstcli.text import duration, printable, shown

    try:
        notes = file.read_notes(path)
    except InputError as error:
        return [Text(""), Text(str(error).removeprefix(f"{shown(path)}: "), "red"), Text("")]
    trained = duration(notes.seconds) if notes.seconds else ""
    told = f"{KINDS[notes.kind].title}, {notes.style}"
    return [Text(printable(each)) for each in (trained, told, notes.licence)]
