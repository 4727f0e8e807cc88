"""`nst gallery`: write the page that shows all results in the browser."""

from pathlib import Path
from typing import Annotated

import typer


def gallery(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the results")],
    *,
    open: Annotated[bool, typer.Option("--open", help="Show it in the browser")] = False,
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Put the pictures into the page itself")
    ] = False,
) -> None:
    """Write DIR/index.html: every result beside its photo and artwork, to filter and compare."""
    import webbrowser

    from nstcli.errors import InputError
    from nstcli.report.gallery import write_gallery

    try:
        path = write_gallery(folder, self_contained=self_contained)
    except OSError as error:
        raise InputError(f"cannot write to '{folder}': {error.strerror or error}") from error
    typer.echo(path)
    if open and not webbrowser.open(path.resolve().as_uri()):
        raise InputError(f"no browser was found; open '{path}' yourself")
