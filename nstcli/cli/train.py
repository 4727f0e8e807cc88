"""`nst train`: train a network for a style, which then paints any photo at once."""

from pathlib import Path
from typing import Annotated

import typer

from nstcli.cli.groups import only, takes_groups
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.training.recipe import OF_THE_LOSS, TrainingOptions


@takes_groups
def train(
    style: Annotated[
        list[str],
        typer.Argument(
            metavar="STYLE…", help="An artwork, or several for one style: a.jpg=0.7 b.jpg=0.3"
        ),
    ],
    *,
    photos: Annotated[
        list[str],
        typer.Option(
            metavar="FOLDER",
            help="Photos to learn from, with all sub-folders; may be repeated",
            rich_help_panel=InputOptions.panel,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The network [{style}.safetensors]",
            rich_help_panel=OutputOptions.panel,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "-f",
            "--force",
            help="Begin anew, whatever was trained before",
            rich_help_panel=OutputOptions.panel,
        ),
    ] = False,
    training: TrainingOptions,
    recipe: Annotated[
        RecipeOptions,
        only(
            *OF_THE_LOSS,
            style_weight="Weight of the style term (15 for --loss relative)",
            seed="Seed of all that is left to chance (0)",
        ),
    ],
    input_options: Annotated[InputOptions, only("max_pixels")],
    execution: Annotated[ExecutionOptions, only("device", "precision", "offline")],
    messages: Annotated[MessageOptions, only("quiet", "verbose", "progress", "color")],
) -> None:
    """Train a network that paints any photo in the manner of a style, at once.

    The same command goes on where it was stopped or killed. Beside the network, a picture shows
    how it learns. Minutes on a processor are for trying; a network worth keeping takes thousands
    of photos and a GPU for an hour, or a processor overnight.
    """
    from nstcli.cli.interruption import Interruption
    from nstcli.cli.screen import Screen
    from nstcli.cli.training_progress import Watch, looking
    from nstcli.errors import DivergedError, InputError
    from nstcli.plan import blends, inputs
    from nstcli.training.train import Order, Standing, check, run

    found = [(inputs.find(name), weight) for name, weight in map(blends.weighted, style)]
    if any(len(each) > 1 for each, _ in found):
        raise InputError(
            "train takes one artwork, or several that are named one by one and make one style"
        )
    artworks = blends.named([(each.sources[0].path, weight) for each, weight in found])
    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    order = Order(
        artworks,
        tuple(photos),
        output or Path(f"{artworks.path.stem}.safetensors"),
        training,
        recipe.choices(),
        execution.device,
        execution.precision,
        execution.offline,
        input_options.max_pixels,
        force,
    )
    with looking(screen) as on_looked:
        checked = check(order, on_looked=on_looked, downloading=screen.downloading)
    for note in checked.photos.notes:
        screen.remark(note)
    if checked.standing is Standing.UP_TO_DATE:
        screen.say(f"Done: up to date → {order.output}")
        return
    interruption, watch = Interruption(screen, keeps_best=False), Watch(screen, checked)
    try:
        with interruption, watch:
            finished = run(
                checked, watch, stop=lambda: interruption.asked, downloading=screen.downloading
            )
    except DivergedError as error:
        screen.complain(f"nst: {error}")
        raise typer.Exit(1) from error
    if not finished:
        screen.complain(f"Interrupted after {watch.reached}. Re-run the same command to go on.")
        raise typer.Exit(interruption.exit_code or 130)
    screen.say(f"Done: {watch.reached} → {order.output}, {checked.sheet}")
    raise typer.Exit(interruption.exit_code or 0)
