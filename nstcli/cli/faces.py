"""`nst faces`: the faces that are found in photos, which `--keep-faces` keeps."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nstcli.cli.groups import only, takes_groups
from nstcli.config.options import ExecutionOptions, InputOptions

if TYPE_CHECKING:
    from nstcli.faces import Face
    from nstcli.images import Picture

# In the metadata of every copy, so that none is ever written over another picture.
_SOFTWARE = "nst faces"


@takes_groups
def faces(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO", help="Photos: files, folders, quoted globs")
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Draw the boxes on a copy of the one photo"
        ),
    ] = None,
    inputs: Annotated[InputOptions, only("max_pixels")],
    execution: Annotated[ExecutionOptions, only("offline")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Show which faces are found in photos: those that --keep-faces keeps.

    It finds them by MTCNN, whose weights are downloaded once (2 MB).
    """
    from nstcli.cli.screen import Screen
    from nstcli.errors import InputError
    from nstcli.plan.inputs import find
    from nstcli.run.faces import FaceFinder
    from nstcli.run.job import DETECTOR, fetch
    from nstcli.text import stored

    sources = [source.path for photo in photos for source in find(str(photo))]
    if output and len(sources) > 1:
        raise InputError(f"-o is a copy of one photo; '{output}' cannot be that of {len(sources)}")
    screen = Screen()
    fetch(DETECTOR, execution.offline, screen.downloading)
    finder = FaceFinder(offline=execution.offline)
    found: dict[Path, tuple[Face, ...]] = {}
    for path in sources:
        try:
            picture = _read(path, inputs.max_pixels)
        except InputError as error:
            screen.complain(f"✗ {error}")
            continue
        found[path] = finder.find(picture)
        if output:
            _write(output, picture, found[path])
    if as_json:
        rows = [
            {"photo": stored(path), "faces": [*map(_told, each)]} for path, each in found.items()
        ]
        typer.echo(json.dumps({"photos": rows}, indent=2))
    elif found:
        _print(found)
    if len(found) < len(sources):
        raise typer.Exit(1)


def _read(path: Path, max_pixels: int) -> "Picture":
    """Decode a photo.

    Raises:
        InputError: it cannot be read, or is none.
    """
    from nstcli.errors import InputError
    from nstcli.images import decode
    from nstcli.plan.walk import trouble
    from nstcli.text import shown

    problem = trouble(path)
    if problem:  # opening a pipe would wait for a writer
        raise InputError(f"{shown(path)}: {problem}")
    try:
        return decode(path.read_bytes(), shown(path), max_pixels)
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error


def _told(face: "Face") -> dict[str, Any]:
    left, top, right, bottom = (round(edge, 1) for edge in face.box)
    return {
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
        "probability": round(face.probability, 4),
        "points": [[round(x, 1), round(y, 1)] for x, y in face.points],
    }


def _print(found: "Mapping[Path, Sequence[Face]]") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from nstcli.cli.screen import console
    from nstcli.text import plural, shown

    total = sum(map(len, found.values()))
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"{plural(total, 'face')} in {plural(len(found), 'photo')}",
        caption="boxes in pixels of the photo, from brow to chin; --keep-faces keeps these",
    )
    for heading in ("photo", "face", "left", "top", "width", "height", "sure"):
        table.add_column(heading, justify="left" if heading == "photo" else "right")
    for path, each in found.items():
        name = Text(shown(path))
        if not each:
            table.add_row(name, *["–"] * 6, style="dim")
        for number, face in enumerate(each, 1):
            left, top, right, bottom = face.box
            edges = (f"{edge:.0f}" for edge in (left, top, right - left, bottom - top))
            table.add_row(name, str(number), *edges, f"{face.probability:.1%}")
    console(stderr=False).print(table)


def _write(path: Path, picture: "Picture", found: "Sequence[Face]") -> None:
    """Write a copy of a photo with boxes around its faces.

    Raises:
        InputError: it cannot be written, or something else would be replaced.
    """
    from backbones.atomic import write_atomic
    from nstcli.errors import InputError
    from nstcli.images import encode, format_of, marked
    from nstcli.report.foreign_files import refuse_foreign

    pixels = marked(picture.rgb, [face.box for face in found])
    metadata = {"Software": _SOFTWARE}
    try:
        refuse_foreign(path, "copy", _is_copy, "choose another -o")
        data = encode(pixels, picture.alpha, format_of(path), metadata=metadata)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise InputError(f"cannot write to '{path}': {error.strerror or error}") from error


def _is_copy(data: bytes) -> bool:
    from nstcli.images import read_metadata

    return read_metadata(data).get("Software") == _SOFTWARE
