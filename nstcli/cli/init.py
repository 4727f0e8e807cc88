"""`nst init`: write an experiment file to start from."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="A .toml file that is not there yet")
    ] = Path("experiment.toml"),
) -> None:
    """Write a commented experiment file for the folders at hand, to be run by nst run."""
    from backbones.atomic import write_atomic
    from backbones.paths import exists
    from nstcli.cli.screen import Screen
    from nstcli.errors import InputError
    from nstcli.experiments.starter import starter
    from nstcli.text import shown

    if file.suffix.lower() != ".toml":
        raise InputError(f"'{shown(file)}' must end in .toml")
    if exists(file):
        raise InputError(f"'{shown(file)}' is there already; name another file")
    text, missing = starter(shown(file), Path())
    try:
        write_atomic(file, text.encode())
    except OSError as error:
        raise InputError(f"cannot write '{shown(file)}': {error.strerror or error}") from error
    screen = Screen()
    for role in missing:
        screen.say(f"no folder of {role} pictures was found: name it in the file")
    if missing:
        screen.say("for pictures to try it with: nst samples DIR")
    screen.say(f"{shown(file)} is written; look at it, then: nst run {shown(file)} --dry-run")
