"""`nst stylize`: one content with one style, or several in one, by the same path as a batch."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nstcli.cli.groups import DryRun, only, takes_groups
from nstcli.config.options import (
    GUIDES,
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)

if TYPE_CHECKING:
    from nstcli.results.stages import StageFolder


@takes_groups
def stylize(
    context: typer.Context,
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="A photo")],
    style: Annotated[
        list[str],
        typer.Argument(metavar="STYLE...", help="An artwork, or several: a.jpg=0.7 b.jpg=0.3"),
    ],
    *,
    input_options: Annotated[InputOptions, only(*GUIDES)],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The result [{content}__{style}.png]",
            rich_help_panel=OutputOptions.panel,
        ),
    ] = None,
    dry_run: DryRun = False,
    output_options: Annotated[
        OutputOptions,
        only(
            *("format", "quality", "bits", "overwrite", "force", "metadata"),
            *("save_every", "animation", "boomerang", "animation_size", "animation_seconds"),
        ),
    ],
    recipe: RecipeOptions,
    execution: Annotated[
        ExecutionOptions, only("device", "precision", "tile", "memory", "timeout", "offline")
    ],
    messages: MessageOptions,
) -> None:
    """Paint one photo in the manner of one artwork, with the same bytes as in a batch.

    Ctrl-C ends the work early and keeps the best picture so far.
    """
    from nstcli.cli.making import Order, header_of, run_pairs, with_guides
    from nstcli.cli.screen import Screen
    from nstcli.errors import InputError
    from nstcli.networks import ready
    from nstcli.plan import blends, inputs, product
    from nstcli.plan.beside import started
    from nstcli.results.store import SingleFile
    from nstcli.run.job import form_of, settings_for

    file_format = _format_of(output, context.params["format"], output_options.format)
    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    weighted = [*map(blends.weighted, style)]
    ready.fetch([name for name, _ in weighted], execution.offline, screen.downloading)
    known = [(inputs.find(name), weight) for name, weight in weighted]
    contents = inputs.find(str(content))
    if len(contents) > 1 or any(len(found) > 1 for found, _ in known):
        raise InputError(
            "stylize takes one photo and one artwork, or several that are named one by one; for "
            "folders, use: nst batch"
        )
    styles = [blends.named([(found.sources[0].path, weight) for found, weight in known])]
    naming = product.Naming(f".{file_format}")
    (pair,) = product.planned(contents, styles, naming).pairs
    path = output or Path(pair.output)
    (pair,) = started([replace(pair, output=path.name)], recipe.choices())
    (pair,) = with_guides([pair], input_options, screen)
    settings = settings_for(
        recipe.choices(),
        form_of(output_options, file_format),
        offline=execution.offline,
        progress=screen.downloading,
    )
    results = SingleFile(path)
    order = Order(
        [(pair, settings)],
        results,
        output_options,
        execution,
        messages,
        header_of([pair], settings),
        dry_run=dry_run,
        keep_best=True,
        finish=lambda: _made(path, results.stages(pair)),
    )
    raise typer.Exit(run_pairs(order, screen))


def _made(path: Path, stages: "StageFolder") -> str:
    """Name what was made, for people."""
    beside = stages.animation() or (stages.path if stages.pictures() else None)
    return f"{path} and {beside}" if beside else str(path)


def _format_of(output: Path | None, flag: str | None, wanted: str | None) -> str:
    """Tell the format from the name of the result, or from the option where the name says none.

    Args:
        output: as the user named the result, if at all.
        flag: the option on the command line, which must not contradict the name.
        wanted: the option from wherever it was set; a name says more than a file for many commands.

    Raises:
        InputError: the name is a folder's, or ends in nothing that can be written, or in another
            format.
    """
    from backbones.paths import is_folder
    from nstcli.errors import InputError
    from nstcli.images import format_of

    if output is None:
        return wanted or "png"
    if is_folder(output):
        inside = output / f"NAME.{wanted or 'png'}"
        raise InputError(f"'{output}' is a folder; name the result itself: -o '{inside}'")
    return wanted if wanted and not output.suffix else format_of(output, flag)
