"""A summary: all results of an output folder by the settings that tell them apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import cast, get_args

import backbones
from nstcli.errors import InputError
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.figures import Figure, figure_of
from nstcli.experiments.variant import Variant
from nstcli.measures import MEASURES
from nstcli.plan.names import LONGEST, cut, digest, folded, safe
from nstcli.plan.pair import Input, Pair
from nstcli.report.grid import GridPair, read_grid
from nstcli.report.origins import candidates
from nstcli.report.varying import read_order, varying
from nstcli.results.folder import Store
from nstcli.results.records import Failure, Measured, Record
from nstcli.terms import Role

# Before the names of figures that the network found which painted.
OWN = "own."

# Figures that say nothing of a picture or of what it cost.
_UNTOLD = {"step_spread"}
# Bytes of a setting in the name of a file.
_SETTING_BYTES = 100


@dataclass(frozen=True)
class Picture:
    """A result.

    Attributes:
        output: its name in the output folder.
        file: its name in the summary.
        content, style: what it was made of, for people.
        labels: of its setting, one for each key of the summary.
        record: of it.
        measured: what a judge said.
    """

    output: str
    file: str
    content: str
    style: str
    labels: tuple[str, ...]
    record: Record
    measured: Measured | None

    @cached_property
    def figures(self) -> dict[str, float]:
        """All numbers that are known of it, by name; what a judge measured has the plain one."""
        record = self.record
        own = {f"{OWN}{name}": v for name, v in record.figures.items() if name not in _UNTOLD}
        seen = self.measured.values if self.measured else {}
        steps = {"steps": float(record.steps)} if record.steps else {}
        found = {"seconds": record.seconds, **steps, **own, **seen}
        return {name: value for name, value in found.items() if math.isfinite(value)}


@dataclass(frozen=True)
class Setting:
    """A setting, and what its pictures have in common.

    Attributes:
        labels: one for each key of the summary.
        pictures: that were made under it.
        figures: medians over them with their spread, by name. What judges measured is among them
            where one judge with one witness saw all these pictures.
        judge: that one.
    """

    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    figures: Mapping[str, Figure]
    judge: str


@dataclass(frozen=True)
class Summary:
    """All results of an output folder.

    Attributes:
        folder: that one.
        keys: what varies, as files call it.
        values: of each key, in order.
        pictures: by content, style and setting.
        left_out: results whose file is gone or is no longer what was recorded.
        failures: what could not be made, by the names of the results.
    """

    folder: Path
    keys: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    pictures: tuple[Picture, ...]
    left_out: tuple[str, ...]
    failures: Mapping[str, str]

    def title(self, labels: Sequence[str]) -> str:
        """Name a setting: `style-weight=30,model=vgg19`."""
        return _title(self.keys, labels)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The settings that have pictures, in the order of their values."""
        found: dict[tuple[str, ...], list[Picture]] = defaultdict(list)
        for picture in self.pictures:
            found[picture.labels].append(picture)
        ordered = sorted(found, key=lambda labels: _place(labels, self.values))
        return tuple(_setting(labels, found[labels]) for labels in ordered)

    @cached_property
    def figures(self) -> tuple[str, ...]:
        """The names of all figures that are known of any picture."""
        found = {name for picture in self.pictures for name in picture.figures}
        own = sorted(name for name in found if name.startswith(OWN))
        known = ["seconds", "steps", *own, *MEASURES]
        return tuple(name for name in [*known, *sorted(found - set(known))] if name in found)


def summarized(folder: Path) -> Summary:
    """Sort the results of an output folder by settings, and give them names that sort.

    A folder that `nst run` named tells the setting of its results. Where not all lie in such
    folders, it is what their recipes differ in.

    Raises:
        InputError: there is no record of a result that is still there.
    """
    grid, store = read_grid(folder), Store(folder)
    made = [(pair, pair.known) for pair in grid.pairs if isinstance(pair.known, Record)]
    digests = store.digests.of(store.folder / pair.output for pair, _ in made)
    store.digests.save()
    there = [
        (pair, record)
        for pair, record in made
        if digests[store.folder / pair.output] == record.output_sha256
    ]
    if not there:
        raise InputError(f"no result in '{folder}' is as it was recorded; see: nst status")
    varied = varying([(p.output, record.recipe) for p, record in there], read_order(store.layout))
    keys = tuple(axis.key for axis in varied.axes)
    values = tuple(axis.values for axis in varied.axes)
    places = sorted(set(varied.labels), key=lambda labels: _place(labels, values))
    ranks = {labels: f"{rank:0{len(str(len(places)))}}" for rank, labels in enumerate(places, 1)}
    pictures, taken = [], set[str]()
    for (pair, record), labels in zip(there, varied.labels, strict=True):
        own = pair.output.partition("/")[2] if varied.by_folder else pair.output
        tail = f"__{ranks[labels]}_{_title(keys, labels)}" if keys else ""
        name = _file_name(own, tail, pair.output, taken)
        texts = grid.contents[pair.content].label, grid.styles[pair.style].label
        pictures.append((pair, Picture(pair.output, name, *texts, labels, record, pair.measured)))
    pictures.sort(key=lambda each: (*_cell(each[0]), _place(each[1].labels, values), each[1].file))
    return Summary(
        folder,
        keys,
        values,
        tuple(picture for _, picture in pictures),
        tuple(sorted({pair.output for pair, _ in made} - {pair.output for pair, _ in there})),
        {pair.output: pair.known.error for pair in grid.pairs if isinstance(pair.known, Failure)},
    )


def to_judge(summary: Summary) -> Experiment:
    """Return the pictures of a summary as an experiment that can be judged.

    Raises:
        BackboneError: one was painted by a backbone that is not installed.
    """
    by_model: dict[str, list[Picture]] = defaultdict(list)
    for picture in summary.pictures:
        by_model[str(picture.record.recipe.get("model", ""))].append(picture)
    variants, store = [], Store(summary.folder)
    for model, pictures in by_model.items():
        backbone = backbones.get(model)
        pairs = tuple(_pair(picture, store) for picture in pictures)
        variants.append(Variant(model, model, backbone, backbone.weight_set(), pairs=pairs))
    experiment = Experiment(store, variants)
    for picture in summary.pictures:
        experiment.records[picture.output] = picture.record
        if picture.measured and picture.measured.baselines:
            experiment.measured[picture.output] = picture.measured
    return experiment


def _pair(picture: Picture, store: Store) -> Pair:
    """Find what a picture was made of; a path that leads to nothing is told when it is read."""
    inputs = []
    for each in picture.record.inputs:
        places = candidates(each.path, store.folder)
        found = next((p for p in places if store.digests.digest_or_error(p) == each.sha256), None)
        if each.role in get_args(Role):  # else of another version
            role = cast(Role, each.role)
            inputs.append(Input(role, found or Path(each.path), each.weight))
    return Pair(tuple(inputs), picture.output)


def _cell(pair: GridPair) -> tuple[int, int]:
    return pair.content, pair.style


def _place(labels: Sequence[str], values: Sequence[Sequence[str]]) -> tuple[int, ...]:
    return tuple(known.index(label) for label, known in zip(labels, values, strict=True))


def _title(keys: Sequence[str], labels: Sequence[str]) -> str:
    return ",".join(f"{key}={label}" for key, label in zip(keys, labels, strict=True))


def _file_name(own: str, tail: str, output: str, taken: set[str]) -> str:
    """Name a picture by its pair first and its setting then; no two are alike anywhere."""
    path = PurePosixPath(own)
    base = safe("__".join(path.with_suffix("").parts))
    tail = cut(safe(tail), _SETTING_BYTES) if tail else ""
    for more in ("", f"~{digest(output)}"):
        end = tail + more + path.suffix
        name = cut(base, LONGEST - len(end.encode())) + end
        if folded(name) not in taken:
            break
    taken.add(folded(name))
    return name


def _setting(labels: tuple[str, ...], pictures: Sequence[Picture]) -> Setting:
    judges = {(p.measured.judge, p.measured.witness) if p.measured else None for p in pictures}
    judge = next(iter(judges)) if len(judges) == 1 else None
    names = {name: None for picture in pictures for name in picture.figures}
    figures = {
        name: figure_of([p.figures[name] for p in pictures if name in p.figures])
        for name in names
        if judge or not _is_measured(name)
    }
    return Setting(labels, tuple(pictures), figures, judge[0] if judge else "")


def _is_measured(name: str) -> bool:
    return not name.startswith(OWN) and name not in {"seconds", "steps"}


def baselines(pictures: Sequence[Picture]) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    """Yield (judge, which, medians) of the pictures that cost nothing, as each judge saw them."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for picture in pictures:
        known = picture.measured
        for which, values in known.baselines.items() if known else ():
            for name, value in values.items():
                found[known.judge if known else "", which][name].append(value)
    for (judge, which), several in sorted(found.items()):
        yield judge, which, {name: figure_of(values).value for name, values in several.items()}
