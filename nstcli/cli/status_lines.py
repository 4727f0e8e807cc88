"""The lines of `nst status`: an inventory in words, for people."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any

import backbones
from backbones import BackboneError, weights
from nstcli.methods import OPTIMIZE
from nstcli.report.inventory import Inventory, Item
from nstcli.report.origins import InputState, Origin
from nstcli.results.state import State
from nstcli.terms import INPUTS
from nstcli.text import duration, plural, printable, shown

# How many of one kind are named, unless all are wanted.
_NAMED = 10

# Results that need attention: how each condition is called, and what can be done.
_TROUBLES = {
    State.MISSING: ("missing", "the same command makes them again"),
    State.DAMAGED: ("damaged", "the same command makes them again"),
    State.STOPPED: ("stopped early", "the same command finishes them"),
    State.EDITED: ("changed after they were made", "--overwrite would replace them"),
    State.UNREADABLE: ("in the way or unreadable", "move or repair them"),
}

_WORDS = {
    State.UP_TO_DATE: "as made",
    **{state: words for state, (words, _) in _TROUBLES.items()},
    State.UNRECORDED: "without a record",
    State.FOREIGN: "not made by nst",
}


def lines_of(inventory: Inventory, verbose: bool) -> Iterator[str]:
    """Yield the lines: a summary, then what needs attention; all else if `verbose`."""
    yield from _summary(inventory)
    most = None if verbose else _NAMED
    for heading, lines in (*_troubles(inventory), *_notes(inventory, verbose)):
        yield heading
        yield from (f"  {line}" for line in lines[:most])
        if most and len(lines) > most:
            yield f"  … and {len(lines) - most} more; -v lists all"
    if verbose:
        yield from map(_line, inventory.items)


def total_seconds(inventory: Inventory) -> float:
    """Return how long all results took together."""
    known = (item.record.seconds for item in inventory.items if item.record)
    return math.fsum(seconds for seconds in known if math.isfinite(seconds))


def painter_title(recipe: Mapping[str, Any]) -> str:
    """Name what painted: the backbone of a recipe with its weight set, `vgg19:gatys`, or `adain`.

    Weights that no set of this installation is are told by the start of their sha256.
    """
    if recipe.get("method", OPTIMIZE) != OPTIMIZE:
        return str(recipe["method"])
    return _backbone_title(str(recipe.get("model")), str(recipe.get("weights")))


@cache
def _backbone_title(model: str, sha256: str) -> str:
    try:
        backbone = backbones.get(model)
        for weight_set in backbone.weight_sets:
            if weights.identity(backbone, weight_set) == sha256:
                return f"{model}:{weight_set.name}"
    except BackboneError:
        pass  # a plugin that is gone: its results are still here
    return f"{model}:{sha256[:8]}"


def _summary(inventory: Inventory) -> Iterator[str]:
    records = [item.record for item in inventory.items if item.record]
    found = {
        role: {tuple((i.sha256, i.weight) for i in r.inputs if i.role == role) for r in records}
        - {()}
        for role in INPUTS
    }
    head = f"{shown(inventory.folder)}: {plural(len(records), 'result')}"
    if records:
        head += " of " + " and ".join(plural(len(of), role) for role, of in found.items() if of)
        head += f", made in {duration(total_seconds(inventory))}"
    yield head
    if inventory.at_work:
        yield "  another nst is at work here; this is how things stand at the moment"
    yield f"  {_counts(inventory)}"
    recipes = Counter(_short(record.recipe) for record in records)
    yield from (f"  {count} × {recipe}" for recipe, count in recipes.most_common())
    if inventory.run:
        run = inventory.run
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started))
        failed = f", {run.failed} failed" if run.failed else ""
        yield (
            f"  newest run: {when}, {run.made} made{failed} in {duration(run.last - run.started)}"
        )


def _counts(inventory: Inventory) -> str:
    found = Counter(item.state for item in inventory.items)
    parts = [(found[state], words) for state, words in _WORDS.items()]
    parts.insert(1, (len(inventory.failures), "failed"))
    counts = ", ".join(f"{count} {what}" for count, what in parts if count)
    return f"{counts or 'nothing'}; all is well" if inventory.is_well else counts or "nothing"


def _short(recipe: Mapping[str, Any]) -> str:
    steps = f" · {recipe['steps']} steps" if "steps" in recipe else ""
    return printable(f"{painter_title(recipe)} · {recipe.get('size')} px{steps}")


def _troubles(inventory: Inventory) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what needs attention, each kind with its heading."""
    causes: dict[str, list[str]] = defaultdict(list)
    for _, failure in inventory.failures:
        names = (PurePath(each.path).name for each in failure.inputs)
        causes[failure.error].append(printable(" × ".join(names)))
    for error, titles in causes.items():
        yield f"✗ {plural(len(titles), 'pair')} failed: {printable(error)}", titles
    for state, (words, advice) in _TROUBLES.items():
        items = [item for item in inventory.items if item.state is state]
        if items:
            yield f"! {len(items)} {words}; {advice}", [_named(item) for item in items]
    if inventory.broken_records:
        broken = [shown(name) for name in inventory.broken_records]
        yield (
            f"! {plural(len(broken), 'record')} cannot be read; --overwrite makes these again",
            broken,
        )
    if inventory.lost:
        lost = [shown(name) for name in inventory.lost]
        yield f"! {len(lost)} begun and not finished; the same command makes them", lost
    for changed, words in (
        (
            InputState.CHANGED,
            "changed since results were made of them; --overwrite makes those again",
        ),
        (InputState.UNREADABLE, "cannot be read any more"),
    ):
        found = [origin for origin in inventory.origins if origin.state is changed]
        if found:
            yield f"! {plural(len(found), 'input')} {words}", [_of_origin(each) for each in found]


def _notes(inventory: Inventory, verbose: bool) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what is good to know and does no harm."""
    shortfalls: dict[str, list[str]] = defaultdict(list)
    for item in inventory.items:
        if item.record and item.record.shortfall:
            shortfalls[item.record.shortfall].append(shown(item.name))
    for shortfall, names in shortfalls.items():
        yield f"note: {plural(len(names), 'result')}: {printable(shortfall)}", names
    gone = [o for o in inventory.origins if o.state is InputState.GONE]
    lost = [o for o in inventory.origins if o.state is InputState.NOT_FOUND]
    if gone:
        yield (
            f"note: {plural(len(gone), 'input')} gone; their results stand",
            _detail(gone, verbose),
        )
    if lost:
        yield (
            f"note: {plural(len(lost), 'input')} not found from here; the batch may have been "
            "started in another folder",
            _detail(lost, verbose),
        )
    if inventory.leftovers:
        left = plural(len(inventory.leftovers), "temporary file")
        names = [shown(path) for path in inventory.leftovers]
        yield (
            f"note: {left} of killed processes; the next batch removes them",
            (names if verbose else []),
        )


def _detail(origins: Iterable[Origin], verbose: bool) -> list[str]:
    return [_of_origin(origin) for origin in origins] if verbose else []


def _of_origin(origin: Origin) -> str:
    return f"{printable(origin.path)}   {origin.role} of {plural(origin.results, 'result')}"


def _named(item: Item) -> str:
    return shown(item.name) + (f"   {printable(item.why)}" if item.why else "")


def _line(item: Item) -> str:
    line = f"{_WORDS[item.state]:28}  {shown(item.name)}"
    if item.record:
        record = item.record
        line += f"   {record.width}×{record.height}, {_short(record.recipe)}"
        line += f", {duration(record.seconds)}"
    return line
