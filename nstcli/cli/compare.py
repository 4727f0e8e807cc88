"""`nst compare-backbones`, `nst compare-methods`: the same pairs, side by side with figures."""

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
_NOT_OF_BACKBONES = {"model", "weights", "method"}
_RECIPE = [field.name for field in fields(RecipeOptions) if field.name not in _NOT_OF_BACKBONES]
# All but the method, which `--methods` names.
_RECIPE_OF_METHODS = [field.name for field in fields(RecipeOptions) if field.name != "method"]

ExportJson = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write all figures", rich_help_panel=_PANEL)
]
ExportCsv = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a line a picture", rich_help_panel=_PANEL)
]
ExportMarkdown = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the table", rich_help_panel=_PANEL)
]
Content = Annotated[
    str, typer.Argument(metavar="CONTENT", help="Photos: a folder, a file or a quoted glob")
]
Artworks = Annotated[
    str, typer.Argument(metavar="STYLE", help="Artworks: a folder, a file or a quoted glob")
]
# What comparisons take of these groups.
Written = Annotated[
    OutputOptions,
    only("format", "quality", "bits", "overwrite", "force", "metadata", "gallery"),
]
Machine = Annotated[
    ExecutionOptions, only("device", "precision", "tile", "memory", "timeout", "offline")
]


@takes_groups
def compare_backbones(
    content: Content,
    style: Artworks,
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
    export_json: ExportJson = None,
    export_csv: ExportCsv = None,
    export_markdown: ExportMarkdown = None,
    input_options: InputOptions,
    output: ResultsFolder = Path("comparison"),
    output_options: Written,
    recipe: Annotated[RecipeOptions, only(*_RECIPE)],
    execution: Machine,
    messages: MessageOptions,
) -> None:
    """Paint the same pairs with several backbones, and hold the pictures against each other.

    One after the other has the machine to itself. A network that did not paint them judges the
    pictures. The same command goes on where it was left.
    """
    from nstcli.cli.comparing import Comparison, refuse_layers
    from nstcli.experiments.exports import Exports
    from nstcli.experiments.variant import of_backbones

    variants, broken = of_backbones(models)
    for error in broken:
        typer.echo(f"warning: {error}", err=True)
    refuse_layers(variants, recipe.preset)
    comparison = Comparison(
        (content, style),
        variants,
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


@takes_groups
def compare_methods(
    content: Content,
    style: Artworks,
    *,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            metavar="all|A,B",
            help="Ways to make pictures",
            rich_help_panel=_PANEL,
        ),
    ] = "all",
    networks: Annotated[
        str | None,
        typer.Option(
            "--networks",
            metavar="FILE|FOLDER",
            help="Networks of nst train; each paints after the artwork that it was trained for",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    export_json: ExportJson = None,
    export_csv: ExportCsv = None,
    export_markdown: ExportMarkdown = None,
    input_options: InputOptions,
    output: ResultsFolder = Path("methods"),
    output_options: Written,
    recipe: Annotated[RecipeOptions, only(*_RECIPE_OF_METHODS)],
    execution: Machine,
    messages: MessageOptions,
) -> None:
    """Make the same pairs by several methods, and hold pictures and seconds against each other.

    As with compare-backbones, each has the machine to itself, and the same command goes on where
    it was left.
    """
    from nstcli.cli.comparing import Comparison
    from nstcli.experiments.exports import Exports
    from nstcli.experiments.variant import of_methods

    comparison = Comparison(
        (content, style),
        of_methods(methods, recipe.choices(), trained=networks is not None),
        output,
        input_options,
        output_options,
        recipe,
        execution,
        messages,
        None,
        Exports(export_json, export_csv, export_markdown),
        networks,
    )
    raise typer.Exit(comparison.run())
