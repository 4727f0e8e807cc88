"""`nst batch`: every content with every style."""

from pathlib import Path
from typing import Annotated

import typer

from nstcli.cli.options import RecipeOptions, RunOptions, takes_groups


@takes_groups
def batch(
    content: Annotated[
        str, typer.Argument(metavar="CONTENT", help="Photos: a folder, a file or a quoted glob")
    ],
    style: Annotated[
        str, typer.Argument(metavar="STYLE", help="Artworks: a folder, a file or a quoted glob")
    ],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the results")
    ] = Path("stylized"),
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Make at most so many of the pairs")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="List every pair and how it stands; make none")
    ] = False,
    recipe: RecipeOptions,
    running: RunOptions,
) -> None:
    """Paint every photo in the manner of every artwork.

    A finished pair is recorded, and the same command makes only what is missing.
    """
    from nstcli.batch import inputs, plan
    from nstcli.batch.store import Store
    from nstcli.cli.work import run_pairs
    from nstcli.errors import InputError

    for folder in (content, style):
        if output.resolve() == Path(folder).expanduser().resolve():
            raise InputError(
                f"'{output}' holds the inputs: the next run would take the results for photos; "
                "choose another -o"
            )
    file_format = running.format or "png"
    pairs = plan.pairs(inputs.find(content), inputs.find(style), f".{file_format}", limit)
    run_pairs(pairs, Store(output), recipe, running, file_format, dry_run)
