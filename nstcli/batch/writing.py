"""The output folder as the only writer sees it: what cannot be written ends the batch."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from nstcli.batch.events import PairFailed, PairFound
from nstcli.batch.plan import Pair
from nstcli.batch.results import Results
from nstcli.errors import InputError, StoppedError

# What passes as soon as there is room; a quota is a full disk for one user.
_FULL = {errno.ENOSPC, errno.EDQUOT}


def prepare(store: Results, failures: Sequence[PairFailed]) -> None:
    """Make the output folder ready, and write down the pairs that failed before the run.

    Raises:
        InputError: the folder cannot be made.
        StoppedError: it cannot be written to, or the disk is full.
    """
    try:
        store.prepare()
    except OSError as error:
        message = f"cannot write to '{store.where}': {error.strerror or error}"
        if error.errno in _FULL:
            raise StoppedError(message) from error
        raise InputError(f"{message}; choose another -o") from error
    with writing(store):
        for failure in failures:
            store.fail(failure.pair, failure.error, 0.0)


def forget_failures(pairs: Iterable[Pair], store: Results) -> list[PairFound]:
    """Forget why pairs could not be made that were found up to date; return each that had failed.

    A failure can outlive its cause: a kill at the wrong moment, a `--force` that failed, an input
    that could not be read for a while.

    Raises:
        StoppedError: the folder cannot be written to.
    """
    with writing(store):
        return [PairFound(pair) for pair in pairs if store.forget(pair)]


@contextmanager
def writing(store: Results) -> Iterator[None]:
    """Tell a problem of the output folder, which ends the batch, from one of a pair."""
    try:
        yield
    except OSError as error:
        raise StoppedError(
            f"cannot write to '{store.where}': {error.strerror or error}; "
            "what was finished is safe, the same command goes on from there"
        ) from error
