"""Train a network from end to end: check, begin or go on from a checkpoint, write the file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from backbones import BackboneError, weights
from backbones.atomic import make_folder, sweep, write_atomic
from backbones.hooks import FeatureExtractor
from backbones.paths import exists, is_folder
from nstcli import images, samples
from nstcli.engine.device import choose, share_cores
from nstcli.engine.memory import keep_freed_memory
from nstcli.engine.precision import arranged
from nstcli.errors import DivergedError, InputError, StoppedError, out_of_memory
from nstcli.images import Picture
from nstcli.networks import file
from nstcli.plan.pair import Source
from nstcli.report.foreign_files import refuse_foreign
from nstcli.results.records import Form
from nstcli.run.job import Downloading, Settings, fetch, settings_for
from nstcli.run.pixels import tensor_of
from nstcli.text import shown
from nstcli.training import checkpoint, photos, sheet
from nstcli.training.loop import State, Step, train
from nstcli.training.objective import Objective
from nstcli.training.photos import Photos
from nstcli.training.recipe import (
    TrainingOptions,
    TrainingRecipe,
    choices_of,
    differences,
    resolve,
)

# Longest edge and quality of the style in small, which the file carries.
_THUMBNAIL, _QUALITY = 192, 85
# Longest edge at which artworks are read for squares of 256 pixels; for others, in proportion. It
# decides the size of strokes.
STYLE_SIZE = 384
# What the sample strip shows unless the user names a photo.
_SAMPLE = "chelsea"


@dataclass(frozen=True)
class Order:
    """What is to be trained, and by what means.

    Attributes:
        style: an artwork, or several in one.
        photos: folders of pictures, or files.
        output: the file of the network.
        options: that training has of its own.
        chosen: options of the recipe of pictures; of them count those of the loss.
        device: `auto` or the name of one.
        precision: `auto`, `float32` or `bfloat16`.
        offline: never use the network.
        max_pixels: that a picture may have before it is decoded.
        force: begin anew, whatever there is.
    """

    style: Source
    photos: tuple[str, ...]
    output: Path
    options: TrainingOptions
    chosen: Mapping[str, Any]
    device: str = "auto"
    precision: str = "auto"
    offline: bool = False
    max_pixels: int = images.DEFAULT_MAX_PIXELS
    force: bool = False


class Standing(Enum):
    """How a training stands before it begins."""

    NEW = "new"
    STARTED = "started"  # there is a checkpoint of it
    UP_TO_DATE = "up to date"


@dataclass(frozen=True)
class Checked:
    """A training of which all is known that can be known before its first step."""

    order: Order
    settings: Settings
    recipe: TrainingRecipe
    device: str
    photos: Photos
    styles: tuple[Picture, ...] = field(repr=False)
    sample: Picture = field(repr=False)
    standing: Standing = Standing.NEW

    @property
    def name(self) -> str:
        """What the style is called."""
        return self.order.style.path.stem

    @property
    def sheet(self) -> Path:
        """Where the strip of samples and the curve go."""
        return sheet_of(self.order.output)


@dataclass(frozen=True)
class Ready:
    """An event: the training begins, or goes on after this step."""

    step: int
    device: str
    precision: str


@dataclass(frozen=True)
class Saved:
    """An event: a checkpoint was written."""

    step: int


@dataclass(frozen=True)
class Remark:
    """An event: something the user should know, which ends nothing."""

    text: str


Listener = Callable[[Ready | Step | Saved | Remark], None]


def sheet_of(output: Path) -> Path:
    """Return where the picture of the training of a network goes."""
    return output.with_name(f"{output.stem}.training.png")


def check(
    order: Order,
    *,
    on_looked: Callable[[int, int], None] = lambda done, of: None,
    downloading: Downloading | None = None,
) -> Checked:
    """Look at everything that a training needs, and at what lies where its network goes.

    Args:
        order: what is wanted.
        on_looked: hears how many photos of how many were looked at.
        downloading: shows a download.

    Raises:
        InputError: something cannot be used as it is; or what is there was trained otherwise.
        BackboneError: an unknown backbone or layer, or weights that cannot be had.
    """
    _refuse_foreign(order.output)
    device = choose(order.device)
    options = order.options
    settings = settings_for(
        choices_of(options, order.chosen, device),
        Form("png"),
        offline=order.offline,
        progress=downloading,
    )
    settings.backbone.check_size(options.size, options.size)
    artworks = [_artwork(path, settings, order.max_pixels) for path, _ in order.style.pictures]
    found = photos.find(order.photos, order.output, options.size, order.max_pixels, on_looked)
    shares = (share for _, share in order.style.pictures)
    digests = tuple(zip((sha256 for sha256, _ in artworks), shares, strict=True))
    recipe = resolve(options, settings.recipe, device, digests, found.digest)
    return Checked(
        order,
        settings,
        recipe,
        device,
        found,
        tuple(picture for _, picture in artworks),
        _sample(options.sample, order.max_pixels),
        Standing.NEW if order.force else _standing(order.output, recipe.dump()),
    )


def run(
    checked: Checked,
    listen: Listener = lambda event: None,
    *,
    stop: Callable[[], bool] = lambda: False,
    downloading: Downloading | None = None,
) -> bool:
    """Train a network, from its checkpoint on if there is one; tell whether it is finished.

    Args:
        checked: what `check` has found.
        listen: hears every event.
        stop: is asked at every step; when it becomes true, a checkpoint is written, from which the
            same order goes on.
        downloading: shows a download.

    Raises:
        BackboneError: weights cannot be had.
        DivergedError: the loss became no number any more; the last checkpoint stays.
        StoppedError: the environment does not let it go on: the disk or the memory is full, or a
            photo is gone. The last checkpoint stays.
    """
    if checked.standing is Standing.UP_TO_DATE:
        return True
    training = _Training(checked, listen, stop)
    fetch(checked.settings.needed, checked.order.offline, downloading)
    with _memory_limits():
        return training.run()


class _Training:
    """One run of a training: its state, and when what of it was written."""

    def __init__(self, checked: Checked, listen: Listener, stop: Callable[[], bool]):
        self._checked, self._listen, self._stop = checked, listen, stop
        self._output = checked.order.output
        self._checkpoint = checkpoint.path_of(self._output)
        self._photo = tensor_of(images.resize(checked.sample, sheet.SAMPLE_SIZE))
        self._saved: int | None = None  # the step of the last checkpoint
        self._next = 0.0  # when the next is due
        self._state: State

    def run(self) -> bool:
        checked, recipe, device = self._checked, self._checked.recipe, self._checked.device
        keep_freed_memory()  # before anything is measured
        share_cores(workers=1)
        objective, precision = self._objective()
        if checked.standing is Standing.STARTED:
            self._state = checkpoint.load(self._checkpoint, recipe, device)
            self._saved = self._state.step
        else:
            self._state = State.begun(recipe, device)
        self._listen(Ready(self._state.step, device, precision))
        with self._writing():  # what cannot be written is better known now than in an hour
            make_folder(self._output.parent)
            sweep(self._output.parent)
            if self._saved is None:
                self._save()
        self._next = time.monotonic() + checked.order.options.checkpoint_seconds
        seed, first = recipe.loss.seed, self._state.step + 1
        with closing(photos.batches(checked.photos, seed, first, recipe.batch_size)) as batches:
            half = precision.startswith("bfloat16")
            try:
                train(self._state, objective, recipe, batches, self._stepped, half=half)
            except DivergedError as error:
                raise DivergedError(
                    f"{error}; the checkpoint of step {self._saved} stays, but the same command "
                    "would come to the same end: try --force with a smaller --learning-rate or "
                    "--style-weight"
                ) from error
        if self._state.progress(recipe) < 1:
            self._save_checkpoint()
            return False
        self._finish()
        return True

    def _objective(self) -> tuple[Objective, str]:
        """Load the backbone and let it look at the style; return it, and in which precision."""
        checked, settings, recipe = self._checked, self._checked.settings, self._checked.recipe
        device, order = checked.device, checked.order
        extractor = FeatureExtractor.load(
            settings.backbone, settings.weight_set, offline=order.offline
        ).to(device)
        if extractor.weights_sha256 != recipe.loss.weights:
            raise BackboneError(
                f"the weights {settings.title} changed meanwhile, or their source has others now; "
                "run it again"
            )
        memory = weights.cache_folder() / "precision.json"
        extractor, precision = arranged(extractor, recipe.loss, order.precision, memory)
        objective = Objective(
            extractor,
            recipe.loss,
            [tensor_of(each).to(device) for each in checked.styles],
            [share for _, share in recipe.styles],
            checked.photos.batch(recipe.loss.seed, 0, 1).to(device),
        )
        return objective, str(precision)

    def _stepped(self, step: Step) -> bool:
        """Tell of a step, and write what is due; tell whether to stop."""
        self._listen(step)
        if sheet.sample_due(self._state):
            sheet.add_sample(self._state, self._photo)
            self._draw()
        if step.progress < 1 and time.monotonic() >= self._next:
            self._save_checkpoint()
        return self._stop()

    def _save_checkpoint(self) -> None:
        with self._writing():
            self._save()
        self._draw()
        self._listen(Saved(self._state.step))
        self._next = time.monotonic() + self._checked.order.options.checkpoint_seconds

    def _save(self) -> None:
        checkpoint.write(self._checkpoint, self._state, self._checked.recipe.dump())
        self._saved = self._state.step

    def _finish(self) -> None:
        """Write the network, and take its checkpoint away."""
        state, checked = self._state, self._checked
        notes = file.Notes(
            style=checked.name,
            recipe=checked.recipe.dump(),
            licence=_licence(checked),
            thumbnail=_thumbnail(checked.styles[0]),
            steps=state.step,
            photos=len(checked.photos.all),
            seconds=round(state.seconds, 3),
            loss=state.recent[0].item(),
        )
        with self._writing():
            file.write(self._output, state.average, notes)
            self._checkpoint.unlink(missing_ok=True)
        if state.step not in state.samples:
            sheet.add_sample(state, self._photo)
        self._draw()

    def _draw(self) -> None:
        """Draw the sheet anew; that it cannot be written ends nothing."""
        if not len(self._state.losses):
            return
        try:
            data = sheet.draw(self._state, self._photo, self._checked.name)
            write_atomic(self._checked.sheet, data)
        except OSError as error:
            why = error.strerror or error
            self._listen(Remark(f"cannot write '{shown(self._checked.sheet)}': {why}"))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say what stays where the disk is full, or the folder gone."""
        try:
            yield
        except OSError as error:
            kept = (
                "nothing was trained yet"
                if self._saved is None
                else f"the checkpoint of step {self._saved} stays, and the same command goes on "
                "from there"
            )
            where, why = shown(self._output.parent), error.strerror or error
            raise StoppedError(f"cannot write to '{where}': {why}; {kept}") from error


@contextmanager
def _memory_limits() -> Iterator[None]:
    """Turn running out of memory into advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise StoppedError(
            "out of memory; --force with a smaller --batch-size, --size or --width needs less"
        ) from error


def _artwork(path: Path, settings: Settings, max_pixels: int) -> tuple[str, Picture]:
    """Return the digest of an artwork, and what the backbone is to see of it.

    Raises:
        InputError: it cannot be used.
        BackboneError: it has fewer pixels than the backbone needs.
    """
    data, picture = photos.read(path, max_pixels)
    recipe = settings.recipe
    seen = images.resize(picture, STYLE_SIZE * recipe.size // 256, settings.scale_of("style"))
    try:
        settings.backbone.check_size(seen.width, seen.height)
    except BackboneError as error:
        raise InputError(f"{shown(path)}: {error}") from error
    return hashlib.sha256(data).hexdigest(), seen


def _sample(path: Path | None, max_pixels: int) -> Picture:
    """Return the photo of the sample strip."""
    if path is None:
        return Picture(samples.CONTENT[_SAMPLE]())
    return photos.read(path, max_pixels)[1]


def _refuse_foreign(output: Path) -> None:
    """Keep files of others from being written over, and names from being refused at the end.

    Raises:
        InputError: the output has another suffix, or what is there is none of ours.
    """
    if output.suffix != file.SUFFIX:
        raise InputError(f"'{shown(output)}': end the name of a network in {file.SUFFIX}")
    advice = "choose another -o"
    if is_folder(output):
        raise InputError(f"'{shown(output)}' is a folder; name the network itself")
    if exists(output) and not file.read_notes(output).version:
        raise InputError(f"'{shown(output)}' is there and no network of nst's own; {advice}")
    refuse_foreign(sheet_of(output), "sheet", sheet.is_sheet, advice)


def _standing(output: Path, recipe: Mapping[str, Any]) -> Standing:
    """Tell how a training of this recipe stands by what lies there.

    Raises:
        InputError: a network or a checkpoint of another recipe is there, or none of ours.
    """
    begun = checkpoint.path_of(output)
    started = checkpoint.recipe_of(begun) if exists(begun) else None
    if started == recipe:
        return Standing.STARTED
    trained = file.read_notes(output).recipe if exists(output) else None
    if trained == recipe:
        return Standing.UP_TO_DATE
    for path, other in ((begun, started), (output, trained)):
        if other is not None:
            changes = ", ".join(differences(other, recipe)[:4])
            raise InputError(
                f"'{shown(path)}' is of a training with other settings ({changes}); --force "
                "trains anew, -o NEW keeps both"
            )
    return Standing.NEW


def _licence(checked: Checked) -> str:
    """Say what is known of licences: what the user says, and the backbone's."""
    told = checked.order.options.licence or "of style and photos: not stated"
    return f"{told}; trained by {checked.settings.title} ({checked.settings.weight_set.licence})"


def _thumbnail(style: Picture) -> bytes:
    small = images.resize(style, _THUMBNAIL)
    return images.encode(small.rgb, format="jpg", quality=_QUALITY)
