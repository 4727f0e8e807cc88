"""`nst demo`: the whole thing at once, on pictures of our own."""

from pathlib import Path
from typing import Annotated

import typer

# Light enough for two cores in well under two minutes, the download of 5 MB included.
_CONTENT = ["chelsea", "rocket"]
_STYLE = ["ink_waves", "woven_strokes"]


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write pictures and results")
    ] = Path("nst-demo"),
) -> None:
    """Paint two sample photos in the manner of two sample artworks. Takes a minute or so."""
    from nstcli.cli.making import Order, header_of, run_pairs
    from nstcli.cli.samples import write
    from nstcli.cli.screen import Screen
    from nstcli.config.options import ExecutionOptions, MessageOptions, OutputOptions
    from nstcli.config.presets import PRESETS
    from nstcli.plan import product
    from nstcli.recipe import DEFAULT
    from nstcli.results.folder import Store
    from nstcli.results.records import Form
    from nstcli.run.job import settings_for

    screen = Screen()
    screen.say(f"drawing sample pictures in {folder} …")
    write({"content": _CONTENT, "style": _STYLE}, folder)
    contents, styles = (
        [folder / role / f"{name}.png" for name in names]
        for role, names in (("content", _CONTENT), ("style", _STYLE))
    )
    settings = settings_for({**DEFAULT, **PRESETS["draft"]}, Form(), progress=screen.downloading)
    pairs = product.planned(contents, styles, product.Naming()).pairs
    order = Order(
        [(pair, settings) for pair in pairs],
        Store(folder / "stylized"),
        OutputOptions(),
        ExecutionOptions(),
        MessageOptions(),
        header_of(pairs, settings),
        advice=f"They stay as they are; for new ones, name another folder: nst demo {folder}-2",
    )
    code = run_pairs(order, screen)
    if code:
        raise typer.Exit(code)
    screen.say(f"Look at the pictures in {(folder / 'stylized').resolve()}")
    screen.say("Then your own: nst batch PHOTOS ARTWORKS")
