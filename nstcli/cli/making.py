"""What the commands that make pairs have in common: check, ask, make, report."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nstcli.cli.dry_run import print_plan
from nstcli.cli.interruption import Interruption
from nstcli.cli.progress import Watch
from nstcli.cli.screen import Screen
from nstcli.cli.tally import counts, failure_lines, print_json, tell_end
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
)
from nstcli.config.shards import Item
from nstcli.errors import InputError
from nstcli.methods import OPTIMIZE
from nstcli.plan import inputs
from nstcli.plan.blends import styles_in, styles_of
from nstcli.plan.guides import arguments_of, guided
from nstcli.plan.pair import Pair, Source
from nstcli.plan.walk import Selection
from nstcli.report.summaries import Summaries
from nstcli.results.folder import Store
from nstcli.results.store import Results
from nstcli.run.check import Checked, Rules, check
from nstcli.run.events import Listener
from nstcli.run.job import Settings, execution_of
from nstcli.run.journal import Journal
from nstcli.run.make import End, Summary, make
from nstcli.run.pace import Paces
from nstcli.terms import INPUTS
from nstcli.text import plural

# What a user can do about results that are in the way.
CONSENT = "--overwrite replaces them; -o NEW keeps both."
# How many results with unexpected names are told one by one.
_TOLD = 5


@dataclass(frozen=True)
class Order:
    """What a command wants made, and how.

    Attributes:
        pairs: each with the settings that make it.
        header: says what they are, once it is known how they stand.
        listeners: hear every event, besides the screen.
        keep_best: an interruption writes the best picture so far; else it drops the running pair.
        finish: called at the end, however it comes; returns what to name as the place of results.
        advice: what to do about results in the way.
        cells: of the results, by their names, where they have any.
    """

    pairs: Sequence[tuple[Pair, Settings]]
    results: Results
    written: OutputOptions
    execution: ExecutionOptions
    messages: MessageOptions
    header: Callable[[Checked], Sequence[str]]
    dry_run: bool = False
    keep_best: bool = False
    max_pixels: int = InputOptions.max_pixels
    strict: bool = False
    listeners: Sequence[Listener] = ()
    finish: Callable[[], object] | None = None
    advice: str = CONSENT
    cells: Mapping[str, str] = field(default_factory=dict)


def into_folder(
    pairs: Sequence[tuple[Pair, Settings]],
    store: Store,
    taken: InputOptions,
    written: OutputOptions,
    execution: ExecutionOptions,
    messages: MessageOptions,
    header: Callable[[Checked], Sequence[str]],
    screen: Screen,
) -> Order:
    """Return the order of pairs into a folder, with its journal, gallery and manifest."""
    summaries = Summaries(store, lambda text: screen.complain(f"warning: {text}"), written.gallery)
    return Order(
        pairs,
        store,
        written,
        execution,
        messages,
        header,
        max_pixels=taken.max_pixels,
        strict=taken.strict,
        listeners=[Journal(store.layout), summaries],
        finish=summaries.finish,
    )


def run_pairs(order: Order, screen: Screen) -> int:
    """Make the pairs that are not up to date, and return the exit code that this earns.

    Raises:
        InputError: results are in the way and `--overwrite` was not given; or, with `strict`, a
            picture cannot be used.
        BackboneError: the backbone or its weights cannot be had.
    """
    fail_fast, keep_best = order.execution.fail_fast, order.keep_best
    rules = Rules.of(order.written, order.max_pixels, fail_fast=fail_fast, keep_best=keep_best)
    checked = check(order.pairs, order.results, rules)
    if order.dry_run:
        for line in order.header(checked):
            screen.say(line)
        print_plan(
            checked,
            screen,
            execution_of(order.execution, order.max_pixels),
            as_json=order.messages.as_json,
            cells=order.cells,
        )
        return 0
    refuse(checked, strict=order.strict, advice=order.advice)
    for line in order.header(checked):
        screen.say(line)
    for told in failure_lines(checked.failures) if checked.jobs else ():  # else the end says it
        screen.say(told)
    interruption = Interruption(screen, order.keep_best)
    summary = _make(order, checked, screen, interruption)
    where = order.finish() if order.finish else order.results.where
    code = _tell(order, summary, where, screen, interruption)
    if order.messages.as_json:
        print_json(summary, order.results.where, code)
    return code


def refuse(checked: Checked, *, strict: bool, advice: str) -> None:
    """Make nothing where the user has to be asked first.

    Raises:
        InputError: says why.
    """
    if strict:
        checked.refuse_failures()
    problem = checked.in_the_way()
    if problem:
        raise InputError(f"{problem} {advice}")


def _make(order: Order, checked: Checked, screen: Screen, interruption: Interruption) -> Summary:
    """Make what was checked, and show it while it is made."""
    show = Watch(screen, [job.pair for job in checked.jobs])
    execution = execution_of(order.execution, order.max_pixels)
    paces = Paces(execution)

    @contextmanager
    def during() -> Iterator[None]:
        with interruption, show:
            yield

    summary = make(
        checked,
        execution,
        (*order.listeners, paces, show),
        stop=lambda: interruption.asked,
        downloading=screen.downloading,
        during=during(),
    )
    paces.save()
    return summary


def _tell(
    order: Order, summary: Summary, where: object, screen: Screen, interruption: Interruption
) -> int:
    """Say how it ended, and return the exit code."""
    if summary.end is not End.COMPLETE:
        how = "Stopped" if summary.end is End.STOPPED else "Interrupted"
        screen.complain(f"{how}: {counts(summary)}. Re-run the same command for the rest.")
        if summary.end is End.STOPPED:
            screen.complain(f"nst: {summary.problem}")
            return 3
        return interruption.exit_code or 130
    if order.results.warning:
        screen.complain(f"warning: {order.results.warning}")
    tell_end(summary, screen, where)
    return interruption.exit_code or (1 if summary.failures else 0)


def header_of(
    pairs: Sequence[Pair], settings: Settings, *others: str, count: str = ""
) -> Callable[[Checked], list[str]]:
    """Return what says what pairs of one recipe are; with what else varies, how many that makes."""
    recipe, stepwise = settings.recipe, settings.recipe.by.stepwise
    painted_by = f"{recipe.model} {settings.weight_set.name}" if stepwise else settings.title

    def header(checked: Checked) -> list[str]:
        return [
            (count or plural(len(pairs), "pair"))
            + product_of(pairs, *others)
            + (f", {checked.cached} cached" if checked.cached else "")
            + f" · {painted_by} · {recipe.size} px"
            + (f" · {plural(recipe.steps, 'step')}" if stepwise else "")
        ]

    return header


def product_of(pairs: Sequence[Pair], *others: str) -> str:
    """Say what pairs are the product of: `: 5 contents × 4 styles`, with what else varies."""
    if not pairs:
        return ""
    found = {
        role: len({pair.of_role(role) for pair in pairs})
        for role in INPUTS
        if any(role in pair.roles for pair in pairs)
    }
    of = [plural(count, role) for role, count in found.items()]
    # Of a part of a batch, and of contents with a style each, the product would be no truth.
    if len(pairs) != math.prod(found.values()):
        return " × ".join([f" of {' and '.join(of)}", *others])
    return ": " + " × ".join([*of, *others])


def part_of(
    batch: list[Item], execution: ExecutionOptions, noun: str, screen: Screen
) -> list[Item]:
    """Return the part of a batch that is wanted, or all of it.

    An empty one is no failure: job arrays have more tasks at times.

    Raises:
        InputError: it is that of a job array's task, and this is none.
    """
    shard = execution.part
    if shard is None:
        return batch
    part = shard.of(batch)
    if not part:
        screen.say(f"note: part {shard} is empty: the batch has {plural(len(batch), noun)}")
    return part


def find_pictures(
    arguments: Sequence[Sequence[str]],
    taken: InputOptions,
    output: Path,
    screen: Screen,
    *,
    styles: bool = True,
    method: str = OPTIMIZE,
) -> list[list[Source]]:
    """Find the pictures of each role, by folders, files and patterns; tell what was left out.

    The last role is that of `styles`, which may be blends or mixtures, unless there are none. For
    some methods, they are networks.

    Raises:
        InputError: there are none, or the output folder would be taken for one of theirs.
    """
    wanted = Selection(taken.recursive, taken.include, taken.exclude, taken.strict)
    roles: list[list[inputs.Found]] = []
    for at, several in enumerate(arguments, 1):
        roles.append([])
        for argument in several:
            selection = wanted
            if styles and at == len(arguments):
                selection = styles_in(wanted, method, taken.blend)
            found = inputs.find(argument, selection)
            inputs.refuse_nested(output, found)
            for note in found.notes:
                screen.say(f"note: {note}")
            roles[-1].append(found)
    sources = [[source for found in several for source in found] for several in roles]
    if styles:
        sources[-1] = styles_of(roles[-1], taken.blend, taken.style_mix)
    return sources


def with_guides(
    pairs: Sequence[Pair], taken: InputOptions, screen: Screen, *, quiet: bool = False
) -> list[Pair]:
    """Give pairs their masks and maps; tell which have none, unless it is to be quiet.

    Raises:
        InputError: they cannot be found, or not be given so.
    """
    found, notes = guided(pairs, arguments_of(taken))
    for note in () if quiet else notes:
        screen.say(f"note: {note}")
    return found


def tell_renamed(renamed: Sequence[tuple[Pair, str]], screen: Screen) -> None:
    """Tell which results have another name than their template gives, and why."""
    for pair, why in renamed[:_TOLD]:
        screen.say(f"note: {pair.title} is called '{pair.output}': {why}")
    if len(renamed) > _TOLD:
        screen.say(f"note: and {len(renamed) - _TOLD} more have names of their own")
