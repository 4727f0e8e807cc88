"""Events of a run. Progress bars, logs and tests listen to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nstcli.plan.pair import Pair
from nstcli.results.records import Record

if TYPE_CHECKING:  # telling of what is done already goes without it
    from torch import Tensor


@dataclass(frozen=True)
class WorkerReady:
    """A worker has loaded its network and is about to make pairs."""

    device: str
    precision: str


@dataclass(frozen=True)
class FewerWorkers:
    """Workers are not there that should be; the others go on."""

    why: str


@dataclass(frozen=True)
class PairStarted:
    """A pair begins; `number` counts from 1 to the pairs of this run."""

    number: int
    pair: Pair


@dataclass(frozen=True)
class PairStep:
    """The optimizer took a step from this loss; `done` is the share of the pair's work done.

    `picture` returns what it left, a tensor (1, 3, H, W) in [0, 1], while the step is told of; it
    is None where another process takes the steps.
    """

    pair: Pair
    step: int
    steps: int
    loss: float
    done: float
    picture: Callable[[], Tensor] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class PairDone:
    """A result and its record are on the disk."""

    pair: Pair
    record: Record


@dataclass(frozen=True)
class PairFailed:
    """A pair could not be made; the others go on."""

    pair: Pair
    error: str


@dataclass(frozen=True)
class PairFound:
    """A pair is up to date that was to be made, by another process, or was told as failed."""

    pair: Pair


@dataclass(frozen=True)
class Waiting:
    """All pairs that are left are in the hands of other processes; told at every look."""

    pairs: int
    first: bool


Event = (
    WorkerReady
    | FewerWorkers
    | PairStarted
    | PairStep
    | PairDone
    | PairFailed
    | PairFound
    | Waiting
)
Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Stage:
    """A picture on its way, encoded, as it was after a step."""

    step: int
    data: bytes


@dataclass(frozen=True)
class Made:
    """A finished picture, encoded, and what is known of it; an animation where one is wanted."""

    data: bytes
    record: Record
    animation: bytes | None = None


@dataclass(frozen=True)
class Failed:
    """Why there is none, after how many seconds."""

    error: str
    seconds: float


Outcome = Made | Failed
