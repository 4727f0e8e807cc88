"""`nst sheet`: all results in one picture."""

from pathlib import Path
from typing import Annotated

import typer

# In the metadata of every sheet, so that none is ever written over another picture.
_SOFTWARE = "nst sheet"


def sheet(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the results")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The picture  [default: DIR/sheet.png]"
        ),
    ] = None,
    cell: Annotated[
        int | None,
        typer.Option(
            min=32, max=2048, metavar="PX", help="Width of a column  [default: up to 320]"
        ),
    ] = None,
) -> None:
    """Write one picture of all results between their photos and artworks, for print or a README."""
    from nstcli.plan.layout import Layout

    path = output or Layout(folder).sheet
    write_sheet(folder, path, cell)
    typer.echo(path)


def write_sheet(folder: Path, path: Path, cell: int | None = None) -> None:
    """Write the sheet of an output folder.

    Raises:
        InputError: there is nothing to show, another picture in its place, or it cannot be written.
    """
    from backbones.atomic import write_atomic
    from nstcli.errors import InputError
    from nstcli.images import encode, format_of
    from nstcli.report.foreign_files import refuse_foreign
    from nstcli.report.sheet import draw_sheet

    file_format = format_of(path)
    try:
        refuse_foreign(path, "sheet", _is_sheet, "choose another -o")
        pixels = draw_sheet(folder, cell)
        data = encode(pixels, format=file_format, metadata={"Software": _SOFTWARE})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise InputError(f"cannot write to '{path}': {error.strerror or error}") from error


def _is_sheet(data: bytes) -> bool:
    from nstcli.images import read_metadata

    return read_metadata(data).get("Software") == _SOFTWARE
