"""What became of the pairs of a run: counted while it goes on, told at its end."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import typer
from rich.text import Text

from nstcli.cli.screen import Screen, abandon
from nstcli.results.store import Results
from nstcli.run.events import Event, PairDone, PairFailed, PairFound
from nstcli.text import duration, plural, stored


@dataclass
class Tally:
    """A listener to the events of a run, with what was known before it."""

    store: Results
    cached: int
    failures: list[PairFailed]
    made: int = 0
    elsewhere: int = 0
    ended: int = 0
    started: float = field(default_factory=time.monotonic)

    def __call__(self, event: Event) -> None:
        """Count what has ended."""
        self.ended += isinstance(event, PairDone | PairFound | PairFailed)
        if isinstance(event, PairDone):
            self.made += 1
        elif isinstance(event, PairFound):
            self.elsewhere += 1
        elif isinstance(event, PairFailed):
            self.failures.append(event)

    def counts(self) -> str:
        """Say it in one line."""
        parts = [
            (self.made, "made"),
            (self.elsewhere, "made by another process"),
            (self.cached, "cached"),
            (len(self.failures), "failed"),
        ]
        counts = ", ".join(f"{n} {what}" for n, what in parts if n) or "nothing made"
        return f"{counts} in {duration(time.monotonic() - self.started)}"

    def show(self, screen: Screen, where: object) -> None:
        """Say it at length: the counts, where the results are, what failed and why."""
        nothing = not (self.made or self.elsewhere or self.cached)
        screen.say(f"Done: {self.counts()}" + ("" if nothing else f" → {where}"))
        for line in self.failure_lines():
            screen.complain(line)
        if self.failures:
            these = "failed pair" if len(self.failures) == 1 else "failed pairs"
            screen.complain(f"Re-run the same command to retry only the {these}.")

    def print_json(self, exit_code: int) -> None:
        """Print a summary for programs, one line on the standard output.

        In ASCII: an output stream that cannot encode a letter would make it no JSON any more.
        """
        summary = {
            "made": self.made,
            "made_elsewhere": self.elsewhere,
            "cached": self.cached,
            "failed": len(self.failures),
            "seconds": round(time.monotonic() - self.started, 3),
            "output": stored(self.store.where),
            "exit_code": exit_code,
            "failures": [
                {
                    "content": stored(failure.pair.content),
                    "style": stored(failure.pair.style),
                    "result": failure.pair.output,
                    "error": failure.error,
                }
                for failure in self.failures
            ],
        }
        try:
            typer.echo(json.dumps(summary))
        except BrokenPipeError:  # nobody reads it; the results are what counts
            abandon(sys.stdout)

    def failure_lines(self) -> Iterator[Text]:
        """Describe the failures, a line for each cause."""
        for error, failed in self._by_cause().items():
            titles = failed[0].pair.title if len(failed) == 1 else plural(len(failed), "pair")
            yield Text.assemble("  ", ("✗ ", "red"), titles, "   ", error)

    def _by_cause(self) -> dict[str, list[PairFailed]]:
        causes: dict[str, list[PairFailed]] = defaultdict(list)
        for failure in self.failures:
            causes[failure.error].append(failure)
        return causes
