"""Check what is to be made: how each pair stands, what cannot be made, what is in the way."""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from backbones import Backbone, BackboneError, weights
from backbones.paths import is_folder, resolved
from nstcli import images
from nstcli.config.options import OutputOptions
from nstcli.errors import InputError
from nstcli.methods import METHODS, NETWORK_SUFFIXES
from nstcli.plan.pair import Input, Pair
from nstcli.plan.walk import trouble
from nstcli.recipe import OFF, Recipe, effective
from nstcli.remembered import digest
from nstcli.results.records import LOSSY, Before, digests_by_role
from nstcli.results.state import State
from nstcli.results.store import Results
from nstcli.run.events import PairFailed
from nstcli.run.framing import FINISH, canvas_of, sizes_of
from nstcli.run.job import Execution, Job, Settings
from nstcli.run.pace import scale_shapes
from nstcli.terms import Role
from nstcli.text import shown

if TYPE_CHECKING:
    from nstcli.engine.memory import Needs
    from nstcli.engine.methods import NetworkPainter, TilingPainter

# Decoders let other threads run; beyond a few, the disk and the memory are what is short.
_THREADS = 4
# Pictures that cannot be used which are told one by one.
_TOLD = 5

# Pixels from which pictures are decoded one at a time: from here on, one takes 300 MB or more.
_LARGE = 50_000_000
_one_large = threading.Lock()


@dataclass(frozen=True)
class Rules:
    """What a run is asked for.

    Attributes:
        overwrite: what lies under the names of results may be replaced, whoever made it.
        force: make also what is up to date.
        fail_fast: the first pair that fails is the last.
        keep_best: a run that is stopped keeps the best pictures so far; else it drops them.
        max_pixels: that a picture may have before it is decoded.
    """

    overwrite: bool = False
    force: bool = False
    fail_fast: bool = False
    keep_best: bool = False
    max_pixels: int = images.DEFAULT_MAX_PIXELS

    @classmethod
    def of(cls, options: OutputOptions, max_pixels: int, **rules: bool) -> Rules:
        """Return what options ask for; the rules that they do not have are given beside them."""
        return cls(options.overwrite, options.force, max_pixels=max_pixels, **rules)


@dataclass(frozen=True)
class Standing:
    """A pair before the run: what would make it, and how it stands."""

    job: Job
    state: State


@dataclass(frozen=True)
class Foretold:
    """What the largest of some pairs will take.

    Attributes:
        memory: bytes at its peak.
        tile: rows and columns of pixels that it is looked at in at full size; None for all at once.
        work: of its steps, by that without tiles.
        free: bytes that there are.
    """

    memory: int
    tile: tuple[int, int] | None = None
    work: float = 1.0
    free: float = math.inf


@dataclass(frozen=True)
class Checked:
    """What is known before anything is made.

    Attributes:
        results: where the results go.
        rules: what the run is asked for.
        standings: of the pairs whose inputs could be read.
        failures: the pairs that cannot be made, and why.
    """

    results: Results
    rules: Rules
    standings: tuple[Standing, ...]
    failures: tuple[PairFailed, ...]

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """What is to be made."""
        return tuple(standing.job for standing in self._usable if self._wanted(standing))

    @property
    def up_to_date(self) -> list[Pair]:
        """The pairs that are as they should be."""
        return [s.job.pair for s in self.standings if s.state is State.UP_TO_DATE]

    @property
    def cached(self) -> int:
        """How many pairs need not be made."""
        return sum(not self._wanted(s) for s in self.standings)

    def part(self, pairs: Iterable[Pair]) -> Checked:
        """Return what of these pairs is to be made, alone."""
        wanted = {job.pair for job in self.jobs} & set(pairs)
        standings = tuple(s for s in self.standings if s.job.pair in wanted)
        return replace(self, standings=standings, failures=())

    def in_the_way(self, pairs: Iterable[Pair] | None = None) -> str:
        """Say what a user has to agree to before these pairs (or all) are made; may be empty."""
        if self.rules.overwrite:
            return ""
        wanted = None if pairs is None else set(pairs)
        standings = [s for s in self.standings if wanted is None or s.job.pair in wanted]
        touchy = [standing for standing in standings if standing.state.needs_consent]
        problems = []
        for state, count in Counter(standing.state for standing in touchy).items():
            changes = self._changes(touchy) if state is State.STALE else ""
            why = f" ({changes})" if changes else ""
            where = self.results.where
            subject = (
                f"'{where}'"
                if self.results.path(touchy[0].job.pair) == where
                else f"{count} of {len(standings)} results in '{where}'"
            )
            problems.append(f"{subject} {_said_of(state, count)}{why}.")
        return " ".join(problems)

    def refuse_failures(self, strict: str = "--strict") -> None:
        """Make nothing where a pair cannot be made; `strict` is how the user asked for that.

        Raises:
            InputError: there is one.
        """
        errors = [*dict.fromkeys(failure.error for failure in self.failures)]
        if errors:
            more = f"; and {len(errors) - _TOLD} more" if len(errors) > _TOLD else ""
            raise InputError(f"{'; '.join(errors[:_TOLD])}{more}; {strict} makes nothing then")

    def reason(self, standing: Standing) -> str:
        """Say why a pair stands as it does, as far as there is more to say than its state."""
        output = standing.job.pair.output
        before = self.results.before(output)
        if before and standing.state is State.STALE:
            return ", ".join(differences(before, standing.job))
        if standing.state is State.FAILED:
            return self.results.failure(output) or ""
        return ""

    def foretold(self, execution: Execution) -> Foretold:
        """Tell what the largest pair will take by these means, in float32 unless forced.

        Networks are built with random weights for it: nothing is downloaded. This imports torch.
        """
        jobs = [standing.job for standing in self._usable]
        found = [_memory_of(same, execution) for same in _by_needs(jobs)]
        return max(found, key=lambda each: each.memory, default=Foretold(0))

    @property
    def _usable(self) -> list[Standing]:
        """How the pairs stand whose pictures can be used, as far as they were looked at."""
        bad = {failure.pair for failure in self.failures}
        return [standing for standing in self.standings if standing.job.pair not in bad]

    def _wanted(self, standing: Standing) -> bool:
        return self.rules.force or standing.state is not State.UP_TO_DATE

    def _changes(self, touchy: Sequence[Standing]) -> str:
        """Name the settings that differ, most frequent first."""
        changes: Counter[str] = Counter()
        for standing in touchy:
            before = self.results.before(standing.job.pair.output)
            if before and standing.state is State.STALE:
                changes.update(differences(before, standing.job))
        named = [change for change, _ in changes.most_common(4)]
        return ", ".join(named) + (", …" if len(changes) > len(named) else "")


def check(
    pairs: Sequence[tuple[Pair, Settings]], results: Results, rules: Rules | None = None
) -> Checked:
    """Look at every pair's inputs and at what lies where its result goes.

    Each input is hashed once, whatever number of pairs it is in; of pairs that are to be made,
    each is decoded, as only that finds every damage. What the network cannot see any more, or the
    format not hold, is found as well.

    Args:
        pairs: each with the settings that make it.
        results: where the results go.
        rules: what the run is asked for.

    Raises:
        InputError: a result would take the place of an input; or something lies under a result's
            name that cannot be read, or is no file.
    """
    known = survey(pairs, results, rules or Rules())
    bad = _unusable(known.jobs, known.rules.max_pixels)
    return replace(known, failures=(*known.failures, *bad))


def survey(pairs: Sequence[tuple[Pair, Settings]], results: Results, rules: Rules) -> Checked:
    """Do what `check` does, but decode nothing: some of the pairs may have bad pictures."""
    _refuse_inputs_as_outputs([pair for pair, _ in pairs], results)
    digests = results.digests.of(path for pair, _ in pairs for path in pair.paths)
    results.digests.of(results.path(pair) for pair, _ in pairs)  # several at a time, for later
    standings, failures = [], []
    for pair, settings in pairs:
        found = [digests[path] for path in pair.paths]
        sha256 = [each for each in found if isinstance(each, str)]
        if len(sha256) == len(found):
            job = Job.of(pair, settings, *sha256)
            standings.append(Standing(job, state_of(job, results)))
        else:
            path = next(p for p in pair.paths if isinstance(digests[p], InputError))
            failures.append(PairFailed(pair, f"{shown(path)}: {digests[path]}"))
    return Checked(results, rules, tuple(standings), tuple(failures))


def state_of(job: Job, results: Results) -> State:
    """Tell how a job stands, with what is wanted beside its result.

    Raises:
        InputError: what lies there cannot be read, or is none that a result could replace.
    """
    state = results.state(job.pair, job.key)
    wanted = job.settings.form.stages
    if state is State.UP_TO_DATE and wanted.any:
        lacks = results.stages(job.pair).lacks(job.key, wanted)
        return State.WITHOUT_STAGES if lacks else state
    return state


def differences(before: Before, job: Job) -> list[str]:
    """Name what differs between a result and the job under its name."""
    # What has no effect now is no difference, unless it was turned off; what had none before is
    # one, if it is not the same.
    old = {**OFF, **before.recipe}
    turned_off = {name: value for name, value in OFF.items() if name in effective(old)}
    new = {**turned_off, **job.settings.recipe.effective()}
    changes = [
        f"{name.replace('_', '-')} {_short(old[name])} → {_short(new[name])}"
        if name in old
        else f"{name.replace('_', '-')} {_short(new[name])}"
        for name in new
        # A digest that came or went did so with an option, which says more.
        if old.get(name) != new[name] and "" not in (old.get(name), new[name])
    ]
    then, now = before.digests, digests_by_role(job.inputs)
    changes += [
        f"{role} image changed" for role in {**then, **now} if then.get(role) != now.get(role)
    ]
    form = job.settings.form
    if before.quality not in (None, form.quality) and form.format in LOSSY:
        changes.append(f"quality {before.quality} → {form.quality}")
    if before.bits not in (None, form.bits):
        changes.append(f"bits {before.bits} → {form.bits}")
    return changes


def _short(value: object) -> str:
    """Write a setting the way users do: layers by name, digests by their start."""
    if isinstance(value, dict):
        return ",".join(name if w == 1 else f"{name}={w:g}" for name, w in value.items())
    text = str(value)
    return text[:8] if len(text) == 64 else text


def _said_of(state: State, count: int) -> str:
    """Say how so many results stand."""
    if count == 1:
        return f"was {state.words}"
    return f"were {state.words.replace('it was', 'they were')}"


def _refuse_inputs_as_outputs(pairs: Sequence[Pair], results: Results) -> None:
    """Keep results from taking the place of photos and artworks.

    Raises:
        InputError: a result would have the path of an input.
    """
    inputs = {resolved(path) for path in {path for pair in pairs for path in pair.paths}}
    for pair in pairs:
        path = results.path(pair)
        if resolved(path) in inputs:
            raise InputError(
                f"the result of {pair.title} would replace its input '{shown(path)}'; "
                "choose another -o"
            )


def _unusable(jobs: Sequence[Job], max_pixels: int) -> list[PairFailed]:
    """Decode every picture of these jobs, and return the pairs that cannot be made of theirs."""
    pictures = (each.path for job in jobs for each in _pictures_of(job))
    looked = dict(look_at_all(pictures, max_pixels))
    unread = dict(_unreadable_networks(jobs))
    problems = {job.pair: _problem_of(job, looked) or _first(job, unread) for job in jobs}
    return [PairFailed(pair, problem) for pair, problem in problems.items() if problem]


def _pictures_of(job: Job) -> list[Input]:
    """Return the inputs that are pictures; of a style that is a network, the method will tell."""
    networks = job.settings.recipe.by.networks
    return [each for each in job.pair.inputs if each.role != "style" or not networks]


def _unreadable_networks(jobs: Iterable[Job]) -> Iterator[tuple[tuple[str, Path], str]]:
    """Read every style that is a network, and tell by method which cannot be, and why."""
    styles = {
        (job.settings.recipe.method, each.path): job.settings.recipe
        for job in jobs
        if job.settings.recipe.by.networks
        for each in job.pair.of_role("style")
    }
    for (method, path), recipe in styles.items():
        try:
            _reader(recipe).read_network(path, recipe)
        except InputError as error:
            yield (method, path), str(error)


def _reader(recipe: Recipe) -> NetworkPainter:
    """Return a method that can read networks. This imports torch."""
    from nstcli.engine.methods import Parts, painter

    remembered = weights.cache_folder() / "precision.json"
    return cast("NetworkPainter", painter(Parts(None, {}, "cpu", "float32", remembered), recipe))


def _first(job: Job, unread: Mapping[tuple[str, Path], str]) -> str:
    """Return what is wrong with the first network of a job, if anything is."""
    method = job.settings.recipe.method
    found = (unread.get((method, each.path), "") for each in job.pair.of_role("style"))
    return next(filter(None, found), "")


def _problem_of(job: Job, looked: Mapping[Path, Looked | InputError]) -> str:
    """Say why a pair cannot be made of its pictures, by what is known of them; empty if it can.

    As a worker would when it came to the pair.
    """
    settings = job.settings
    for role in sorted(settings.recipe.roles - job.pair.roles):
        return f"{job.pair.title}: its recipe looks at a {role}, and there is none"
    for role in sorted(job.pair.roles - settings.recipe.by.inputs):
        return f"{job.pair.title}: --method {settings.recipe.method} can do nothing with a {role}"
    if "content" not in job.pair.roles:
        try:
            width, height = canvas_of(settings.recipe)
            settings.check_size(width, height)
            images.check_edges(settings.form.format, height, width)
        except (BackboneError, InputError) as error:
            return str(error)
    for each in _pictures_of(job):
        found = looked[each.path]
        if isinstance(found, InputError):
            return _no_picture(each.path, found)
        try:
            if each.role == "content":
                sizes = sizes_of(found.width, found.height, settings.recipe)
                settings.check_size(*sizes.painted)
                width, height = sizes.result
                images.check_edges(settings.form.format, height, width)
            elif each.role == "style":  # others are fitted to the content
                size, scale = settings.recipe.size, settings.scale_of("style")
                seen = images.shrunk_size(found.width, found.height, size, scale)
                settings.check_size(*seen)
        except (BackboneError, InputError) as error:
            return f"{shown(each.path)}: {error}"
    return ""


def _no_picture(path: Path, error: InputError) -> str:
    if path.suffix.lower() not in NETWORK_SUFFIXES:
        return str(error)
    methods = " or ".join(name for name, row in METHODS.items() if row.networks)
    return f"{shown(path)}: a network, and no picture; --method {methods} takes it"


def _by_needs(jobs: Sequence[Job]) -> list[list[Job]]:
    """Part jobs by what their memory depends on besides their pictures."""
    by_settings: dict[int, list[Job]] = {}  # thousands of jobs may have few settings
    for job in jobs:
        by_settings.setdefault(id(job.settings), []).append(job)
    parts: dict[tuple[str, int], list[Job]] = {}
    for same in by_settings.values():
        recipe = same[0].settings.recipe
        kind = digest([recipe.per_pixel(), *_frame_of(recipe)])
        for job in same:
            parts.setdefault((kind, _regions_of(job)), []).append(job)
    return list(parts.values())


def _regions_of(job: Job) -> int:
    """Count the regions that memory is foretold for, at most; see `nstcli.run.masks.Where`."""
    roles = [each.role for each in job.pair.inputs]
    for each in job.pair.inputs:
        if each.role == "content-regions":
            try:
                picture = images.decode_map(each.path.read_bytes(), shown(each.path))
                return len(images.regions(picture).colors)
            except (OSError, InputError):  # which is told elsewhere
                return 1
    if roles.count("content-mask") > 1:
        return roles.count("content-mask")
    guides = {"content-mask", "style-strength-map", "content-weight-map"}
    return int(bool(guides & set(roles)))


def _memory_of(jobs: Sequence[Job], execution: Execution) -> Foretold:
    """Tell what the largest pair of one settings will need."""
    from backbones.hooks import FeatureExtractor
    from nstcli.engine.methods import Parts, painter
    from nstcli.engine.tile_size import chosen

    settings = jobs[0].settings
    backbone, recipe = settings.backbone, settings.recipe
    extractor = None
    if recipe.by.sees:
        extractor = FeatureExtractor(backbone, backbone.build(), settings.weight_set.preprocessing)
    companions = {
        each.name: FeatureExtractor(each, each.build(), its.preprocessing)
        if isinstance(each, Backbone)
        else each.build()
        for each, its in settings.companions
    }
    forced = "float32" if execution.precision == "auto" else execution.precision
    remembered = weights.cache_folder() / "precision.json"
    ready = painter(Parts(extractor, companions, "cpu", forced, remembered), recipe)
    regions = _regions_of(jobs[0])
    needed = ready.needs(recipe, regions)
    if recipe.by.networks:
        needed = _most_needed(cast("NetworkPainter", ready), recipe, regions, jobs)
    longest = recipe.size * (FINISH if recipe.keep_size else 1)
    aspects = {"content": recipe.aspect, "style": None}
    roles: tuple[Role, ...] = ("content", "style")
    sizes = {
        role: max(
            (
                _size(path, longest, settings.scale_of(role), aspects[role])
                for path in {i.path for j in jobs for i in _pictures_of(j) if i.role == role}
            ),
            key=math.prod,
            default=(0, 0),
        )
        for role in roles
    }
    if any("content" not in job.pair.roles for job in jobs):
        sizes["content"] = max(sizes["content"], canvas_of(recipe), key=math.prod)
    if not any(map(math.prod, sizes.values())):
        return Foretold(0)
    style = sizes["style"][::-1]
    # Without a photo that can be read, there is nothing to paint.
    scales = scale_shapes(recipe, sizes["content"]) if all(sizes["content"]) else [(0, 0)]
    tiling = cast("TilingPainter", ready)
    free = _free(execution)
    look = chosen(
        needed,
        scales,
        style,
        execution.tile,
        free,
        lambda: tiling.in_tiles(recipe, regions),
        lambda shape, *, neck: tiling.sights(shape, recipe, neck),
    )
    pixels = [math.prod(shape) for shape in scales]
    work = sum(a * b for a, b in zip(pixels, look.work, strict=True)) / max(1, sum(pixels))
    tiles = look.tilings[-1]
    return Foretold(round(look.peak), tiles.size if tiles else None, work, free)


def _free(execution: Execution) -> float:
    """Return the bytes that each worker may take; any number where their device is elsewhere."""
    import torch

    from nstcli.engine.device import choose
    from nstcli.engine.memory import free_bytes

    try:
        devices = [choose(name.strip()) for name in execution.device.split(",")]
    except InputError:
        return math.inf
    count = max(execution.jobs, len(devices))
    places = [devices[n % len(devices)] for n in range(count)]
    device, workers = torch.device(places[0]), places.count(places[0])
    share = free_bytes(device, execution.memory / workers)
    return min(share, free_bytes(device) / workers)


def _most_needed(ready: NetworkPainter, recipe: Recipe, regions: int, jobs: Iterable[Job]) -> Needs:
    """Return what pictures need with the largest of their networks, read one at a time.

    Those that cannot be read need nothing.
    """
    found = [ready.needs(recipe, regions)]
    for path in {each.path for job in jobs for each in job.pair.of_role("style")}:
        with suppress(InputError):
            style = ready.read_network(path, recipe)
            found.append(ready.needs(recipe, regions, [style]))
    return max(found, key=lambda needed: needed.painting)


def _frame_of(recipe: Recipe) -> tuple[object, ...]:
    """Return what the pixels of pictures depend on."""
    return recipe.size, recipe.style_scale, recipe.keep_size, recipe.center_crop


def _size(
    path: Path, longest: int, scale: float, aspect: tuple[int, int] | None
) -> tuple[int, int]:
    """Return the width and height that a picture will have, 0 if it cannot be read."""
    try:
        found = images.size_of(path.read_bytes())
    except OSError:
        return 0, 0
    if found and aspect:
        found = images.cropped_size(*found, aspect)
    return images.shrunk_size(*found, longest, scale) if found else (0, 0)


@dataclass(frozen=True)
class Looked:
    """A picture that can be used.

    Attributes:
        width: in pixels, as it is seen: turned by the EXIF orientation.
        height: likewise.
        notes: what the user should know of the file, a line each.
    """

    width: int
    height: int
    notes: tuple[str, ...] = ()


def look(path: Path, max_pixels: int = images.DEFAULT_MAX_PIXELS) -> Looked:
    """Decode one picture in full, as only that finds every damage, and forget its pixels.

    Raises:
        InputError: it cannot be read, is no picture, or has more than `max_pixels` pixels.
    """
    name = shown(path)
    problem = "is a folder, not a file" if is_folder(path) else trouble(path)
    if problem:  # opening a pipe would wait for a writer
        raise InputError(f"{name}: {problem}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    width, height = images.size_of(data) or (0, 0)
    with _one_large if width * height > _LARGE else nullcontext():
        try:
            picture = images.decode(data, name, max_pixels)
        except MemoryError as error:
            raise InputError(f"{name}: {width}×{height} px do not fit into memory") from error
    return Looked(picture.width, picture.height, picture.notes)


def look_at_all(
    paths: Iterable[Path], max_pixels: int = images.DEFAULT_MAX_PIXELS
) -> Iterator[tuple[Path, Looked | InputError]]:
    """Look at each path once, several at a time, and tell in their order how each one is.

    A picture that cannot be used is told like the others, as the error that says why. An
    interruption waits only for the few that are being decoded.
    """

    def looked(path: Path) -> tuple[Path, Looked | InputError]:
        try:
            return path, look(path, max_pixels)
        except InputError as error:
            return path, error

    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        yield from pool.map(looked, dict.fromkeys(paths))  # drops what waits when it is left
