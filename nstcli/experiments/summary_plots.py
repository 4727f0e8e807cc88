"""Plots of a summary, for who would rather look than read. The only place that knows matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from warnings import catch_warnings, filterwarnings

from backbones.atomic import make_folder, write_atomic
from backbones.paths import is_file, is_folder
from nstcli.errors import InputError
from nstcli.experiments.figures import BASELINES
from nstcli.experiments.summary import OWN, Setting, Summary, baselines
from nstcli.measures import MEASURES
from nstcli.plan.names import safe
from nstcli.report.foreign_files import refuse_foreign
from nstcli.report.recipes import words
from nstcli.report.varying import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Plot
    from matplotlib.figure import Figure

# What is drawn over a swept value, besides what judges measured and stays in a table longest.
_COST = "seconds"
_OWN = (f"{OWN}content_error", f"{OWN}style_error")
# By format, what every plot says of itself, so that none is ever written over another picture.
_SOFTWARE = "nst summarize"
_METADATA = {"svg": {"Creator": _SOFTWARE, "Date": None}, "png": {"Software": _SOFTWARE}}
_DPI = 150
# Lines of one plot that eyes can tell apart.
_LINES = 10
# The greatest of even ratios from which on a scale is logarithmic.
_WIDE = 8


def can_plot() -> bool:
    """Tell whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def refuse_no_matplotlib() -> None:
    """Refuse to go on without matplotlib.

    Raises:
        InputError: it is not installed.
    """
    if not can_plot():
        raise InputError(
            "plots need matplotlib, which is not installed: pip install 'nstcli[plots]'"
        )


def write_plots(summary: Summary, folder: Path) -> list[Path]:
    """Write all plots that the summary has figures for, as SVG and PNG, and return their paths.

    Each key that varies has one: figures over its values, a line for each combination of the
    others, with their spread over the pictures. Where a judge saw the pictures, another one has
    their content error against their style error, between the two pictures that cost nothing.

    Plots of an earlier summary that are no more are taken away.

    Raises:
        InputError: another program's file has such a name.
        OSError: one cannot be written.
    """
    from matplotlib import rc_context

    written = []
    # Names are no formulas, and the same figures give the same bytes.
    with rc_context({"text.parse_math": False, "svg.hashsalt": "nst"}), catch_warnings():
        filterwarnings("ignore", "Glyph")  # a name in letters that the font has not
        for name, figure in _figures(summary):
            make_folder(folder)
            for kind in _METADATA:
                path = folder / f"{name}.{kind}"
                stream = io.BytesIO()
                refuse_foreign(path, "plot", _is_ours, "choose another -o")
                figure.savefig(stream, format=kind, dpi=_DPI, metadata=_METADATA[kind])
                write_atomic(path, stream.getvalue())
                written.append(path)
    for old in folder.iterdir() if is_folder(folder) else ():
        if is_file(old) and old not in written and _is_ours(old.read_bytes()):
            old.unlink()
    return written


def _is_ours(data: bytes) -> bool:
    return _SOFTWARE.encode() in data[:4096]


def _figures(summary: Summary) -> Iterator[tuple[str, Figure]]:
    for at, key in enumerate(summary.keys):
        if len(summary.values[at]) > 1:
            yield safe(f"over-{key}"), _over(summary, at)
    judged = [setting for setting in summary.settings if setting.judge]
    for judge in sorted({setting.judge for setting in judged}):
        name = "trade-off" + (f"-{judge}" if len({s.judge for s in judged}) > 1 else "")
        yield name, _trade_off(summary, [s for s in judged if s.judge == judge], judge)


def _new(columns: int, rows: int, width: float, height: float) -> tuple[Figure, Sequence[Plot]]:
    """Return a figure without a window, and its plots of so many inches each."""
    from matplotlib.figure import Figure as Made

    figure = Made(figsize=(width * columns, height * rows), layout="constrained")
    plots = figure.subplots(rows, columns, squeeze=False)
    return figure, [plot for row in plots for plot in row]


def _over(summary: Summary, at: int) -> Figure:
    """Draw figures over the values of a key."""
    measured = [name for name in summary.figures if name in MEASURES and MEASURES[name].lasting]
    names = [*(measured or [name for name in _OWN if name in summary.figures]), _COST]
    columns = min(3, len(names))
    figure, plots = _new(columns, math.ceil(len(names) / columns), 4, 3.4)
    for plot, name in zip(plots, names, strict=False):
        for line, settings in _lines(summary, at):
            _draw_line(plot, summary.values[at], at, name, line, settings)
        _label_values(plot, summary.keys[at], summary.values[at])
        plot.set_title(_heading(name), fontsize="medium")
        plot.grid(alpha=0.3)
    for plot in plots[len(names) :]:
        plot.set_axis_off()
    if len(summary.keys) > 1:
        handles, labels = plots[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small")
    return figure


def _lines(summary: Summary, at: int) -> Iterator[tuple[str, Sequence[Setting]]]:
    """Yield the settings that differ in one key alone, with what they share in words."""
    found: dict[tuple[str, ...], list[Setting]] = {}
    for setting in summary.settings:
        others = tuple(label for n, label in enumerate(setting.labels) if n != at)
        found.setdefault(others, []).append(setting)
    keys = [key for n, key in enumerate(summary.keys) if n != at]
    for others, settings in list(found.items())[:_LINES]:
        yield ", ".join(f"{k} {v}" for k, v in zip(keys, others, strict=True)), settings


def _draw_line(
    plot: Plot,
    values: Sequence[str],
    at: int,
    name: str,
    line: str,
    settings: Sequence[Setting],
) -> None:
    known = [setting for setting in settings if name in setting.figures]
    places = _places(values)
    plot.errorbar(
        [places[setting.labels[at]] for setting in known],
        [setting.figures[name].value for setting in known],
        yerr=[setting.figures[name].spread for setting in known],
        marker="o",
        markersize=4,
        capsize=3,
        linestyle="-" if _numbers(values) else "none",
        label=line or None,
    )


def _numbers(values: Sequence[str]) -> list[float]:
    """Return the numbers that all values are; nothing where one is a text."""
    found = [value for value in map(number, values) if value is not None]
    return found if len(found) == len(values) else []


def _places(values: Sequence[str]) -> Mapping[str, float]:
    """Return where values stand on their axis: numbers at themselves, texts one after another."""
    numbers = _numbers(values)
    return dict(zip(values, numbers or map(float, range(len(values))), strict=True))


def _label_values(plot: Plot, key: str, values: Sequence[str]) -> None:
    numbers = _numbers(values)
    if numbers and min(numbers) > 0 and max(numbers) / min(numbers) >= _WIDE:
        plot.set_xscale("log")
    plot.set_xticks(list(_places(values).values()), values, minor=False)
    plot.minorticks_off()
    plot.set_xlabel(key)


def _trade_off(summary: Summary, settings: Sequence[Setting], judge: str) -> Figure:
    """Draw the content error against the style error: further to the lower left is better."""
    figure, (plot,) = _new(1, 1, 8, 6)
    content, style = "content_error", "style_error"
    at = next((n for n, values in enumerate(summary.values) if len(_numbers(values)) > 1), 0)
    shared = [setting for setting in settings if {content, style} <= set(setting.figures)]
    wanted = {setting.labels for setting in shared}
    for line, several in _lines(summary, at):
        known = [setting for setting in several if setting.labels in wanted]
        if not known:
            continue
        plot.errorbar(
            [setting.figures[content].value for setting in known],
            [setting.figures[style].value for setting in known],
            xerr=[setting.figures[content].spread for setting in known],
            yerr=[setting.figures[style].spread for setting in known],
            marker="o",
            markersize=4,
            elinewidth=0.6,
            label=line or None,
        )
        for setting in known if summary.keys else ():
            where = setting.figures[content].value, setting.figures[style].value
            plot.annotate(
                setting.labels[at], where, xytext=(4, 4), textcoords="offset points", fontsize=8
            )
    for seen_by, which, values in baselines(summary.pictures):
        if seen_by == judge and {content, style} <= set(values):
            plot.plot(values[content], values[style], "kx")
            plot.annotate(
                BASELINES.get(which, which),
                (values[content], values[style]),
                xytext=(5 if which == "content" else -5, 5),
                textcoords="offset points",
                ha="left" if which == "content" else "right",
            )
    _name_axes(plot, judge)
    if len(summary.keys) > 1:
        plot.legend(fontsize="small")
    return figure


def _name_axes(plot: Plot, judge: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    plot.set_xlabel("content error")
    plot.set_ylabel("style error")
    plot.margins(0.15)
    if plot.dataLim.y0 > 0:
        plot.set_yscale("log")
        plot.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        plot.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        plot.yaxis.set_minor_formatter(NullFormatter())
    plot.set_title(f"What it costs the content to take on the style, judged by {judge}", fontsize=9)
    plot.grid(alpha=0.3)


def _heading(name: str) -> str:
    if name.startswith(OWN):
        return f"{words(name.removeprefix(OWN))}, of the network that painted"
    return words(name)
