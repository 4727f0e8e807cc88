"""Ctrl-C and SIGTERM while pairs are made: the first ends the work in order, the second at once."""

import signal
from contextlib import suppress
from types import FrameType
from typing import Self

from nstcli.cli.screen import Screen


class Interruption:
    """Within it, the first signal is remembered instead of raised.

    A signal that is ignored stays so: a shell without job control, or `nohup`, wants that of what
    runs in the background.

    Attributes:
        exit_code: 130 after Ctrl-C, 143 after SIGTERM, None while nobody asked for an end.
    """

    def __init__(self, screen: Screen, keeps_best: bool):
        self.exit_code: int | None = None
        self._screen = screen
        self._keeps_best = keeps_best
        before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        self._before = {each: old for each, old in before.items() if old is not signal.SIG_IGN}

    def __enter__(self) -> Self:
        for each in self._before:
            signal.signal(each, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    @property
    def asked(self) -> bool:
        """Whether somebody wants an end."""
        return self.exit_code is not None

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.exit_code = 128 + number
        for each, handler in self._before.items():
            signal.signal(each, handler)
        with suppress(RuntimeError):  # the signal came in the middle of another line's printing
            self._screen.complain(
                "stopping with the best picture so far; Ctrl-C again drops it"
                if self._keeps_best
                else "stopping; what is finished is safe. Ctrl-C again stops at once"
            )
