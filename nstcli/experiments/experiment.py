"""An experiment: its variants, their pairs, and what is known of each result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backbones import BackboneError
from nstcli.errors import InputError
from nstcli.experiments.sweep import Sweep
from nstcli.experiments.trained import Artwork
from nstcli.experiments.variant import Variant
from nstcli.metrics.judgement import witness_of
from nstcli.plan.beside import started
from nstcli.plan.names import folded, safe_folder
from nstcli.plan.pair import Pair, Source
from nstcli.plan.product import Naming, planned
from nstcli.recipe import DEFAULT
from nstcli.remembered import Remembered, digest
from nstcli.results.folder import Store
from nstcli.results.records import Form, Measured, Record
from nstcli.run.check import Checked, Rules, check, survey
from nstcli.run.events import Event, PairDone, PairFailed, PairFound
from nstcli.run.job import Downloading, Networks, Settings
from nstcli.text import shown

# Names of the results; a folder of them can be sorted by content, style and variant.
TEMPLATE = "{content}__{style}__{model}"


def with_pairs(
    variants: Sequence[Variant],
    contents: Sequence[Source],
    styles: Sequence[Source],
    suffix: str,
    how: str = "product",
    limit: int | None = None,
    choices: Mapping[str, Any] = DEFAULT,
) -> tuple[list[Variant], list[tuple[Pair, str]]]:
    """Give every variant the same pairs, in one order, under names of its own.

    Returns:
        The variants, and the pairs with another name than the template gives, each with why.

    Raises:
        InputError: names of two results would be the same, or what `planned` and `started` raise.
    """
    given, renamed = [], []
    for variant in variants:
        naming = Naming(suffix, TEMPLATE, {"model": variant.name})
        plan = planned(contents, styles, naming, how, limit)
        given.append(replace(variant, pairs=tuple(_started(plan.pairs, variant, choices))))
        renamed += plan.renamed
    names = Counter(pair.output.casefold() for variant in given for pair in variant.pairs)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice:
        raise InputError(f"two results would be called '{twice}'; rename an input")
    return given, renamed


def in_folders(
    variants: Sequence[Variant],
    pairs: Sequence[Pair],
    suffix: str,
    choices: Mapping[str, Any] = DEFAULT,
) -> list[Variant]:
    """Give every variant these pairs, whose results go into a folder of its name.

    Args:
        variants: of one experiment.
        pairs: of contents and styles.
        suffix: of the results.
        choices: what holds for all where nothing else is said.

    Raises:
        InputError: two variants would have the same folder, or a pair has nothing to start from.
    """
    taken: dict[str, Variant] = {}
    given = []
    for variant in variants:
        # Without a name, since nothing varies, the output folder itself.
        folder = safe_folder(variant.name, suffix) + "/" if variant.name else ""
        other = taken.setdefault(folded(folder), variant)
        if other is not variant:
            raise InputError(
                f"the results of '{shown(other.title)}' and '{shown(variant.title)}' would go into "
                f"one folder, '{folder}'; give the values names of their own: {{a = …, b = …}}"
            )
        own = [Pair(pair.inputs, folder + pair.output) for pair in pairs]
        given.append(replace(variant, pairs=tuple(_started(own, variant, choices))))
    return given


def _started(pairs: Sequence[Pair], variant: Variant, choices: Mapping[str, Any]) -> list[Pair]:
    return started(pairs, {**choices, **variant.changes})


def with_settings(
    variants: Sequence[Variant],
    choices: Mapping[str, Any],
    form: Form,
    *,
    offline: bool,
    progress: Downloading | None = None,
) -> list[Variant]:
    """Resolve the recipe of every variant; one that cannot be leaves the others.

    Raises:
        BackboneError: none of them can be.
        InputError: a value that is wrong for all.
    """
    networks = Networks(offline, progress)
    settled: list[Variant] = []
    errors: list[BackboneError] = []
    for variant in variants:
        try:
            settings = networks.settings({**choices, **variant.changes}, form)
        except InputError as error:
            raise InputError(f"{shown(variant.title)}: {error}") from error
        except BackboneError as error:
            errors.append(error)
            settled.append(replace(variant, error=str(error)))
        else:
            settled.append(replace(variant, settings=settings))
    if errors and len(errors) == len(variants):
        raise errors[0]
    return settled


def refuse_unable(variants: Sequence[Variant]) -> None:
    """Refuse an experiment of which a variant cannot be made.

    Raises:
        InputError: says which and why.
    """
    unable = next((variant for variant in variants if variant.error), None)
    if unable:
        raise InputError(
            f"{shown(unable.title)}: {unable.error}. What holds for one backbone alone stands in a "
            "table of its own: [backbone.NAME]"
        )


def same_pictures(variants: Sequence[Variant], sweep: Sweep) -> list[tuple[Variant, Variant]]:
    """List variants that differ in nothing that has an effect, each with the first of its like.

    Raises:
        InputError: all the values of a key give the same pictures.
    """
    recipes = [_effective(variant) for variant in variants]
    for at, axis in enumerate(sweep.axes):
        others: dict[tuple[str, ...], list[str]] = {}
        for variant, recipe in zip(variants, recipes, strict=True):
            labels = tuple(value.label for n, value in enumerate(variant.point) if n != at)
            others.setdefault(labels, []).append(recipe)
        several = [found for found in others.values() if len(found) > 1]
        if several and all(len(set(found)) == 1 for found in several):
            raise InputError(
                f"[sweep] {axis.key}: all its values give the same pictures, since it has no "
                "effect with the other settings"
            )
    first: dict[str, Variant] = {}
    pairs = zip(variants, recipes, strict=True)
    same = [(variant, first.setdefault(recipe, variant)) for variant, recipe in pairs]
    return [(variant, other) for variant, other in same if variant is not other]


def _effective(variant: Variant) -> str:
    """Return what stands for all that its pictures depend on."""
    return digest(variant.settings.recipe.effective()) if variant.settings else variant.name


@dataclass
class Experiment:
    """What is known of every result. It listens to the events of runs.

    Attributes:
        counts: what took its time to find out of the variants, and is remembered.
        records: of what is made, by the result's name.
        measured: what the judges said, by the result's name.
        failures: why a pair could not be made or judged, by the result's name.
        artworks: of results whose style is a network, what that was trained for, by their names.
    """

    store: Store
    variants: list[Variant]
    records: dict[str, Record] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    artworks: dict[str, Artwork] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.counts = Remembered(self.store.layout.counts)

    def __call__(self, event: Event) -> None:
        """Take note of a pair that ended."""
        if isinstance(event, PairDone):
            self.records[event.pair.output] = event.record
        elif isinstance(event, PairFound):
            self._recall(event.pair)
        elif isinstance(event, PairFailed):
            self.failures[event.pair.output] = event.error

    def check(self, rules: Rules) -> Checked:
        """Check the pairs of all variants at once, and recall what is made already.

        Raises:
            InputError: what lies in the output folder cannot be read, or is no file.
        """
        checked = check(self.settled, self.store, rules)
        for pair in () if rules.force else checked.up_to_date:
            self._recall(pair)
        return checked

    def survey(self, rules: Rules) -> Checked:
        """Check the pairs of all variants, but decode no picture and recall nothing.

        Raises:
            InputError: what lies in the output folder cannot be read, or is no file.
        """
        return survey(self.settled, self.store, rules)

    def in_the_way(self, checked: Checked) -> dict[str, str]:
        """Say by the titles of variants what a user has to agree to before they are made."""
        problems = {v.title: checked.in_the_way(v.pairs) for v in self.variants}
        return {title: problem for title, problem in problems.items() if problem}

    def update(self, variant: Variant, **changes: Any) -> Variant:
        """Change what is known of a variant, and return it as it is now."""
        place = next(n for n, v in enumerate(self.variants) if v.title == variant.title)
        self.variants[place] = replace(self.variants[place], **changes)
        return self.variants[place]

    def unjudged(self) -> dict[str, list[tuple[Variant, Pair]]]:
        """List the pictures that their judge has not seen, by the name of the judge."""
        waiting: dict[str, list[tuple[Variant, Pair]]] = {}
        for variant in self.variants:
            for pair in variant.pairs:
                if pair.output in self.records and not self.judgement(variant, pair):
                    waiting.setdefault(variant.judge, []).append((variant, pair))
        return waiting

    @property
    def witness(self) -> str:
        """Name of the witness beside all judges."""
        return witness_of({variant.backbone.name for variant in self.variants})

    def judgement(self, variant: Variant, pair: Pair) -> Measured | None:
        """Return what was measured of a picture, if it was by those who are to be asked."""
        known = self.measured.get(pair.output)
        wanted = (variant.judge, self.witness)
        return known if known and (known.judge, known.witness) == wanted else None

    def problems(self) -> dict[str, list[str]]:
        """Return what went wrong, each with the titles of the variants that it befell."""
        problems: dict[str, list[str]] = {}
        for variant in self.variants:
            failures = [self.failures.get(pair.output, "") for pair in variant.pairs]
            for error in dict.fromkeys([variant.error, *failures]):
                if error:
                    problems.setdefault(error, []).append(variant.title)
        return problems

    @property
    def complete(self) -> bool:
        """Whether everything was made and judged."""
        made = len(self.made) == sum(len(variant.pairs) for variant in self.variants)
        return made and not self.unjudged() and not any(v.error for v in self.variants)

    @property
    def made(self) -> list[Pair]:
        """The pairs whose results are there, as far as is known."""
        return [p for variant in self.variants for p in variant.pairs if p.output in self.records]

    @property
    def settled(self) -> list[tuple[Pair, Settings]]:
        """The pairs of the variants that can be made, with what makes them."""
        return [
            (pair, variant.settings)
            for variant in self.variants
            if variant.settings
            for pair in variant.pairs
        ]

    def _recall(self, pair: Pair) -> None:
        record = self.store.load(pair.output)
        if record is None:
            return
        self.records[pair.output] = record
        known = self.store.measured(pair.output, record.output_sha256)
        if known and known.baselines:  # those of an older program have none
            self.measured[pair.output] = known
