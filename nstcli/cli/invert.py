"""`nst invert`: what the layers of a network still know of a photo."""

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from nstcli.plan.pair import Pair
    from nstcli.run.job import Settings

_PANEL = "Inversion"
# What has no artwork to look at, or this command has another option for.
_NOT_OF_INVERSIONS = {
    *("style_weight", "style_layers", "nearest_weight", "nearest_layers"),
    *(
        "method",
        "alpha",
        "content_weight",
        "content_layers",
        "colors",
        "keep_faces",
        "fit",
        "style_scale",
    ),
}
_RECIPE = [field.name for field in fields(RecipeOptions) if field.name not in _NOT_OF_INVERSIONS]
_NOT_OF_PHOTOS = {"pairs", "blend", "style_mix", *GUIDES}
_INPUTS = [field.name for field in fields(InputOptions) if field.name not in _NOT_OF_PHOTOS]


@takes_groups
def invert(
    context: typer.Context,
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO…", help="Photos: folders, files or quoted globs"),
    ],
    *,
    layers: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Layers, each of which gives a picture (all that its terms look at)",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = "",
    input_options: Annotated[InputOptions, only(*_INPUTS, others=True)],
    output: ResultsFolder = Path("inverted"),
    dry_run: DryRun = False,
    output_options: Annotated[
        OutputOptions,
        only(name="How results are called, without suffix ({content}__{layer})"),
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
    """Paint every photo from noise by what one layer sees of it, layer by layer.

    What the layer still knows is there again, the rest is made up. DIR/sheet.png shows a photo with
    its layers in a row. As in a batch, the same command makes only what is missing.
    """
    from nstcli.cli.making import (
        find_pictures,
        header_of,
        into_folder,
        part_of,
        run_pairs,
        tell_renamed,
    )
    from nstcli.cli.screen import Screen
    from nstcli.cli.sheet import write_sheet
    from nstcli.errors import InputError
    from nstcli.experiments.kept import Once
    from nstcli.plan.beside import started
    from nstcli.plan.product import Naming, planned
    from nstcli.plan.template import DEFAULT
    from nstcli.report.varying import write_order
    from nstcli.results.folder import Store
    from nstcli.run.alone import layers_to_invert, of_inversion, refuse_input
    from nstcli.run.events import Event, PairDone, PairFound
    from nstcli.run.job import Networks, form_of
    from nstcli.text import plural

    refuse_input(context.params["init"])
    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    choices, form = recipe.choices(), form_of(output_options)
    networks = Networks(execution.offline, screen.downloading)
    backbone, _ = networks.find(choices)
    (sources,) = find_pictures([photos], input_options, output, screen, styles=False)
    name = "{content}" if output_options.name == DEFAULT else output_options.name
    if "{layer}" not in name:
        name += "__{layer}"
    pairs: list[tuple[Pair, Settings]] = []
    wanted = layers_to_invert(backbone, layers)
    for layer in wanted:
        values = {
            "model": recipe.model,
            "size": str(recipe.size),
            "preset": recipe.preset,
            "layer": layer,
        }
        naming = Naming(f".{form.format}", name, values)
        plan = planned(sources, None, naming, limit=input_options.limit)
        tell_renamed(plan.renamed, screen)
        settings = networks.settings(of_inversion(choices, layer), form)
        pairs += [(pair, settings) for pair in started(plan.pairs, choices)]
    pairs = part_of(pairs, execution, "picture", screen)
    store = Store(output)
    order = into_folder(
        pairs,
        store,
        input_options,
        output_options,
        execution,
        messages,
        header_of(
            plan.pairs, settings, plural(len(wanted), "layer"), count=plural(len(pairs), "picture")
        ),
        screen,
    )

    summarize, changed = order.finish, list[Event]()
    # Layers stand as the network has them, wherever they are shown.
    ordered = Once(
        store.layout,
        lambda: write_order(store.layout, {"content-layers": wanted}),
        lambda why: screen.complain(f"warning: the order of layers cannot be kept: {why}"),
    )

    def listen(event: Event) -> None:
        if isinstance(event, PairDone | PairFound):
            changed.append(event)

    def finish() -> object:
        try:
            if changed:
                write_sheet(store.folder, store.layout.sheet)
        except InputError as error:  # the pictures are there, and no less good
            screen.complain(f"warning: the sheet cannot be written: {error}")
        return summarize() if summarize else store.folder

    order = replace(
        order, dry_run=dry_run, listeners=[ordered, *order.listeners, listen], finish=finish
    )
    raise typer.Exit(run_pairs(order, screen))
