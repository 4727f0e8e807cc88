"""The files of a summary: all pictures in one folder, and the figures as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backbones.atomic import make_folder, write_atomic
from backbones.paths import exists, is_file, resolved
from nstcli.errors import InputError
from nstcli.experiments.exports import escaped, markdown_line
from nstcli.experiments.figures import Figure
from nstcli.experiments.summary import OWN, Picture, Setting, Summary, baselines
from nstcli.measures import MEASURES
from nstcli.report.foreign_files import refuse_foreign
from nstcli.report.recipes import words
from nstcli.text import plural, shown
from nstcli.version import VERSION

# Raise it when a field changes its meaning or goes; new fields may come at any time.
_SCHEMA = 1
_KIND = "nst summarize"
_MARK = f"<!-- {_KIND} -->"
_PICTURES, _JSON, _CSV, _MARKDOWN = "pictures", "summary.json", "summary.csv", "summary.md"

# Figures of a table for people, besides those of judges, as far as they are known.
_TOLD = ("seconds", f"{OWN}loss", f"{OWN}content_error", f"{OWN}style_error")
# Advice where something else has the name of one of these files.
_ADVICE = "choose another -o"


class SummaryFiles:
    """Writes a summary into a folder of its own.

    Args:
        summary: what is written.
        folder: where to.

    Raises:
        InputError: the folder is that of the results, or holds files of these names that no
            summary wrote.
        OSError: it cannot be read.
    """

    def __init__(self, summary: Summary, folder: Path):
        self._summary = summary
        self._folder = folder
        self._pictures = folder / _PICTURES
        if resolved(folder) == resolved(summary.folder):
            raise InputError(f"'{shown(folder)}' is the folder of the results; {_ADVICE}")
        refuse_foreign(folder / _JSON, "summary", lambda d: _kind(d) == _KIND, _ADVICE)
        refuse_foreign(folder / _CSV, "summary", lambda d: d.startswith(b"file,result,"), _ADVICE)
        refuse_foreign(
            folder / _MARKDOWN, "summary", lambda d: d.startswith(_MARK.encode()), _ADVICE
        )
        self._before = _listed(folder / _JSON)
        for picture in summary.pictures:
            path = self._pictures / picture.file
            if picture.file not in self._before and exists(path) and not self._is_same(picture):
                raise InputError(f"'{shown(path)}' is there and no picture of a summary; {_ADVICE}")

    def write(self) -> list[Path]:
        """Write everything, take out pictures of an earlier summary, and return what to look at.

        Raises:
            OSError: it cannot be written.
        """
        make_folder(self._pictures)
        for picture in self._summary.pictures:
            if not self._is_same(picture):
                _link(self._source(picture), self._pictures / picture.file)
        now = {picture.file for picture in self._summary.pictures}
        for name in self._before - now:
            with suppress(OSError):  # it is gone
                (self._pictures / name).unlink()
        texts = {
            _JSON: as_json(self._summary),
            _CSV: as_csv(self._summary),
            _MARKDOWN: as_markdown(self._summary),
        }
        for name, text in texts.items():
            write_atomic(self._folder / name, text.encode(errors="backslashreplace"))
        return [self._pictures, *(self._folder / name for name in texts)]

    def _source(self, picture: Picture) -> Path:
        return self._summary.folder / picture.output

    def _is_same(self, picture: Picture) -> bool:
        """Tell whether the summary has this very file, or the same bytes."""
        source, path = self._source(picture), self._pictures / picture.file
        if not is_file(path):
            return False
        return path.samefile(source) or path.read_bytes() == source.read_bytes()


def _link(source: Path, path: Path) -> None:
    """Give a file a second name, or copy it where the system cannot do so."""
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:  # another disk, or a file system without links
        write_atomic(path, source.read_bytes())


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _kind(data: bytes) -> object:
    return _document(data).get("kind")


def _listed(path: Path) -> set[str]:
    """Return the names of the pictures of an earlier summary."""
    found = _document(path.read_bytes()).get("pictures") if exists(path) else None
    names = [each.get("file") for each in found or () if isinstance(each, dict)]
    return {name for name in names if isinstance(name, str) and name == Path(name).name}


def row(summary: Summary, picture: Picture) -> dict[str, Any]:
    """Tell all of a picture, flat: what a line of the CSV holds."""
    record, known = picture.record, picture.measured
    return {
        "file": picture.file,
        "result": picture.output,
        **{f"setting.{key}": value for key, value in _setting_of(summary, picture.labels).items()},
        "content": picture.content,
        "style": picture.style,
        "width": record.width,
        "height": record.height,
        "device": record.device,
        "precision": record.precision,
        "judge": known.judge if known else "",
        "witness": known.witness if known else "",
        **picture.figures,
    }


def as_csv(summary: Summary) -> str:
    """Write a line for every picture; what is not known stays empty."""
    stream = io.StringIO()
    lines = [row(summary, picture) for picture in summary.pictures]
    told = [name for name in lines[0] if name not in summary.figures]
    writer = csv.DictWriter(stream, [*told, *summary.figures], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def as_json(summary: Summary) -> str:
    """Tell everything: what varies, medians by setting, and every picture.

    Seconds are plain numbers, a `spread` is half the distance between the quartiles.
    """
    document = {
        "made_by": f"nst {VERSION}",
        "kind": _KIND,
        "schema": _SCHEMA,
        "folder": shown(summary.folder),
        "axes": dict(zip(summary.keys, summary.values, strict=True)),
        "settings": [
            {
                "setting": _setting_of(summary, setting.labels),
                "pictures": len(setting.pictures),
                "judge": setting.judge,
                "figures": {name: asdict(figure) for name, figure in setting.figures.items()},
            }
            for setting in summary.settings
        ],
        "baselines": [
            {"judge": judge, "picture": which, "figures": values}
            for judge, which, values in baselines(summary.pictures)
        ],
        "pictures": [
            {
                **row(summary, picture),
                "baselines": picture.measured.baselines if picture.measured else {},
            }
            for picture in summary.pictures
        ],
        "left_out": summary.left_out,
        "failures": summary.failures,
    }
    # In ASCII: an output stream that cannot encode a letter would make it no JSON any more.
    return json.dumps(document, indent=1) + "\n"


def as_markdown(summary: Summary) -> str:
    """Write the medians by setting, and below them a row for every picture."""
    told = [name for name in summary.figures if name in _TOLD or name in MEASURES]
    headings = [_heading(name) for name in told]
    keys = [escaped(key) for key in summary.keys]
    lines = [
        _MARK,
        f"# {escaped(summary.folder.resolve().name)}",
        "",
        f"{plural(len(summary.pictures), 'picture')} under "
        f"{plural(len(summary.settings), 'setting')}. Figures are medians over the pictures of a "
        "setting; ± is half the distance between their quartiles. What judges measured of "
        "different networks does not rank; losses and what the network found that painted rank "
        "within one network alone.",
        "",
        *_table(
            [*keys, "pictures", *headings, "judge"],
            ["---"] * len(keys) + ["---:"] * (len(headings) + 1) + ["---"],
            [_cells(setting, told) for setting in summary.settings],
        ),
        "",
        *_table(
            ["picture", *keys, *headings],
            ["---"] * (len(keys) + 1) + ["---:"] * len(headings),
            [_picture_cells(picture, told) for picture in summary.pictures],
        ),
    ]
    if summary.failures:
        lines += ["", *(f"* {escaped(n)}: {escaped(why)}" for n, why in summary.failures.items())]
    if summary.left_out:
        lines += ["", f"Left out, since changed or gone: {escaped(', '.join(summary.left_out))}"]
    return "\n".join(lines) + "\n"


def _setting_of(summary: Summary, labels: Sequence[str]) -> dict[str, str]:
    return dict(zip(summary.keys, labels, strict=True))


def _heading(name: str) -> str:
    return f"{words(name.removeprefix(OWN))} (own)" if name.startswith(OWN) else words(name)


def _table(
    headings: Sequence[str], rule: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[str]:
    return [markdown_line(each) for each in (headings, rule, *rows)]


def _cells(setting: Setting, told: Sequence[str]) -> list[str]:
    figures = [_figure(name, setting.figures.get(name)) for name in told]
    labels = [escaped(label) for label in setting.labels]
    return [*labels, str(len(setting.pictures)), *figures, setting.judge]


def _picture_cells(picture: Picture, told: Sequence[str]) -> list[str]:
    known = picture.figures
    figures = [_figure(name, Figure(known[name]) if name in known else None) for name in told]
    return [escaped(picture.file), *map(escaped, picture.labels), *figures]


def _figure(name: str, figure: Figure | None) -> str:
    if figure is None:
        return ""
    write = _writer(name)
    return write(figure.value) + (f" ± {write(figure.spread)}" if figure.spread else "")


def _writer(name: str) -> Callable[[float], str]:
    if name in MEASURES:
        return f"{{:{MEASURES[name].form}}}".format
    return "{:.1f}".format if name == "seconds" else "{:.4g}".format
