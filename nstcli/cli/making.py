"""What the commands that make pairs have in common: look, ask, make, report."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from nstcli.cli.dry_run import print_plan
from nstcli.cli.interruption import Interruption
from nstcli.cli.progress import working
from nstcli.cli.screen import Screen
from nstcli.cli.tally import Tally
from nstcli.config.options import (
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.errors import InputError, StoppedError
from nstcli.images import DEFAULT_MAX_PIXELS
from nstcli.plan import inputs
from nstcli.plan.inputs import Found
from nstcli.plan.pair import Job, Pair
from nstcli.plan.walk import Rules
from nstcli.results.records import Form
from nstcli.results.state import State
from nstcli.results.store import Results
from nstcli.run import backends
from nstcli.run.check import CONSENT, broken, refusal, refuse_inputs_as_outputs, survey
from nstcli.run.driver import forget_failures, prepare, run
from nstcli.run.events import Event, Listener, PairStep, WorkerReady
from nstcli.run.settings import Execution, Settings, settle
from nstcli.text import plural


@dataclass(frozen=True)
class Order:
    """What a command wants made, and how.

    Attributes:
        listeners: hear every event, besides the screen.
        keep_best: an interruption writes the best picture so far; else it drops the running pair.
        finish: called at the end, however it comes; returns what to name as the place of results.
        advice: what to do about results in the way.
    """

    pairs: Sequence[Pair]
    store: Results
    recipe: RecipeOptions
    written: OutputOptions
    execution: ExecutionOptions
    messages: MessageOptions
    format: str
    dry_run: bool = False
    keep_best: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS
    strict: bool = False
    listeners: Sequence[Listener] = ()
    finish: Callable[[], object] | None = None
    advice: str = CONSENT


def run_pairs(order: Order, screen: Screen) -> int:
    """Make the pairs that are not up to date, and return the exit code that this earns.

    Raises:
        InputError: results are in the way and `--overwrite` was not given; or, with `strict`, a
            picture cannot be used.
        StoppedError: the output folder cannot be written to, or a pair failed and the user wants
            the first failure to be the last.
        BackboneError: the backbone or its weights cannot be had.
    """
    refuse_inputs_as_outputs(order.pairs, order.store)
    settings = _settings(order, screen)
    standings, failures = survey(order.pairs, settings, order.store)
    todo = [s for s in standings if order.written.force or s.state is not State.UP_TO_DATE]
    bad = broken([s.job.pair for s in todo], order.max_pixels)
    failures += bad
    if order.dry_run:
        print_plan(
            standings,
            failures,
            settings,
            order.store,
            screen,
            precision=order.execution.precision,
            as_json=order.messages.as_json,
        )
        return 0
    if order.strict and failures:
        raise InputError(f"{failures[0].error}; --strict makes nothing then")
    if not order.written.overwrite:
        problem = refusal(standings, settings, order.store, order.advice)
        if problem:
            raise InputError(problem)
    unusable = {failure.pair for failure in bad}
    jobs = [s.job for s in todo if s.job.pair not in unusable]
    tally = Tally(order.store, len(standings) - len(todo), failures)
    screen.say(_header(order.pairs, tally.cached, settings))
    for line in tally.failure_lines() if jobs else ():  # else the end says it at once
        screen.say(line)
    done = [s.job.pair for s in standings if s.state is State.UP_TO_DATE]
    code = _outcome(order, jobs, done, settings, tally, screen)
    if order.messages.as_json:
        tally.print_json(code)
    return code


def _outcome(
    order: Order,
    jobs: Sequence[Job],
    done: Sequence[Pair],
    settings: Settings,
    tally: Tally,
    screen: Screen,
) -> int:
    """Make the jobs, tell what became of them, and return the exit code."""
    interruption = Interruption(screen, order.keep_best)
    try:
        _tell(order, forget_failures(done, order.store))
        failed_already = order.execution.fail_fast and tally.failures
        if not jobs or failed_already:
            prepare(order.store, tally.failures)
            _tell(order, tally.failures)
        if failed_already:
            first = tally.failures[0]
            raise StoppedError(f"stopped at the first failure: {first.pair.title}: {first.error}")
        if jobs:
            _make(order, jobs, settings, tally, screen, interruption)
    except (KeyboardInterrupt, StoppedError) as error:
        _finish(order)
        how = "Stopped" if isinstance(error, StoppedError) else "Interrupted"
        screen.complain(f"{how}: {tally.counts()}. Re-run the same command for the rest.")
        if isinstance(error, StoppedError):
            screen.complain(f"nst: {error}")
            return 3
        return interruption.exit_code or 130
    if order.store.warning:
        screen.complain(f"warning: {order.store.warning}")
    tally.show(screen, _finish(order))
    return interruption.exit_code or (1 if tally.failures else 0)


def _tell(order: Order, events: Iterable[Event]) -> None:
    """Let the listeners know of what happened before the run, such as pairs that failed."""
    for event in events:
        for listener in order.listeners:
            listener(event)


def _finish(order: Order) -> object:
    return order.finish() if order.finish else order.store.where


def _settings(order: Order, screen: Screen) -> Settings:
    recipe, written = order.recipe, order.written
    return settle(
        recipe.model,
        recipe.weights,
        recipe.choices(),
        form=Form(order.format, written.quality, written.metadata),
        offline=order.execution.offline,
        progress=screen.downloading,
    )


def _make(
    order: Order,
    jobs: Sequence[Job],
    settings: Settings,
    tally: Tally,
    screen: Screen,
    interruption: Interruption,
) -> None:
    """Make every job, with everybody listening.

    Raises:
        KeyboardInterrupt: somebody wanted an end, and pairs are left.
    """
    execution = _execution(order, len(jobs))
    settings.fetch(execution.offline, screen.downloading(settings.title))
    known = list(tally.failures)
    with ExitStack() as stack:
        stack.enter_context(interruption)
        show = stack.enter_context(working(screen, len(jobs), settings.recipe.steps))

        def listen(event: Event) -> None:
            for listener in (tally, *order.listeners, show):
                listener(event)
            if isinstance(event, WorkerReady):  # the folder is there now
                _tell(order, known)
                known.clear()
            if isinstance(event, PairStep) and interruption.asked and not order.keep_best:
                raise KeyboardInterrupt

        run(
            jobs,
            settings,
            backends.get(execution),
            execution,
            order.store,
            listen,
            failures=tuple(known),
            overwrite=order.written.overwrite,
            force=order.written.force,
            fail_fast=order.execution.fail_fast,
            stop=lambda: interruption.asked,
        )
    if interruption.asked and tally.ended < len(jobs):
        raise KeyboardInterrupt


def _execution(order: Order, pairs: int) -> Execution:
    """Return by what means an order is to be made, with no more workers than there are pairs.

    Raises:
        InputError: several workers are wanted of the backend that has one.
    """
    options, together = order.execution, order.execution.pairs_per_step
    if options.backend == "local" and options.jobs > 1:
        raise InputError("--backend local is one worker; leave it out for several --jobs")
    return Execution(
        device=options.device,
        precision=options.precision,
        jobs=min(options.jobs, pairs),
        pairs_per_step=None if together == "auto" else together,
        timeout=options.timeout,
        offline=options.offline,
        max_pixels=order.max_pixels,
        backend=options.backend or "auto",
    )


def _header(pairs: Sequence[Pair], cached: int, settings: Settings) -> str:
    recipe = settings.recipe
    contents, styles = (len({getattr(p, role) for p in pairs}) for role in ("content", "style"))
    of = f"{plural(contents, 'content')} {{}} {plural(styles, 'style')}"
    # Of a part of a batch, and of contents with a style each, the product would be no truth.
    whole = len(pairs) == contents * styles
    parts = f": {of.format('×')}" if whole else f" of {of.format('and')}"
    return (
        plural(len(pairs), "pair")
        + (parts if pairs else "")
        + (f", {cached} cached" if cached else "")
        + f" · {recipe.model} {settings.weight_set.name} · {recipe.size} px"
        f" · {plural(recipe.steps, 'step')}"
    )


# How many results with unexpected names are told one by one.
_TOLD = 5


def find_pictures(
    arguments: tuple[str, str], taken: InputOptions, output: Path, screen: Screen
) -> tuple[Found, Found]:
    """Find contents and styles, and tell what was left out.

    Raises:
        InputError: there are none, or the output folder would be taken for one of theirs.
    """
    rules = Rules(taken.recursive, taken.include, taken.exclude, taken.strict)
    contents, styles = (inputs.find(argument, rules) for argument in arguments)
    for found in (contents, styles):
        inputs.refuse_nested(output, found)
        for note in found.notes:
            screen.say(f"note: {note}")
    return contents, styles


def tell_renamed(renamed: Sequence[tuple[Pair, str]], screen: Screen) -> None:
    """Tell which results have another name than their template gives, and why."""
    for pair, why in renamed[:_TOLD]:
        screen.say(f"note: {pair.title} is called '{pair.output}': {why}")
    if len(renamed) > _TOLD:
        screen.say(f"note: and {len(renamed) - _TOLD} more have names of their own")
