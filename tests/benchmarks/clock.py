"""Taking times on a machine that does other things, too."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


def interleaved(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least seconds that each action took in so many rounds.

    The least, because whatever else runs on a machine only ever adds. In turns, so that a busy or
    a hot minute meets all of them; every other round goes backwards, so that none always follows
    the same neighbour. Each is called twice, and the second call counts: it finds caches and memory
    as the first has left them. A first round, not counted, compiles kernels.
    """
    best = dict.fromkeys(actions, float("inf"))
    order = list(actions)
    for number in range(rounds + 1):
        for name in sorted(actions, key=order.index, reverse=number % 2 == 0):
            actions[name]()
            started = time.perf_counter()
            actions[name]()
            seconds = time.perf_counter() - started
            if number:
                best[name] = min(best[name], seconds)
    return best


class Stopwatch:
    """Counts the seconds since it was made, but for those in `paused`."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """What it shows; to be asked while it runs."""
        return time.perf_counter() - self._started

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens inside."""
        stopped = time.perf_counter()
        try:
            yield
        finally:
            self._started += time.perf_counter() - stopped
