"""A comparison from its plan on: who takes part with which pairs, and what is known of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backbones import BackboneError
from backbones.spec import Progress
from nstcli.errors import InputError
from nstcli.experiment.variant import Contender
from nstcli.plan import product
from nstcli.plan.pair import Job, Pair, Source
from nstcli.results import records
from nstcli.results.folder import Store
from nstcli.results.records import Form, Measured, Record
from nstcli.results.state import State
from nstcli.run.check import refusal, survey
from nstcli.run.events import Event, PairDone, PairFailed, PairFound
from nstcli.run.settings import Settings, settle

# Names of the results; a folder of them can be sorted by content, style and backbone.
TEMPLATE = "{content}__{style}__{model}"


@dataclass(frozen=True)
class Entry:
    """A contender with its pairs.

    Attributes:
        settings: how its pairs are made; None where they cannot be.
        error: why the contender cannot take part, or go on; empty if it can.
        parameters: of the modules that run; None until they are counted.
        jobs: the pairs that are still to be made.
    """

    contender: Contender
    pairs: tuple[Pair, ...]
    settings: Settings | None = None
    error: str = ""
    parameters: int | None = None
    jobs: tuple[Job, ...] = ()

    @property
    def title(self) -> str:
        """Name the contender."""
        return self.contender.title


def enter(
    contenders: Sequence[Contender],
    contents: Sequence[Source],
    styles: Sequence[Source],
    suffix: str,
    limit: int | None = None,
    how: str = "product",
) -> tuple[list[Entry], list[tuple[Pair, str]]]:
    """Give every contender the same pairs, in one order, under names of its own.

    Returns:
        The entries, and the pairs with another name than the template gives, each with why.

    Raises:
        InputError: names of two results would be the same, or what `plan.planned` raises.
    """
    entries, renamed = [], []
    for contender in contenders:
        values = {"model": contender.name}
        planned = product.planned(contents, styles, suffix, limit, how, TEMPLATE, values)
        entries.append(Entry(contender, tuple(planned.pairs)))
        renamed += planned.renamed
    names = Counter(pair.output.casefold() for entry in entries for pair in entry.pairs)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice:
        raise InputError(f"two results would be called '{twice}'; rename an input")
    return entries, renamed


def settle_all(
    entries: Sequence[Entry],
    choices: Mapping[str, Any],
    form: Form,
    *,
    offline: bool,
    progress: Callable[[str], Progress],
) -> list[Entry]:
    """Resolve the recipe of every entry; one that cannot be leaves the others.

    Raises:
        BackboneError: none of them can be.
        InputError: a value that is wrong for all.
    """
    settled: list[Entry] = []
    errors: list[BackboneError] = []
    for entry in entries:
        who = entry.contender
        try:
            settings = settle(
                who.backbone.name,
                who.wanted,
                choices,
                form=form,
                offline=offline,
                progress=progress,
            )
        except BackboneError as error:
            errors.append(error)
            settled.append(replace(entry, error=str(error)))
        else:
            settled.append(replace(entry, settings=settings))
    if errors and len(errors) == len(entries):
        raise errors[0]
    return settled


@dataclass
class Contest:
    """What is known of every result. It listens to the events of runs.

    Attributes:
        records: of what is made, by the result's name.
        measured: what the judges said, by the result's name.
        failures: why a pair could not be made or judged, by the result's name.
    """

    store: Store
    entries: list[Entry]
    records: dict[str, Record] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Take note of a pair that ended."""
        if isinstance(event, PairDone):
            self.records[event.pair.output] = event.record
        elif isinstance(event, PairFound):
            self._recall(event.pair)
        elif isinstance(event, PairFailed):
            self.failures[event.pair.output] = event.error

    def look(self, *, force: bool, overwrite: bool) -> list[PairFailed]:
        """Find out which pairs are to be made; return those whose pictures cannot be read.

        Args:
            force: make also what is up to date.
            overwrite: results that are in the way may be replaced.

        Raises:
            InputError: results are in the way.
        """
        problems: dict[str, str] = {}
        unreadable: list[PairFailed] = []
        for number, entry in enumerate(self.entries):
            if entry.settings is None:
                continue
            standings, failures = survey(entry.pairs, entry.settings, self.store)
            problem = None if overwrite else refusal(standings, entry.settings, self.store)
            if problem:
                problems[entry.title] = problem
            unreadable += failures
            todo = [s.job for s in standings if force or s.state is not State.UP_TO_DATE]
            self.entries[number] = replace(entry, jobs=tuple(todo))
            for job in {s.job for s in standings} - set(todo):
                self._recall(job.pair)
        if problems:
            title, problem = next(iter(problems.items()))
            others = f" (Likewise: {', '.join(list(problems)[1:])}.)" if len(problems) > 1 else ""
            raise InputError(f"{title}: {problem}{others}")
        return unreadable

    def update(self, entry: Entry, **changes: Any) -> Entry:
        """Change what is known of an entry, and return it as it is now."""
        place = next(n for n, e in enumerate(self.entries) if e.title == entry.title)
        self.entries[place] = replace(self.entries[place], **changes)
        return self.entries[place]

    def unjudged(self) -> dict[str, list[tuple[Entry, Pair]]]:
        """List the pictures that their judge has not seen, by the name of the judge."""
        waiting: dict[str, list[tuple[Entry, Pair]]] = {}
        for entry in self.entries:
            judge = entry.contender.judge
            for pair in entry.pairs:
                known = self.measured.get(pair.output)
                if pair.output in self.records and not (known and known.judge == judge):
                    waiting.setdefault(judge, []).append((entry, pair))
        return waiting

    def problems(self) -> dict[str, list[str]]:
        """Return what went wrong, each with the titles of the entries that it befell."""
        problems: dict[str, list[str]] = {}
        for entry in self.entries:
            failures = [self.failures.get(pair.output, "") for pair in entry.pairs]
            for error in dict.fromkeys([entry.error, *failures]):
                if error:
                    problems.setdefault(error, []).append(entry.title)
        return problems

    @property
    def complete(self) -> bool:
        """Whether everything was made and judged."""
        made = len(self.made) == sum(len(entry.pairs) for entry in self.entries)
        return made and not self.unjudged() and not any(entry.error for entry in self.entries)

    @property
    def made(self) -> list[Pair]:
        """The pairs whose results are there, as far as is known."""
        return [p for entry in self.entries for p in entry.pairs if p.output in self.records]

    def _recall(self, pair: Pair) -> None:
        record = self.store.load(pair.output)
        if record is None:
            return
        self.records[pair.output] = record
        known = records.load_measured(self.store.folder, pair.output, record.output_sha256)
        if known and known.baselines:  # those of an older program have none
            self.measured[pair.output] = known
