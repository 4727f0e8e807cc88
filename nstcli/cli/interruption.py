"""Ctrl-C where there is something worth keeping: the first ends the work, the second drops it."""

import signal
from types import FrameType
from typing import Self

from nstcli.cli.screen import Screen


class Interruption:
    """Within it, Ctrl-C is remembered instead of raised; call it to ask for that."""

    def __init__(self, screen: Screen):
        self._screen = screen
        self._asked = False
        self._before = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> Self:
        signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def __call__(self) -> bool:
        """Tell whether the user wants no more."""
        return self._asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, self._before)
        self._screen.complain("stopping with the best picture so far; Ctrl-C again drops it")
