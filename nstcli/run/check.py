"""How the pairs of a run stand before it: by their inputs and by what lies in the output folder."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from backbones.paths import is_folder, resolved
from nstcli import images
from nstcli.errors import InputError
from nstcli.plan.pair import Job, Pair
from nstcli.plan.walk import trouble
from nstcli.results.records import LOSSY, Record, key_of
from nstcli.results.state import State
from nstcli.results.store import Results
from nstcli.run.events import PairFailed
from nstcli.run.settings import Settings
from nstcli.text import shown

# What a user can do about results that are in the way.
CONSENT = "--overwrite replaces them; -o NEW keeps both."


@dataclass(frozen=True)
class Standing:
    """A pair before the run: what would make it, and how it stands."""

    job: Job
    state: State


def survey(
    pairs: Sequence[Pair], settings: Settings, store: Results
) -> tuple[list[Standing], list[PairFailed]]:
    """Look at every pair's inputs and at what the output folder holds of it.

    Each input is read once. Pairs of one that cannot be read are returned as failures.
    """
    digests = store.digests.of(path for pair in pairs for path in (pair.content, pair.style))
    store.digests.of(store.path(pair) for pair in pairs)  # several at a time, for what is to come
    standings, failures = [], []
    for pair in pairs:
        content, style = digests[pair.content], digests[pair.style]
        if isinstance(content, InputError):
            failures.append(PairFailed(pair, f"{shown(pair.content)}: {content}"))
        elif isinstance(style, InputError):
            failures.append(PairFailed(pair, f"{shown(pair.style)}: {style}"))
        else:
            key = key_of(settings.recipe, content, style, settings.form)
            job = Job(pair, key, content, style)
            standings.append(Standing(job, store.state(pair, key)))
    return standings, failures


def broken(pairs: Sequence[Pair], max_pixels: int) -> list[PairFailed]:
    """Decode every picture of these pairs, and return the pairs that have one which is bad."""
    paths = [path for pair in pairs for path in (pair.content, pair.style)]
    bad = {
        path: str(found)
        for path, found in look_at_all(paths, max_pixels)
        if isinstance(found, InputError)
    }
    return [
        PairFailed(pair, bad[path])
        for pair in pairs
        for path in [next((p for p in (pair.content, pair.style) if p in bad), None)]
        if path
    ]


def reason(standing: Standing, settings: Settings, store: Results) -> str:
    """Say why a pair stands as it does, as far as there is more to say than its state."""
    output = standing.job.pair.output
    record = store.load(output)
    if record and standing.state is State.STALE:
        return ", ".join(_differences(record, standing.job, settings))
    if standing.state is State.FAILED:
        return store.failure(output) or ""
    return ""


def refuse_inputs_as_outputs(pairs: Sequence[Pair], store: Results) -> None:
    """Keep results from taking the place of photos and artworks.

    Raises:
        InputError: a result would have the path of an input.
    """
    paths = {path for pair in pairs for path in (pair.content, pair.style)}
    inputs = {resolved(path) for path in paths}
    for pair in pairs:
        path = store.path(pair)
        if resolved(path) in inputs:
            raise InputError(
                f"the result of {pair.title} would replace its input '{shown(path)}'; "
                "choose another -o"
            )


def refusal(
    standings: Sequence[Standing], settings: Settings, store: Results, advice: str = CONSENT
) -> str | None:
    """Say why making these pairs needs the user's consent, or None when it does not.

    `advice` says how a user gives it.
    """
    touchy = [standing for standing in standings if standing.state.needs_consent]
    if not touchy:
        return None
    problems = []
    for state, count in Counter(standing.state for standing in touchy).items():
        changes = _changes(touchy, settings, store) if state is State.STALE else ""
        why = f" ({changes})" if changes else ""
        subject = (
            f"'{store.where}'"
            if store.path(touchy[0].job.pair) == store.where
            else f"{count} of {len(standings)} results in '{store.where}'"
        )
        problems.append(f"{subject} {_said_of(state, count)}{why}.")
    return " ".join([*problems, advice])


def _said_of(state: State, count: int) -> str:
    """Say how so many results stand."""
    if count == 1:
        return f"was {state.value}"
    return f"were {state.value.replace('it was', 'they were')}"


def _changes(touchy: Sequence[Standing], settings: Settings, store: Results) -> str:
    """Name the settings that differ, most frequent first."""
    changes: Counter[str] = Counter()
    for standing in touchy:
        record = store.load(standing.job.pair.output)
        if record and standing.state is State.STALE:
            changes.update(_differences(record, standing.job, settings))
    named = [change for change, _ in changes.most_common(4)]
    return ", ".join(named) + (", …" if len(changes) > len(named) else "")


def _differences(record: Record, job: Job, settings: Settings) -> list[str]:
    # What has no effect now is no difference; what had none before is one, if it is not the same.
    old, new = record.recipe, settings.recipe.telling()
    changes = [
        f"{name.replace('_', '-')} {_short(old.get(name))} → {_short(new[name])}"
        for name in new
        if old.get(name) != new[name]
    ]
    if record.content_sha256 != job.content_sha256:
        changes.append("content image changed")
    if record.style_sha256 != job.style_sha256:
        changes.append("style image changed")
    form = settings.form
    if record.quality != form.quality and form.format in LOSSY:
        changes.append(f"quality {record.quality} → {form.quality}")
    return changes


def _short(value: object) -> str:
    """Write a setting the way users do: layers by name, digests by their start."""
    if isinstance(value, dict):
        return ",".join(name if w == 1 else f"{name}={w:g}" for name, w in value.items())
    text = str(value)
    return text[:8] if len(text) == 64 else text


# Decoders let other threads run; beyond a few, the disk and the memory are what is short.
_THREADS = 4

# Pixels from which pictures are decoded one at a time: from here on, one takes 300 MB or more.
_LARGE = 50_000_000
_one_large = threading.Lock()


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
