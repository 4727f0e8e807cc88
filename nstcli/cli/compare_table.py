"""The table of a comparison on the screen."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from nstcli.experiments.figures import COLUMNS, Column, Row, columns, compared
from nstcli.measures import MEASURES

# What gives way, in this order, where a terminal is too narrow.
_DISPENSABLE = (
    *(key for key in reversed(list(MEASURES)) if not MEASURES[key].lasting),
    *("parameters", "peak_memory", "seconds", "ssim", "content_error"),
)
# Columns of a terminal that limits nothing: measured there, a table tells what it needs.
_ENDLESS = 10_000
# Columns that most comparisons have nothing for.
_NOT_OF_ALL = {"steps", "training_seconds"}
# Signs before a backbone while the table fills.
RUNNING, DONE, FAILED = "▸", "✓", "✗"


def fitting(
    out: Console, rows: Sequence[Row], title: str = "", signs: Mapping[str, str] | None = None
) -> tuple[Table, str]:
    """Draw the table as wide as there is room for; return also what was left out, in words.

    Args:
        out: where it will be printed.
        rows: in their order, those of one judge together.
        title: above it.
        signs: by the title of a row, what stands before it while the table fills; with them,
            columns that are empty yet are shown, too.
    """
    shown = columns(rows)
    if signs is not None:
        shown = [each for each in COLUMNS if each in shown or each.key not in _NOT_OF_ALL]
    left_out: list[str] = []
    for key in ("", *_DISPENSABLE):
        left_out += [column.heading for column in shown if column.key == key]
        shown = [column for column in shown if column.key != key]
        table = _drawn(rows, shown, title, signs)
        anywhere = out.options.update(width=_ENDLESS)
        if Measurement.get(out, anywhere, table).minimum <= out.width:
            break
    what = f"No room for {', '.join(left_out)}: widen the terminal." if left_out else ""
    return table, what


def _drawn(
    rows: Sequence[Row], shown: Sequence[Column], title: str, signs: Mapping[str, str] | None
) -> Table:
    """Draw these columns; the best values have a star besides their colour."""
    several = any(row.pairs > 1 for row in rows)
    table = Table(
        title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0), pad_edge=False,
    )  # fmt: skip
    names = [_name(row, (signs or {}).get(row.title)) for row in rows]
    # At a blank they may break.
    words = [word for name in names for word in name.plain.split(" ")]
    table.add_column(compared(rows), min_width=max(map(len, words)))
    if several:
        table.add_column("pairs", justify="right", min_width=5, no_wrap=True)
    cells = {column.key: [_cell(row, column) for row in rows] for column in shown}
    for column in shown:
        heading = _heading(column)
        lines = [line for text in (heading, *cells[column.key]) for line in text.plain.split("\n")]
        table.add_column(
            heading, justify="right", min_width=max(map(len, lines)), no_wrap=True
        )  # figures are never cut: rather, names are written on two lines
    table.add_column("judge", no_wrap=True, min_width=max(len(row.judge) for row in rows))
    for number, row in enumerate(rows):
        pairs = [f"{row.made}/{row.pairs}" if not row.baseline else ""] if several else []
        table.add_row(
            names[number],
            *pairs,
            *(cells[column.key][number] for column in shown),
            row.judge,
            style="dim" if row.baseline else "",
            end_section=row.judge != rows[min(number + 1, len(rows) - 1)].judge,
        )
    return table


def _heading(column: Column) -> Text:
    """Break a heading where it has two words: figures are narrow."""
    return Text(column.heading.replace(" ", "\n", 1))


def _name(row: Row, sign: str | None) -> Text:
    if row.baseline:
        return Text(row.title, "italic")
    if sign is None and row.error:
        sign = FAILED
    style = {DONE: "green", FAILED: "red", RUNNING: "cyan"}.get(sign or "", "")
    return Text.assemble(
        (f"{sign} ", style) if sign else "", (row.title.replace(":", " ", 1), "bold")
    )


def _cell(row: Row, column: Column) -> Text:
    figure = row.figures.get(column.key)
    if figure is None:
        return Text("")
    best = column.key in row.best
    # The star stands where others have a blank, so that digits stay below each other.
    cell = Text.assemble(
        (column.write(figure.value), "bold green" if best else ""),
        ("*" if best else " ", "bold green"),
    )
    if figure.spread:
        cell.append(f"\n±{column.write(figure.spread)} ", "dim")
    return cell
