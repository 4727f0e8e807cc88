"""`nst texture`: what an artwork has everywhere, without what it shows, in any size."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer

from nstcli.cli.groups import DryRun, ResultsFolder, only, takes_groups
from nstcli.config.options import (
    GUIDES,
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)

_PANEL = "Texture"
# What a texture has no photo for, or this command has another option for.
_NOT_OF_TEXTURES = {
    *("content_weight", "content_layers", "nearest_weight", "nearest_layers"),
    *(
        "method",
        "alpha",
        "size",
        "center_crop",
        "keep_size",
        "fit",
        "style_layers",
        "colors",
        "keep_faces",
    ),
}
_RECIPE = [field.name for field in fields(RecipeOptions) if field.name not in _NOT_OF_TEXTURES]
_NOT_OF_ARTWORKS = {"pairs", *GUIDES} - {"style_mask"}
_INPUTS = [field.name for field in fields(InputOptions) if field.name not in _NOT_OF_ARTWORKS]


@takes_groups
def texture(
    context: typer.Context,
    styles: Annotated[
        list[str],
        typer.Argument(metavar="STYLE…", help="Artworks: folders, files or quoted globs"),
    ],
    *,
    size: Annotated[
        str,
        typer.Option(
            "-s",
            "--size",
            metavar="PX|WxH",
            help="Size of a texture; its longer edge is that which artworks are shrunk to (512)",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = "",
    tileable: Annotated[
        bool,
        typer.Option(
            "--tileable",
            help="Let it go on beyond its borders, so that tiles of it show no seam",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    layers: Annotated[
        str,
        typer.Option(
            metavar="A,B=WEIGHT",
            help="Layers that see the artwork",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = "",
    input_options: Annotated[InputOptions, only(*_INPUTS, others=True)],
    output: ResultsFolder = Path("textures"),
    dry_run: DryRun = False,
    output_options: Annotated[
        OutputOptions, only(name="How results are called, without suffix ({style})")
    ],
    recipe: Annotated[
        RecipeOptions,
        only(
            *_RECIPE,
            others=True,
            init="Start from noise, gray, or pictures of yours: a file or a folder (noise)",
        ),
    ],
    execution: ExecutionOptions,
    messages: MessageOptions,
) -> None:
    """Make a texture of every artwork: its strokes and colours, and nothing that it shows.

    It begins with noise, or a picture of your own that --init names; another --seed gives another
    one. As in a batch, the same command makes only what is missing.
    """
    from nstcli.cli.making import (
        find_pictures,
        header_of,
        into_folder,
        part_of,
        run_pairs,
        tell_renamed,
        with_guides,
    )
    from nstcli.cli.screen import Screen
    from nstcli.plan.beside import started
    from nstcli.plan.product import Naming, planned
    from nstcli.results.folder import Store
    from nstcli.run.alone import of_texture, refuse_input, shape_of
    from nstcli.run.job import form_of, settings_for
    from nstcli.text import plural

    refuse_input(context.params["init"])
    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    choices, form = of_texture(recipe.choices(), shape_of(size), tileable), form_of(output_options)
    if layers:
        choices["style_layers"] = layers
    values = {"model": recipe.model, "size": str(choices["size"]), "preset": recipe.preset}
    (sources,) = find_pictures([styles], input_options, output, screen)
    plan = planned(
        None,
        sources,
        Naming(f".{form.format}", output_options.name, values),
        limit=input_options.limit,
    )
    tell_renamed(plan.renamed, screen)
    pairs = with_guides(started(plan.pairs, choices), input_options, screen)
    pairs = part_of(pairs, execution, "texture", screen)
    settings = settings_for(choices, form, offline=execution.offline, progress=screen.downloading)
    order = into_folder(
        [(pair, settings) for pair in pairs],
        Store(output),
        input_options,
        output_options,
        execution,
        messages,
        header_of(pairs, settings, count=plural(len(pairs), "texture")),
        screen,
    )
    raise typer.Exit(run_pairs(replace(order, dry_run=dry_run), screen))
