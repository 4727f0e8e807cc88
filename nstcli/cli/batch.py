"""`nst batch`: every content with every style."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nstcli.cli.groups import takes_groups
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)

if TYPE_CHECKING:
    from nstcli.cli.screen import Screen
    from nstcli.config.parsers import Shard
    from nstcli.plan.pair import Pair


@takes_groups
def batch(
    content: Annotated[
        str, typer.Argument(metavar="CONTENT", help="Photos: a folder, a file or a quoted glob")
    ],
    style: Annotated[
        str, typer.Argument(metavar="STYLE", help="Artworks: a folder, a file or a quoted glob")
    ],
    *,
    taken: InputOptions,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Folder of the results",
            rich_help_panel=OutputOptions.panel,
        ),
    ] = Path("stylized"),
    dry_run: Annotated[
        bool,
        typer.Option(
            "-n",
            "--dry-run",
            help="List every pair and how it stands; make none",
            rich_help_panel=OutputOptions.panel,
        ),
    ] = False,
    written: OutputOptions,
    recipe: RecipeOptions,
    execution: ExecutionOptions,
    messages: MessageOptions,
) -> None:
    """Paint every photo in the manner of every artwork.

    A finished pair is recorded, and the same command makes only what is missing.
    """
    from nstcli.cli.making import Order, run_pairs
    from nstcli.cli.screen import Screen
    from nstcli.images import DEFAULT_MAX_PIXELS
    from nstcli.report.summaries import Summaries
    from nstcli.results.folder import Store
    from nstcli.run.journal import Journal

    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    file_format = written.format or "png"
    pairs = _planned((content, style), taken, output, written.name, recipe, file_format, screen)
    if execution.shard:
        pairs = _part(pairs, execution.shard, screen)
    store = Store(output)
    summaries = Summaries(store, lambda text: screen.complain(f"warning: {text}"), written.gallery)
    order = Order(
        pairs,
        store,
        recipe,
        written,
        execution,
        messages,
        file_format,
        dry_run=dry_run,
        max_pixels=taken.max_pixels or DEFAULT_MAX_PIXELS,
        strict=taken.strict,
        listeners=[Journal(store.layout), summaries],
        finish=summaries.finish,
    )
    raise typer.Exit(run_pairs(order, screen))


def _part(pairs: "list[Pair]", shard: "Shard", screen: "Screen") -> "list[Pair]":
    """Return one part of a batch. An empty one is no failure: job arrays have more at times."""
    from nstcli.text import plural

    part = pairs[shard.index - 1 :: shard.count]
    if not part:
        screen.say(f"note: part {shard} is empty: the batch has {plural(len(pairs), 'pair')}")
    return part


def _planned(
    arguments: tuple[str, str],
    taken: InputOptions,
    output: Path,
    name: str,
    recipe: RecipeOptions,
    file_format: str,
    screen: "Screen",
) -> "list[Pair]":
    """Find the pictures, pair them, and tell what was left out or renamed."""
    from nstcli.cli.making import find_pictures, tell_renamed
    from nstcli.plan import product

    contents, styles = find_pictures(arguments, taken, output, screen)
    values = {"model": recipe.model, "size": str(recipe.size), "preset": recipe.preset}
    naming = product.Naming(f".{file_format}", name, values)
    planned = product.planned(contents, styles, naming, taken.pairs, taken.limit)
    tell_renamed(planned.renamed, screen)
    return planned.pairs
