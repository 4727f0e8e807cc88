"""`nst compare-backbones`: the same pairs by several networks, side by side with figures."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nstcli.cli.groups import only, takes_groups
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nstcli.cli.compare_files import Exports
    from nstcli.cli.screen import Screen
    from nstcli.experiment.experiment import Contest
    from nstcli.experiment.variant import Contender

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
    ] = Path("comparison"),
    written: Annotated[
        OutputOptions, only("format", "quality", "overwrite", "force", "metadata", "gallery")
    ],
    recipe: Annotated[RecipeOptions, only(*_RECIPE)],
    execution: Annotated[ExecutionOptions, only("device", "precision", "timeout", "offline")],
    messages: MessageOptions,
) -> None:
    """Paint the same pairs with several backbones, and hold the pictures against each other.

    One after the other has the machine to itself. A network that did not paint them judges the
    pictures. The same command goes on where it was left.
    """
    from nstcli.cli.compare_files import Exports
    from nstcli.cli.comparing import Comparison
    from nstcli.cli.screen import Screen

    screen = Screen(messages.quiet, messages.verbose, messages.progress, messages.color)
    exports = Exports(export_json, export_csv, export_markdown)
    contest = _planned((content, style), models, taken, output, recipe, written, execution, screen)
    _refuse_to_replace(contest, exports)
    comparison = Comparison(
        contest, taken, written, execution, messages, screen, time_budget, exports
    )
    raise typer.Exit(comparison.run())


def _planned(
    arguments: tuple[str, str],
    models: str,
    taken: InputOptions,
    output: Path,
    recipe: RecipeOptions,
    written: OutputOptions,
    execution: ExecutionOptions,
    screen: "Screen",
) -> "Contest":
    """Find pictures and backbones, and tell what was left out."""
    from nstcli.cli.making import find_pictures, tell_renamed
    from nstcli.experiment.experiment import Contest, enter, settle_all
    from nstcli.experiment.variant import choose
    from nstcli.results.folder import Store
    from nstcli.results.records import Form

    contenders, broken = choose(models)
    for error in broken:
        screen.complain(f"warning: {error}")
    _refuse(contenders, recipe.preset, execution.device)
    contents, styles = find_pictures(arguments, taken, output, screen)
    form = Form(written.format or "png", written.quality, written.metadata)
    entries, renamed = enter(
        contenders, contents.sources, styles.sources, f".{form.format}", taken.limit, taken.pairs
    )
    tell_renamed(renamed, screen)
    choices = recipe.choices()
    settled = settle_all(
        entries, choices, form, offline=execution.offline, progress=screen.downloading
    )
    return Contest(Store(output), settled)


def _refuse(contenders: "Sequence[Contender]", preset: str, device: str) -> None:
    """Refuse what cannot be compared.

    Raises:
        InputError: a preset of another network's layers, or several devices.
    """
    from nstcli.config.presets import PRESETS
    from nstcli.errors import InputError

    values = PRESETS[preset]
    others = [each for each in contenders if each.backbone.name != values.get("model")]
    if others and {"content_layers", "style_layers"} & set(values):
        raise InputError(
            f"the preset '{preset}' names layers of {values['model']}, which "
            f"{others[0].backbone.name} does not have; compare with another --preset"
        )
    if "," in device:
        raise InputError("a comparison runs on one --device, or its seconds would say nothing")


def _refuse_to_replace(contest: "Contest", exports: "Exports") -> None:
    """Keep results and exports from taking the place of photos and artworks.

    Raises:
        InputError: one would, or cannot be written at all.
    """
    from nstcli.run.check import refuse_inputs_as_outputs

    pairs = [pair for entry in contest.entries for pair in entry.pairs]
    refuse_inputs_as_outputs(pairs, contest.store)
    inputs = [path for pair in pairs for path in (pair.content, pair.style)]
    exports.refuse(inputs, contest.store.folder)
