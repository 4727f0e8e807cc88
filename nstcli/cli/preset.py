"""`nst preset`: named settings of one's own."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Keep settings under names of your own, for --preset.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, - and _")]


@app.command()
def save(
    name: Name,
    result: Annotated[
        Path | None, typer.Argument(metavar="[RESULT]", help="A picture that nst has made")
    ] = None,
    *,
    config: Annotated[
        Path | None, typer.Option("-c", "--config", metavar="FILE", help="A TOML or YAML file")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace one that is called so already")
    ] = False,
) -> None:
    """Keep the settings of a result, or the recipe of a config file, as a preset."""
    from backbones.atomic import make_folder, write_atomic
    from backbones.paths import exists
    from nstcli.config import toml
    from nstcli.config.option import settings_of
    from nstcli.config.options import SETTINGS
    from nstcli.config.precedence import read, recipe_of
    from nstcli.errors import InputError
    from nstcli.recipe import Choices
    from nstcli.text import shown

    if (result is None) == (config is None):
        raise typer.BadParameter("name a result, or a file with -c")
    path = _own(name)
    if exists(path) and not overwrite:
        raise InputError(f"there is a preset '{name}' already; --overwrite replaces it")
    document = read(result or config or Path())
    for remark in document.remarks:
        typer.echo(f"warning: {remark}", err=True)
    values, others = recipe_of(document, SETTINGS, settings_of(Choices))
    if others:
        typer.echo(f"note: left out, as they are not of the recipe: {', '.join(others)}", err=True)
    if not values:
        raise InputError(f"'{shown(document.path)}' sets no option of the recipe")
    try:
        make_folder(path.parent)
        write_atomic(path, toml.dump(values).encode())
    except OSError as error:
        raise InputError(f"cannot write '{shown(path)}': {error.strerror or error}") from error
    typer.echo(f"--preset {name} is what '{shown(path)}' says", err=True)


@app.command(name="list")
def list_presets() -> None:
    """List the presets that there are, with what each sets."""
    from nstcli.cli.screen import escape_controls
    from nstcli.config import presets
    from nstcli.config.option import settings_of
    from nstcli.errors import InputError
    from nstcli.recipe import Choices

    key_of = {setting.field: setting.key for setting in settings_of(Choices)}
    for name in (*presets.PRESETS, *presets.own()):
        title = name if name in presets.PRESETS else f"{name} (your own)"
        try:
            table = presets.table(name)
        except InputError as error:
            typer.echo(f"warning: {error}", err=True)
            continue
        said = " · ".join(f"{key_of.get(field, field)} {value}" for field, value in table.items())
        typer.echo(escape_controls(f"{title}: {said or 'every option as it is by itself'}"))


@app.command()
def remove(name: Name) -> None:
    """Remove a preset of your own."""
    from backbones.hints import closest
    from nstcli.config import presets
    from nstcli.errors import InputError
    from nstcli.text import shown

    path = _own(name)
    try:
        path.unlink()
    except FileNotFoundError:
        hint = closest(name, presets.own())
        raise InputError(f"you have no preset '{name}'{hint}; see: nst preset list") from None
    except OSError as error:
        raise InputError(f"cannot remove '{shown(path)}': {error.strerror or error}") from error
    typer.echo(f"'{shown(path)}' is removed", err=True)


def _own(name: str) -> Path:
    """Return where a preset of the user's own is, or would be.

    Raises:
        InputError: it cannot be called so, or is one of the program's.
    """
    from nstcli.config import presets
    from nstcli.errors import InputError
    from nstcli.text import shown

    if name in presets.PRESETS:
        raise InputError(f"the preset '{name}' is one of nst itself, and stays as it is")
    try:
        return presets.path_of(name)
    except ValueError as error:
        raise InputError(f"a preset cannot be called '{shown(name)}': {error}") from error
