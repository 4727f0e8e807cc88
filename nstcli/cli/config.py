"""`nst config`: which settings hold, and why."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nstcli.config.precedence import Settled

app = typer.Typer(no_args_is_help=True, help="See which settings hold here, and why.")


@app.callback()
def config() -> None:
    """See which settings hold here, and why."""


@app.command()
def show(
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", metavar="FILE", help="With those of a file, or of a result"),
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="With those of a preset")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Print every setting as it holds in this folder, with where it comes from.

    That is a config file, too: what it prints can be kept for -c.
    """
    from nstcli.config.options import SETTINGS
    from nstcli.config.precedence import settle

    flags = {"config": config and str(config), "preset": preset}
    given = {field: value for field, value in flags.items() if value is not None}
    settled = settle(SETTINGS, given, os.environ, Path.cwd())
    for remark in settled.remarks:
        typer.echo(f"warning: {remark}", err=True)
    if as_json:
        typer.echo(json.dumps(_as_json(settled), indent=2))
        return
    for line in _lines(settled):
        typer.echo(line)


def _as_json(settled: "Settled") -> dict[str, Any]:
    from nstcli.config.options import SETTINGS

    return {
        "files": [str(path.absolute()) for path in settled.files],
        "settings": {
            setting.key: {"value": _plain(given.value), "source": given.source}
            for setting in SETTINGS
            if (given := settled.values[setting.field])
        },
    }


def _lines(settled: "Settled") -> Iterator[str]:
    """Write a line for each setting; those without a value, and -c itself, are remarks."""
    from nstcli.cli.screen import escape_controls
    from nstcli.config.options import SETTINGS
    from nstcli.config.toml import line

    for path in settled.files:
        yield escape_controls(f"# settings are read from {path.absolute()}")
    for setting in SETTINGS:
        given = settled.values[setting.field]
        value = _plain(given.value)
        if value is None or not setting.option.in_files:
            said = f"# {setting.key}" + (" is not set" if value is None else f" {value}")
        else:
            said = line(setting.key, value)
        yield escape_controls(f"{said}  # {given.source}")


def _plain(value: object) -> object:
    """Return a value as files have it."""
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
