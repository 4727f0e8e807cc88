"""`nst summarize`: all pictures of an output folder in one, with figures by setting."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nstcli.cli.groups import only, takes_groups
from nstcli.config.options import ExecutionOptions, InputOptions, MessageOptions

if TYPE_CHECKING:
    from nstcli.cli.screen import Screen
    from nstcli.experiments.summary import Summary
    from nstcli.metrics.judge import Judge


@takes_groups
def summarize(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the results")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="The summary  [default: DIR/summary]"),
    ] = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Let another network judge what was not judged yet")
    ] = False,
    plots: Annotated[
        bool | None,
        typer.Option(
            help="Draw the figures (on where matplotlib is: nstcli\\[plots])", show_default=False
        ),
    ] = None,
    input_options: Annotated[InputOptions, only("max_pixels")],
    execution: Annotated[ExecutionOptions, only("device", "offline")],
    messages: Annotated[MessageOptions, only("quiet", "color")],
) -> None:
    """Gather every picture of all settings in one folder, with tables, a contact sheet and plots.

    A setting is what tells results apart: the values of an experiment, or whatever options differ
    between the runs that filled the folder.
    """
    from nstcli.cli.screen import Screen
    from nstcli.errors import InputError
    from nstcli.experiments.summary import summarized
    from nstcli.experiments.summary_files import SummaryFiles
    from nstcli.experiments.summary_plots import can_plot, refuse_no_matplotlib, write_plots
    from nstcli.experiments.summary_sheet import write_sheets
    from nstcli.plan.layout import Layout
    from nstcli.text import plural

    if plots:
        refuse_no_matplotlib()
    screen = Screen(messages.quiet, color=messages.color)
    place = output or Layout(folder).summary
    summary, code = summarized(folder), 0
    try:
        files = SummaryFiles(summary, place)
        if judge:
            try:
                code = _judge(summary, input_options, execution, screen)
            except KeyboardInterrupt:
                screen.complain("Interrupted. Re-run the same command for the rest.")
                raise typer.Exit(130) from None
            summary = summarized(folder)
            files = SummaryFiles(summary, place)
        found = files.write()
        found += write_sheets(summary, place)
        if plots or (plots is None and can_plot()):
            drawn = write_plots(summary, place / "plots")
            found += [place / "plots"] if drawn else []
        elif plots is None:
            screen.say("note: no plots, since matplotlib is missing: pip install 'nstcli[plots]'")
    except OSError as error:
        raise InputError(f"cannot write to '{place}': {error.strerror or error}") from error
    if summary.left_out:
        count = plural(len(summary.left_out), "picture")
        screen.say(f"note: {count} left out, since changed or gone; see: nst status {folder}")
    screen.say(
        f"{plural(len(summary.pictures), 'picture')} under "
        f"{plural(len(summary.settings), 'setting')}"
    )
    for path in found:
        typer.echo(path)
    raise typer.Exit(code)


def _judge(
    summary: "Summary", taken: InputOptions, execution: ExecutionOptions, screen: "Screen"
) -> int:
    """Judge what was not, and return the exit code that this earns.

    Raises:
        InputError: there is no such device.
        BackboneError: a backbone that painted is not installed.
    """
    from nstcli.experiments.summary import to_judge
    from nstcli.text import plural

    experiment = to_judge(summary)
    count = sum(map(len, experiment.unjudged().values()))
    if not count:
        return 0
    from nstcli.experiments.judging import judge_all, load_judge

    screen.say(f"judging {plural(count, 'picture')}")

    def load(name: str, witness: str) -> "Judge":
        return load_judge(
            name,
            witness,
            execution.device,
            offline=execution.offline,
            progress=screen.downloading,
        )

    for pair in judge_all(experiment, load, taken.max_pixels):
        problem = experiment.failures.get(pair.output)
        if problem:
            screen.complain(f"{pair.output}: {problem}")
    return 1 if experiment.failures else 0
