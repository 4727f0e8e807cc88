"""Animations of how a picture came about: frames at even changes, the last of them held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# uint8 (H, W, 3); all of one animation have one shape.
Frame = NDArray[np.uint8]

# Frames a second where there are enough of them. Where there are few, none stays for longer than
# the other number of seconds.
_RATE, _SLOWEST = 12.5, 0.25
# Seconds that the finished picture stays, and of short animations this share.
_HOLD, _HELD_SHARE = 1.5, 0.3
_QUALITY = 85


@dataclass(frozen=True)
class Pace:
    """How fast an animation goes.

    Attributes:
        seconds: that it takes at most.
        boomerang: it runs back to its start.
    """

    seconds: float = 6.0
    boomerang: bool = False

    @property
    def most(self) -> int:
        """How many different frames there may be."""
        moving = int((self.seconds - self.hold) * _RATE)
        return max(2, moving // 2 + 1 if self.boomerang else moving + 1)

    @property
    def hold(self) -> float:
        """Seconds that the finished picture stays."""
        return min(_HOLD, _HELD_SHARE * self.seconds)

    def played(self, count: int) -> tuple[list[int], list[float]]:
        """Return the numbers of the frames in the order in which they are shown, and their seconds.

        Args:
            count: of the frames that there are.
        """
        order = [*range(count)]
        if self.boomerang:
            order += range(count - 2, 0, -1)
        moving = max(1, len(order) - 1)
        # None stays longer than the finished one.
        each = min(_SLOWEST, self.hold, (self.seconds - self.hold) / moving)
        return order, [self.hold if n == count - 1 else each for n in order]


class Film:
    """Frames of one picture as it changes; of many, those are kept between which it changes evenly.

    Args:
        most: that `frames` gives; twice as many are kept meanwhile.
    """

    def __init__(self, most: int):
        self._most = most
        self._kept: list[Frame] = []

    def add(self, frame: Frame) -> None:
        """Take a frame; one that shows nothing new is not kept."""
        if self._kept and _change(self._kept[-1], frame) == 0:
            return
        self._kept.append(frame)
        if len(self._kept) >= 2 * self._most:
            self._kept = spaced(self._kept, self._most)

    def frames(self) -> list[Frame]:
        """Return the frames, at most as many as wanted, the first and the last among them."""
        return spaced(self._kept, self._most)


def spaced(frames: Sequence[Frame], most: int) -> list[Frame]:
    """Choose at most so many frames between which the picture changes evenly.

    The first and the last are among them. How much it changes is the sum of the mean differences
    of all the frames in between, so that a picture that goes to and fro counts as changing.
    """
    if len(frames) <= most:
        return list(frames)
    path = [0.0, *accumulate(_change(a, b) for a, b in pairwise(frames))]
    wanted = np.linspace(0, path[-1], most)
    nearest = {int(np.abs(np.subtract(path, at)).argmin()) for at in wanted}
    return [frames[n] for n in sorted({0, *nearest, len(frames) - 1})][:most]


def _change(before: Frame, after: Frame) -> float:
    """Return the mean difference of two frames, in levels."""
    return float(np.abs(before.astype(np.int16) - after).mean())


def animated(frames: Sequence[Frame], format: str, pace: Pace) -> bytes:
    """Encode an animation, that of a gif or webp without end.

    mp4 needs the package imageio-ffmpeg; of an odd edge, it loses a line of pixels.
    """
    import imageio.v3 as iio

    how: dict[str, Any]
    frames = spaced(frames, pace.most)
    order, seconds = pace.played(len(frames))
    if format == "mp4":
        height, width = (max(2, edge // 2 * 2) for edge in frames[0].shape[:2])
        rate = 1 / min(seconds)
        shown = [
            n for n, each in zip(order, seconds, strict=True) for _ in range(round(each * rate))
        ]
        even = np.stack([_at_least_two(frames[n])[:height, :width] for n in shown])
        how = {"fps": rate, "macro_block_size": 2}
        data: bytes = iio.imwrite("<bytes>", even, extension=".mp4", plugin="FFMPEG", **how)
        return data
    milliseconds = [int(100 * each) * 10 for each in seconds]  # gif counts in hundredths
    timing = milliseconds if len(order) > 1 else milliseconds[0]
    how = {"duration": timing, "loop": 0}
    if format == "webp":
        how |= {"quality": _QUALITY, "method": 4}
    played = np.stack([frames[n] for n in order])
    data = iio.imwrite("<bytes>", played, extension=f".{format}", plugin="pillow", **how)
    return bytes(data)


def _at_least_two(frame: Frame) -> Frame:
    """Repeat the lines of a frame that has but one."""
    return np.pad(
        frame, [(0, max(0, 2 - edge)) for edge in frame.shape[:2]] + [(0, 0)], mode="edge"
    )
