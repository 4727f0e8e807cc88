"""`nst run`: an experiment, which is a batch of several variants of the settings."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nstcli.cli.groups import DryRun, PreviewOption, only, takes_groups
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.errors import InputError

if TYPE_CHECKING:
    from nstcli.config.precedence import Document

_PANEL = "Experiment"


def _document(values: Mapping[str, Any]) -> "Document":
    """Read the fixed settings of the file that the command names."""
    from nstcli.experiments.file import read

    return read(values["file"], values["changes"]).document


@partial(takes_groups, document=_document)
def run(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML or YAML; nst init writes one to start from")
    ],
    *,
    changes: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change what the file says: size=256, sweep.style-weight=[10, 30]; repeatable",
            rich_help_panel=_PANEL,
            default_factory=list,
            show_default=False,
        ),
    ],
    cells: Annotated[
        str,
        typer.Option(
            metavar="B2,C4",
            help="Make these pictures alone; --dry-run tells the cell of each",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = "",
    where: Annotated[
        str,
        typer.Option(
            metavar="EXPRESSION",
            help="Make what this holds of: 'style-weight>=30 and model=vgg19'",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = "",
    preview: PreviewOption = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="PX", help="Longest edge in a preview (192)", rich_help_panel=_PANEL
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Optimizer steps in a preview (60)", rich_help_panel=_PANEL
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Folder of the results (the name of FILE without its suffix)",
            rich_help_panel=OutputOptions.panel,
        ),
    ] = None,
    dry_run: DryRun = False,
    input_options: Annotated[InputOptions, only(others=True)],
    output_options: Annotated[OutputOptions, only("overwrite", "force", "gallery", others=True)],
    recipe: Annotated[RecipeOptions, only("method", others=True)],
    execution: ExecutionOptions,
    messages: MessageOptions,
) -> None:
    """Paint the pictures of an experiment: contents × styles × settings, as one batch.

    Each variant of the settings has a folder, called by what varies. The same command makes only
    what is missing, also when the file has grown by a value.
    """
    from nstcli.cli.experimenting import Request, run_experiment
    from nstcli.experiments.file import read
    from nstcli.experiments.preview import preview as of_kind

    small = {"size": size, "steps": steps}
    limits = {name: most for name, most in small.items() if most is not None}
    for name, most in () if preview else limits.items():
        raise InputError(f"--{name} is that of a --preview; for all pictures: --set {name}={most}")
    experiment = read(file, changes)
    if context.params["method"] and any(axis.key == "method" for axis in experiment.sweep.axes):
        raise InputError("--method is for all pictures, and [sweep] has several; leave it out")
    request = Request(
        experiment,
        output or Path(file.stem),
        input_options,
        output_options,
        recipe,
        execution,
        messages,
        cells,
        where,
        preview
        and of_kind(
            preview,
            recipe.choices(),
            [axis.key for axis in experiment.sweep.axes],
            experiment.contents is not None and experiment.styles is not None,
            limits,
        ),
    )
    raise typer.Exit(run_experiment(request, dry_run=dry_run))
