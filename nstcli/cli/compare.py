"""`nst compare-backbones`: the same pairs by several networks, side by side with figures."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from nstcli.cli.groups import ResultsFolder, only, takes_groups
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)

_PANEL = "Comparison"
# Of a recipe, all but the network, which `--models` names.
_RECIPE = [field.name for field in fields(RecipeOptions) if field.name not in {"model", "weights"}]


@takes_groups
def compare_backbones(
    content: Annotated[
        str, typer.Argument(metavar="CONTENT", help="Photos: a folder, a file or a quoted glob")
    ],
    style: Annotated[
        str, typer.Argument(metavar="STYLE", help="Artworks: a folder, a file or a quoted glob")
    ],
    *,
    models: Annotated[
        str,
        typer.Option(
            "-m",
            "--models",
            metavar="all|A,B:SET",
            help="Backbones, each with a weight set if not its default",
            rich_help_panel=_PANEL,
        ),
    ] = "all",
    time_budget: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1e6,  # with both bounds, nan and inf are refused, too
            metavar="SEC",
            help="Give each backbone so many seconds a pair, instead of --steps",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    export_json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all figures", rich_help_panel=_PANEL),
    ] = None,
    export_csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a line a picture", rich_help_panel=_PANEL),
    ] = None,
    export_markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the table", rich_help_panel=_PANEL),
    ] = None,
    input_options: InputOptions,
    output: ResultsFolder = Path("comparison"),
    output_options: Annotated[
        OutputOptions,
        only("format", "quality", "bits", "overwrite", "force", "metadata", "gallery"),
    ],
    recipe: Annotated[RecipeOptions, only(*_RECIPE)],
    execution: Annotated[
        ExecutionOptions, only("device", "precision", "tile", "timeout", "offline")
    ],
    messages: MessageOptions,
) -> None:
    """Paint the same pairs with several backbones, and hold the pictures against each other.

    One after the other has the machine to itself. A network that did not paint them judges the
    pictures. The same command goes on where it was left.
    """
    from nstcli.cli.comparing import Comparison
    from nstcli.experiments.exports import Exports

    comparison = Comparison(
        (content, style),
        models,
        output,
        input_options,
        output_options,
        recipe,
        execution,
        messages,
        time_budget,
        Exports(export_json, export_csv, export_markdown),
    )
    raise typer.Exit(comparison.run())
