"""`nst batch`: every content with every style."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nstcli.cli.groups import DryRun, PreviewOption, ResultsFolder, takes_groups
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)

if TYPE_CHECKING:
    from nstcli.cli.screen import Screen
    from nstcli.plan.pair import Pair
    from nstcli.plan.product import Naming
    from nstcli.run.events import Listener


@takes_groups
def batch(
    content: Annotated[
        str, typer.Argument(metavar="CONTENT", help="Photos: a folder, a file or a quoted glob")
    ],
    style: Annotated[
        str, typer.Argument(metavar="STYLE", help="Artworks: a folder, a file or a quoted glob")
    ],
    *,
    input_options: InputOptions,
    output: ResultsFolder = Path("stylized"),
    dry_run: DryRun = False,
    preview: PreviewOption = None,
    cells: Annotated[
        str,
        typer.Option(
            metavar="2,7",
            help="Make these pairs alone; --preview and --dry-run tell their numbers",
            rich_help_panel=OutputOptions.panel,
            show_default=False,
        ),
    ] = "",
    output_options: OutputOptions,
    recipe: RecipeOptions,
    execution: ExecutionOptions,
    sbatch: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Make nothing; write a script that makes the batch as a Slurm job array",
            rich_help_panel=ExecutionOptions.panel,
            show_default=False,
        ),
    ] = None,
    messages: MessageOptions,
) -> None:
    """Paint every photo in the manner of every artwork.

    A finished pair is recorded, and the same command makes only what is missing.
    """
    from nstcli.cli.array_script import write_array
    from nstcli.cli.making import Order, header_of, part_of, run_pairs
    from nstcli.cli.previewing import ChoosingFrom, in_turn
    from nstcli.cli.screen import Screen
    from nstcli.errors import InputError
    from nstcli.experiments import chosen
    from nstcli.experiments.preview import preview as of_kind
    from nstcli.networks import ready
    from nstcli.plan.beside import started
    from nstcli.plan.layout import Layout
    from nstcli.plan.product import Naming
    from nstcli.report.summaries import Summaries
    from nstcli.results.folder import Store
    from nstcli.run.job import form_of, settings_for
    from nstcli.run.journal import Journal

    wanted = chosen.cells(cells) if cells else ()
    choices = recipe.choices()
    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    if preview:
        less = of_kind(preview, choices)
        output, choices = Layout(output).preview, {**choices, **less.of(choices)}
        if less.note:
            screen.say(f"note: {less.note}")
    form = form_of(output_options)
    values = {"model": recipe.model, "size": str(choices["size"]), "preset": recipe.preset}
    naming = Naming(f".{form.format}", output_options.name, values)
    ready.fetch([style], execution.offline, screen.downloading)
    planned = _planned((content, style), recipe.method, input_options, output, naming, screen)
    pairs = started(planned, choices)
    named = chosen.addresses([pairs])
    if wanted:
        names = chosen.in_cells([pairs], wanted)
        pairs = [pair for pair in pairs if pair.output in names]
    settings = settings_for(
        choices,
        form,
        offline=execution.offline,
        progress=screen.downloading,
    )
    if sbatch:
        if dry_run:
            raise InputError("--dry-run makes nothing, and an array of it would; leave one out")
        write_array(sbatch, len(pairs), settings, execution, screen)
        return
    pairs = part_of(pairs, execution, "pair", screen)
    store = Store(output)
    summaries = Summaries(
        store, lambda text: screen.complain(f"warning: {text}"), output_options.gallery
    )
    listeners: list[Listener] = [Journal(store.layout), summaries]
    finishes: list[Callable[[], object]] = [summaries.finish]
    if preview:
        choosing = ChoosingFrom(store.layout, named, screen)
        listeners.insert(1, choosing.listener)
        finishes.insert(0, choosing.finish)
    order = Order(
        [(pair, settings) for pair in pairs],
        store,
        output_options,
        execution,
        messages,
        header_of(pairs, settings),
        dry_run=dry_run,
        max_pixels=input_options.max_pixels,
        strict=input_options.strict,
        listeners=listeners,
        finish=in_turn(*finishes),
        cells=named,
    )
    raise typer.Exit(run_pairs(order, screen))


def _planned(
    arguments: tuple[str, str],
    method: str,
    input_options: InputOptions,
    output: Path,
    naming: "Naming",
    screen: "Screen",
) -> "list[Pair]":
    """Find the pictures, pair them, and tell what was left out or renamed."""
    from nstcli.cli.making import find_pictures, tell_renamed, with_guides
    from nstcli.plan.product import planned

    given = [[each] for each in arguments]
    contents, styles = find_pictures(given, input_options, output, screen, method=method)
    plan = planned(contents, styles, naming, input_options.pairs, input_options.limit)
    tell_renamed(plan.renamed, screen)
    return with_guides(plan.pairs, input_options, screen)
