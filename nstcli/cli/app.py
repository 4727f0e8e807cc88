"""The program: its list of commands, and the one place where errors become exit codes."""

import os
import signal
import sys
import traceback
import warnings
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from nstcli.cli import (
    animate,
    batch,
    compare,
    config,
    demo,
    faces,
    gallery,
    info,
    init,
    invert,
    layers,
    networks,
    preset,
    recipe,
    run,
    samples,
    schema,
    sheet,
    status,
    stylize,
    summarize,
    texture,
    train,
    weights,
)
from nstcli.cli.groups import Command
from nstcli.version import VERSION

EXIT_CODES = (
    "Exit codes: 0 all pairs are done · 1 at least one pair failed · 2 wrong usage or input, "
    "nothing was computed · 3 stopped early by the environment or --fail-fast, the same command "
    "goes on from there · 70 a bug of ours · 130 Ctrl-C · 143 terminated"
)

app = typer.Typer(
    name="nst",
    no_args_is_help=True,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

for command in (
    batch.batch,
    stylize.stylize,
    texture.texture,
    invert.invert,
    run.run,
    compare.compare_backbones,
    compare.compare_methods,
    train.train,
):
    app.command(epilog=EXIT_CODES, cls=Command)(command)
for command in (
    init.init,
    status.status,
    recipe.recipe,
    layers.layers,
    faces.faces,
    gallery.gallery,
    sheet.sheet,
    animate.animate,
    summarize.summarize,
    samples.samples,
    demo.demo,
    info.info,
    schema.schema,
):
    app.command()(command)
for name, group in (
    ("weights", weights),
    ("networks", networks),
    ("preset", preset),
    ("config", config),
):
    app.add_typer(group.app, name=name)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nst {VERSION}")
        raise typer.Exit


@app.callback()
def nst(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit"
        ),
    ] = False,
) -> None:
    """Neural style transfer for folders: every photo in the manner of every artwork."""


def main() -> None:
    """Run the program, and end the process with an exit code that `--help` explains."""
    from backbones import BackboneError
    from nstcli.errors import NstError, StoppedError, no_memory, out_of_memory

    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # file names may hold what it cannot encode
            stream.reconfigure(errors="backslashreplace")
    if "OMP_WAIT_POLICY" not in os.environ:
        # How long threads turn on the spot at the end of each operation, before they sleep. At
        # GNU's 300 000 turns, two other busy programs made squeezenet 36 times slower, not 2. At
        # 1000, every backbone is within a third of its best choice of threads and turns, alone and
        # beside busy programs (the benchmark's section `contention`). Fewer threads would help no
        # more, and change the last digits of sums.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _show_warning
    try:
        app(prog_name="nst")
    except StoppedError as error:
        _fail(3, str(error))
    except (NstError, BackboneError) as error:
        _fail(2, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, its traceback is shown
        if out_of_memory(error):
            _fail(3, str(no_memory("go on")))
        traceback.print_exc()
        _fail(70, f"this is a bug in nst {VERSION}; please report it with the lines above")


def _replace_closed_streams() -> None:
    """Lead streams that came closed (`2>&-`) to nowhere.

    It also takes their numbers, under which the next file that is opened would get what others
    print, and leaves them to worker processes.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for good
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _fail(code: int, message: str) -> NoReturn:
    from nstcli.cli.screen import escape_controls

    typer.echo(f"nst: {escape_controls(message)}", err=True)
    sys.exit(code)


def _terminate(number: int, frame: object) -> NoReturn:
    """End as cleanly as on Ctrl-C: by an exception, which lets every clean-up run."""
    sys.exit(128 + number)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """Show warnings for users as one line; those for developers keep their place."""
    if issubclass(category, UserWarning) and category.__module__.startswith("backbones"):
        typer.echo(f"warning: {message}", err=True)
    else:
        typer.echo(warnings.formatwarning(message, category, filename, lineno, line), err=True)
