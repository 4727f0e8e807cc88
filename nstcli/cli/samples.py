"""`nst samples`: write example photos and artworks."""

from pathlib import Path
from typing import Annotated

import typer


def samples(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them")],
) -> None:
    """Write example photos and artworks to DIR/content and DIR/style."""
    from nstcli.cli.screen import Screen
    from nstcli.samples import CONTENT, STYLE

    screen = Screen()
    count = write({"content": list(CONTENT), "style": list(STYLE)}, folder)
    screen.say(f"{count} pictures are in {folder}; try:")
    screen.say(f"  nst batch {folder / 'content'} {folder / 'style'} -o {folder / 'stylized'}")


def write(chosen: dict[str, list[str]], folder: Path) -> int:
    """Write the samples named, by role, and return how many; one that is there stays as it is.

    Raises:
        InputError: the folder cannot be written to.
    """
    from backbones.atomic import write_atomic
    from nstcli.errors import InputError
    from nstcli.images import encode
    from nstcli.samples import CONTENT, STYLE

    count = 0
    for role, drawings in (("content", CONTENT), ("style", STYLE)):
        try:
            (folder / role).mkdir(parents=True, exist_ok=True)
            for name in chosen[role]:
                count += 1
                path = folder / role / f"{name}.png"
                if not path.exists():
                    write_atomic(path, encode(drawings[name]()))
        except OSError as error:
            raise InputError(f"cannot write to '{folder / role}': {error.strerror}") from error
    return count
