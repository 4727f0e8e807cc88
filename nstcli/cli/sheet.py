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
    from backbones.files import write_atomic
    from nstcli.batch.foreign import refuse_foreign
    from nstcli.errors import InputError
    from nstcli.images import encode
    from nstcli.report.sheet import draw_sheet

    path = output or folder / "sheet.png"
    file_format = _format(path)
    try:
        refuse_foreign(path, "sheet", _is_sheet, "choose another -o")
        pixels = draw_sheet(folder, cell)
        data = encode(pixels, format=file_format, metadata={"Software": _SOFTWARE})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise InputError(f"cannot write to '{path}': {error.strerror or error}") from error
    typer.echo(path)


def _format(path: Path) -> str:
    """Tell the format by the suffix.

    Raises:
        InputError: it is none that can be written.
    """
    from nstcli.errors import InputError
    from nstcli.images import FORMATS

    for name, suffixes in FORMATS.items():
        if path.suffix.lower() in suffixes:
            return name
    raise InputError(f"cannot tell the format of '{path}'; end it with .{', .'.join(FORMATS)}")


def _is_sheet(data: bytes) -> bool:
    from nstcli.images import read_metadata

    return read_metadata(data).get("Software") == _SOFTWARE
