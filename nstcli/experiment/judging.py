"""Pictures before their judges, once all of them are made."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from backbones import BackboneError
from backbones.spec import Progress
from nstcli import images
from nstcli.engine.device import choose
from nstcli.errors import InputError
from nstcli.experiment.experiment import Contest, Entry
from nstcli.metrics.judge import Judge
from nstcli.metrics.judge import Pair as Bench
from nstcli.metrics.record import Metrics
from nstcli.plan.pair import Pair
from nstcli.results import records
from nstcli.results.records import Measured
from nstcli.run.driver import writing
from nstcli.text import shown

# Makes the judge of this name, and raises BackboneError where it cannot.
Call = Callable[[str], Judge]


def judge_all(contest: Contest, call: Call, max_pixels: int) -> Iterator[Pair]:
    """Judge every picture that was not, and yield its pair when that is on the disk.

    What cannot be judged is noted in the contest's failures, and yielded likewise.

    Raises:
        StoppedError: the output folder cannot be written to.
    """
    for name, waiting in contest.unjudged().items():
        try:
            judge = call(name)
        except BackboneError as error:
            for _, pair in waiting:
                contest.failures[pair.output] = f"not judged: {error}"
                yield pair
            continue
        # The same content and style next to each other, whoever painted: each is read once.
        waiting.sort(key=lambda each: (str(each[1].content), str(each[1].style)))
        for _, same in groupby(waiting, lambda each: (each[1].content, each[1].style)):
            yield from _judge_pair(contest, judge, list(same), max_pixels)


def _judge_pair(
    contest: Contest, judge: Judge, same: Sequence[tuple[Entry, Pair]], max_pixels: int
) -> Iterator[Pair]:
    """Judge all pictures of one content and one style."""
    bench: Bench | None = None
    for entry, pair in same:
        try:
            bench = bench or _bench(contest, judge, entry, pair, max_pixels)
            known = _measured(contest, judge.name, bench, pair)
        except (BackboneError, InputError) as error:
            contest.failures[pair.output] = f"not judged: {error}"
        else:
            with writing(contest.store):
                records.save_measured(contest.store.folder, pair.output, known)
            contest.measured[pair.output] = known
        yield pair


def _bench(contest: Contest, judge: Judge, entry: Entry, pair: Pair, max_pixels: int) -> Bench:
    """Read content and style as the contenders saw them."""
    record = contest.records[pair.output]
    size = entry.settings.recipe.size if entry.settings else max(record.width, record.height)
    content, style = (
        _input(path, sha256, size, max_pixels)
        for path, sha256 in (
            (pair.content, record.content_sha256),
            (pair.style, record.style_sha256),
        )
    )
    return judge.pair(content, style)


def _measured(contest: Contest, name: str, bench: Bench, pair: Pair) -> Measured:
    path = contest.store.path(pair)
    picture = images.decode(_bytes(path), shown(path))
    compared = bench.compare(_tensor(picture))
    return Measured(
        output_sha256=contest.records[pair.output].output_sha256,
        judge=name,
        values=_finite(compared.picture),
        baselines={"content": _finite(compared.content), "style": _finite(compared.style)},
    )


def _finite(metrics: Metrics) -> dict[str, float]:
    """Take the figures that there are: of a black picture, a relative error may be infinite."""
    return {name: value for name, value in asdict(metrics).items() if math.isfinite(value)}


def _input(path: Path, sha256: str, size: int, max_pixels: int) -> Tensor:
    data = _bytes(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{shown(path)}: changed while pictures were made; run it again")
    return _tensor(images.resize(images.decode(data, shown(path), max_pixels), size))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error


def _tensor(picture: images.Picture) -> Tensor:
    """Turn uint8 (H, W, 3) into (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(picture.rgb).permute(2, 0, 1)[None].float().div(255).contiguous()


def load_judge(
    name: str, device: str, *, offline: bool, progress: Callable[[str], Progress]
) -> Judge:
    """Load a judge onto the device that a user named, downloading what is not cached.

    Raises:
        BackboneError: its weights cannot be had.
        InputError: there is no such device.
    """
    return Judge.load(name, offline=offline, progress=progress, device=choose(device))
