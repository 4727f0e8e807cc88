"""`nst animate`: animations of the stages that are there."""

from pathlib import Path
from typing import Annotated

import typer

from nstcli.cli.groups import only, takes_groups
from nstcli.config.options import OutputOptions


@takes_groups
def animate(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of results, or of the stages of one"),
    ],
    *,
    output_options: Annotated[
        OutputOptions, only("animation", "boomerang", "animation_size", "animation_seconds")
    ],
) -> None:
    """Show how pictures came about that have stages (--save-every): a gif, mp4 or webp each."""
    from nstcli.errors import InputError
    from nstcli.report.animate import animate as write
    from nstcli.run.job import stages_of

    try:
        for path in write(folder, stages_of(output_options)):
            typer.echo(path)
    except OSError as error:
        raise InputError(f"cannot write to '{folder}': {error.strerror or error}") from error
