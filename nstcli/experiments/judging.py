"""Judge the pictures of an experiment, once all of them are made."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from torch import Tensor

from backbones import BackboneError
from backbones.spec import Progress
from nstcli import images
from nstcli.engine.device import choose
from nstcli.errors import InputError
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.trained import Artwork
from nstcli.measures import MEASURES, Metrics
from nstcli.methods import METHODS, OPTIMIZE
from nstcli.metrics.judge import Judge, JudgedPair
from nstcli.plan.pair import Pair
from nstcli.recipe import OFF, aspect_of
from nstcli.results.records import Measured
from nstcli.run.driver import writing
from nstcli.run.pixels import tensor_of
from nstcli.terms import INPUTS, Role
from nstcli.text import shown

# Longest edge, how many times larger than that, and the shape that was cut out, if one was.
_View = tuple[int, float, tuple[int, int] | None]

# Makes the judge of this name with this witness, and raises BackboneError where it cannot.
LoadJudge = Callable[[str, str], Judge]


def judge_all(experiment: Experiment, load: LoadJudge, max_pixels: int) -> Iterator[Pair]:
    """Judge every picture that was not, and yield its pair when that is on the disk.

    What cannot be judged is noted in the experiment's failures, and yielded likewise.

    Raises:
        StoppedError: the output folder cannot be written to.
    """
    for name, waiting in experiment.unjudged().items():
        try:
            judge = load(name, experiment.witness)
        except BackboneError as error:
            for _, pair in waiting:
                experiment.failures[pair.output] = f"not judged: {error}"
                yield pair
            continue
        pairs = [pair for _, pair in waiting]
        # The same content and style in one size next to each other, whoever painted: each is read
        # once.
        pairs.sort(key=lambda pair: [*map(str, pair.paths), str(_seen(experiment, pair))])
        for _, same in groupby(pairs, lambda pair: (pair.inputs, _seen(experiment, pair))):
            yield from _judge_pair(experiment, judge, list(same), max_pixels)


def _judge_pair(
    experiment: Experiment, judge: Judge, same: Sequence[Pair], max_pixels: int
) -> Iterator[Pair]:
    """Judge all pictures of one content and one style, in one size."""
    judged: JudgedPair | None = None
    for pair in same:
        try:
            judged = judged or _read_inputs(experiment, judge, pair, max_pixels)
            known = _measured(experiment, judge, judged, pair)
        except (BackboneError, InputError) as error:
            experiment.failures[pair.output] = f"not judged: {error}"
        else:
            with writing(experiment.store):
                experiment.store.save_measured(pair.output, known)
            experiment.measured[pair.output] = known
        yield pair


def _read_inputs(experiment: Experiment, judge: Judge, pair: Pair, max_pixels: int) -> JudgedPair:
    """Read content and style as those saw them that painted.

    Of a style that is a network the artwork may not be known. The content stands for it then, and
    what is measured against it is left out; see `_finite`.

    Raises:
        InputError: one of them cannot be read, or there is none.
    """
    for role in INPUTS:
        if role not in pair.roles:
            raise InputError(f"{pair.title} has no {role} to be held against")
    record, seen = experiment.records[pair.output], _seen(experiment, pair)
    photo = record.input("content")
    content = _input(pair.path("content"), photo.sha256, max_pixels, seen["content"])
    artwork = _artwork_of(experiment, pair)
    if artwork is None:
        return judge.pair(content, content)
    if len(pair.of_role("style")) > 1:
        raise InputError("a judge compares with one artwork, and not with a blend")
    return judge.pair(content, _input(artwork.path, artwork.sha256, max_pixels, seen["style"]))


def _artwork_of(experiment: Experiment, pair: Pair) -> Artwork | None:
    """Return the artwork of a picture, None where its style is a network of which none is known."""
    record = experiment.records[pair.output]
    method = METHODS.get(record.recipe.get("method", OPTIMIZE))
    if method and method.networks:
        return experiment.artworks.get(pair.output)
    return Artwork(pair.path("style"), record.input("style").sha256)


def _seen(experiment: Experiment, pair: Pair) -> dict[Role, _View]:
    """Return how content and style were looked at."""
    record = experiment.records[pair.output]
    shape, recipe = (record.width, record.height), {**OFF, **record.recipe}
    longest = max(shape)
    # What was finished or enlarged beyond its size is judged beside an artwork that is as large.
    size = max(longest, int(recipe.get("size", longest)))
    return {
        "content": (longest, 1.0, aspect_of(recipe["center_crop"])),
        "style": (size, float(recipe["style_scale"]), shape if recipe["fit"] == "crop" else None),
    }


def _measured(experiment: Experiment, judge: Judge, judged: JudgedPair, pair: Pair) -> Measured:
    path, record = experiment.store.path(pair), experiment.records[pair.output]
    picture = images.decode(_bytes(path), shown(path))
    compared = judged.compare(tensor_of(picture))
    near = INPUTS if _artwork_of(experiment, pair) else INPUTS[:1]
    baselines = {"content": compared.content, "style": compared.style}
    return Measured(
        output_sha256=record.output_sha256,
        judge=judge.name,
        witness=judge.witness.backbone.name,
        values=_finite(compared.picture, near),
        baselines={role: _finite(baselines[role], near) for role in near},
    )


def _finite(metrics: Metrics, near: Collection[Role]) -> dict[str, float]:
    """Take the figures that there are: of a black picture, a relative error may be infinite.

    They are those that hold a picture against one of these inputs.
    """
    return {
        name: value
        for name, value in asdict(metrics).items()
        if math.isfinite(value) and MEASURES[name].near in near
    }


def _input(path: Path, sha256: str, max_pixels: int, view: _View) -> Tensor:
    data = _bytes(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{shown(path)}: changed while pictures were made; run it again")
    (longest, scale, aspect), picture = view, images.decode(data, shown(path), max_pixels)
    picture = images.cropped(picture, aspect) if aspect else picture
    return tensor_of(images.resize(picture, longest, scale))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error


def load_judge(
    name: str, witness: str, device: str, *, offline: bool, progress: Callable[[str], Progress]
) -> Judge:
    """Load a judge onto the device that a user named, downloading what is not cached.

    Raises:
        BackboneError: its weights cannot be had.
        InputError: there is no such device.
    """
    return Judge.load(name, witness, offline=offline, progress=progress, device=choose(device))
