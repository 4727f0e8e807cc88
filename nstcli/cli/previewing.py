"""`--preview`: how to choose from it, for its gallery and for the end of its run."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

from nstcli.cli.command_line import without
from nstcli.cli.groups import PREVIEWS
from nstcli.cli.screen import Screen
from nstcli.experiments.kept import Once
from nstcli.plan.layout import Layout
from nstcli.report.choosing import Choosing

# What a preview is given that its full pictures are not, with the number of words that follow.
_NOT_AGAIN = {
    "--dry-run": 0,
    "-n": 0,
    "--overwrite": 0,
    "--force": 0,
    "-f": 0,
    "--cells": 1,
    "--where": 1,
}


def full_command(arguments: Sequence[str], of_preview: Collection[str] = ()) -> str:
    """Return the command that makes at full size what a preview shows, for this system's shell.

    Args:
        arguments: of the program, behind its name.
        of_preview: options with a value that only previews have.
    """
    not_again = {**_NOT_AGAIN, **dict.fromkeys(of_preview, 1)}
    # Its kind is a word of its own, where one is said.
    after = dict(pairwise(arguments)).get("--preview")
    not_again["--preview"] = int(after in PREVIEWS)
    kept = ["nst", *without(arguments, not_again)]
    return subprocess.list2cmdline(kept) if os.name == "nt" else shlex.join(kept)


class ChoosingFrom:
    """Leaves in a preview's folder how to choose from it, and says so at the end."""

    def __init__(
        self,
        layout: Layout,
        cells: Mapping[str, str],
        screen: Screen,
        of_preview: Collection[str] = (),
    ):
        self._command = full_command(sys.argv[1:], of_preview)
        self._screen = screen
        choosing = Choosing(self._command, cells)
        self.listener = Once(layout, lambda: choosing.write(layout), self._complain)

    def finish(self) -> None:
        """Write it where nothing was to be made, and say how to go on."""
        self.listener.finish()
        self._screen.say(f"mark pictures in the gallery, or: {self._command} --cells CELLS")

    def _complain(self, why: str) -> None:
        self._screen.complain(f"warning: nothing can be marked in the gallery: {why}")


def in_turn(*finishes: Callable[[], object]) -> Callable[[], object]:
    """Return what calls these one after the other, and returns what the last of them does."""

    def finish() -> object:
        return [each() for each in finishes][-1]

    return finish
