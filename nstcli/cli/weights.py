"""`nst weights`: get pretrained weights, check them, see where they are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from backbones import Backbone, WeightSet
    from backbones.weights import Companion

app = typer.Typer(no_args_is_help=True, help="Get pretrained weights, check them, find them.")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME…", help="A backbone (its default set) or backbone:set"),
]


@app.command(name="list")
def list_sets() -> None:
    """List all weight sets, with what is in the cache."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from backbones import weights
    from nstcli.cli.screen import console, size

    table = Table(box=box.SIMPLE_HEAD, caption=f"cache: {weights.cache_folder()}")
    for heading in ("weights", "download", "cache", "source", "description"):
        table.add_column(heading, justify="right" if heading == "download" else "left")
    for backbone, weight_set in _all():
        cached = weights.cached_path(backbone, weight_set).is_file()
        name = Text(weights.title(backbone, weight_set))
        if weight_set is backbone.weight_sets[0]:
            name.append(" (default)", "dim")
        table.add_row(
            name,
            size(weight_set.source.size),
            Text("here", "green") if cached else "",
            Text(weight_set.source.describe()),
            Text(weight_set.description),
        )
    console(stderr=False).print(table)


@app.command()
def pull(
    names: Names = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The default set of every backbone")
    ] = False,
) -> None:
    """Download weight sets into the cache, so that nothing needs the network later."""
    import backbones
    from nstcli.cli.screen import Screen

    if everything:
        wanted = [pair for pair in _all() if pair[1] is pair[0].weight_sets[0]]
    elif names:
        wanted = [_find(name) for name in names]
    else:
        raise typer.BadParameter("name a backbone, or give --all")
    screen = Screen()
    failed = False
    for backbone, weight_set in wanted:
        title = backbones.weights.title(backbone, weight_set)
        try:
            path = backbones.weights.pull(backbone, weight_set, progress=screen.downloading(title))
        except backbones.BackboneError as error:
            screen.complain(f"✗ {error}")
            failed = True
        else:
            screen.say(f"✓ {title}  {path}")
    if failed:
        raise typer.Exit(1)


@app.command()
def verify(names: Names = None) -> None:
    """Check cached weight sets against their digests: those named, or all in the cache."""
    from backbones import weights
    from nstcli.cli.screen import console

    out = console(stderr=False)
    chosen = [_find(name) for name in names] if names else list(_all())
    bad = False
    for backbone, weight_set in chosen:
        state = weights.verify(backbone, weight_set)
        if names or state is not weights.State.ABSENT:
            out.print(f"{weights.title(backbone, weight_set)}  {state.value}")
        if state is weights.State.DAMAGED:
            name = weights.title(backbone, weight_set)
            console().print(f"fetch it anew with: nst weights pull {name}")
        bad |= state is weights.State.DAMAGED or (bool(names) and state is weights.State.ABSENT)
    if bad:
        raise typer.Exit(1)


@app.command()
def path(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A backbone or backbone:set")
    ] = None,
) -> None:
    """Print the cache folder, or where one weight set is or would be."""
    from backbones import weights

    typer.echo(weights.cached_path(*_find(name)) if name else weights.cache_folder())


@app.command()
def prune(
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Tell what would be removed, and remove nothing")
    ] = False,
) -> None:
    """Remove from the cache what no weight set is read from: old files, cut downloads."""
    from backbones import registry, weights
    from nstcli.cli.screen import escape_controls, size
    from nstcli.errors import InputError
    from nstcli.text import shown

    sets = list(_all())
    broken = set(registry.names()) - {owner.name for owner, _ in sets}
    try:
        found = weights.prune(sets, broken, remove=not dry_run)
    except OSError as error:
        where = shown(weights.cache_folder())
        raise InputError(f"cannot prune the cache '{where}': {error.strerror or error}") from error
    for leftover in found:
        typer.echo(f"{size(leftover.size)}  {escape_controls(str(leftover.path))}")
    total = size(sum(leftover.size for leftover in found))
    freed = f"{total} would be freed" if dry_run else f"{total} freed"
    typer.echo(freed if found else "nothing to remove", err=True)


def _find(name: str) -> "tuple[Backbone | Companion, WeightSet]":
    """Return the set that `backbone` or `backbone:set` means."""
    import backbones
    from backbones import weights

    for companion in weights.COMPANIONS:
        for each in companion.weight_sets:
            if name in {companion.name, weights.title(companion, each)}:
                return companion, each
    model, _, weight_set = name.partition(":")
    backbone = backbones.get(model)
    return backbone, backbone.weight_set(weight_set or None)


def _all() -> "Iterator[tuple[Backbone | Companion, WeightSet]]":
    import backbones
    from backbones import weights
    from nstcli.cli.screen import console

    found, broken = backbones.load_all()
    for error in broken:
        console().print(f"warning: {error}")
    owners: list[Backbone | Companion] = [*found, *weights.COMPANIONS]
    for owner in owners:
        for weight_set in owner.weight_sets:
            yield owner, weight_set
