"""`nst recipe`: the settings of a result."""

from pathlib import Path
from typing import Annotated

import typer


def recipe(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT", help="A picture that nst has made, with metadata")
    ],
) -> None:
    """Print the settings that a result was made with, as TOML for -c and for experiments.

    What had no effect on it is left out; of what is not known any more, a warning tells.
    """
    from nstcli.config import results, toml

    settings, remarks = results.read(result)
    for remark in remarks:
        typer.echo(f"warning: {remark}", err=True)
    typer.echo(toml.dump(settings), nl=False)
