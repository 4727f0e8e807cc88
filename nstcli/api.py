"""The library: what `nst stylize`, `nst batch` and `nst run` do, called from Python.

Options are those of the commands, by the names of their fields (`style_weight=30`); the defaults
are the same. The environment is not looked at, and no config file but one that `config` names.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Event as Flag
from threading import Thread, main_thread
from typing import TYPE_CHECKING, Any, TypeVar

import backbones as registry
from backbones import Backbone, Layer
from backbones.atomic import write_atomic
from backbones.hints import closest
from backbones.paths import resolved
from nstcli import images
from nstcli.config.option import settings_of
from nstcli.config.options import (
    GUIDES,
    SETTINGS,
    ExecutionOptions,
    InputOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.config.precedence import settle
from nstcli.config.validation import check as check_values
from nstcli.errors import InputError, NstError, StoppedError
from nstcli.experiments.experiment import (
    in_folders,
    refuse_unable,
    same_pictures,
    with_settings,
)
from nstcli.experiments.file import described
from nstcli.experiments.kept import Kept
from nstcli.experiments.kept import resolved as resolved_experiment
from nstcli.experiments.variant import variants_of
from nstcli.images import memory
from nstcli.networks import ready
from nstcli.networks.file import Notes, read_notes
from nstcli.plan import blends, inputs
from nstcli.plan.beside import started
from nstcli.plan.guides import arguments_of, guided
from nstcli.plan.layout import STAGES
from nstcli.plan.pair import Input, Pair, Source
from nstcli.plan.product import Naming, Plan, planned
from nstcli.plan.walk import Selection
from nstcli.recipe import DEFAULT, unheeded
from nstcli.report.animate import animate as write_animations
from nstcli.report.summaries import Summaries
from nstcli.results.folder import Store
from nstcli.results.records import DEEP, LOSSY, Form, Record, stopped_key
from nstcli.results.stages import StageFolder
from nstcli.results.state import embedded_key
from nstcli.results.store import SingleFile
from nstcli.run.alone import alone, of_inversion, of_texture
from nstcli.run.check import Checked, Rules, check
from nstcli.run.events import Event, Listener, PairDone, PairFailed, PairFound, PairStep
from nstcli.run.job import (
    Job,
    Settings,
    execution_of,
    form_of,
    settings_for,
    stages_of,
)
from nstcli.run.journal import Journal
from nstcli.run.make import End, Summary, make
from nstcli.terms import INPUTS, Role
from nstcli.text import shown, stored
from nstcli.training.recipe import OF_THE_LOSS, TrainingOptions

if TYPE_CHECKING:
    from nstcli.training.loop import Step as TrainingStep
    from nstcli.training.train import Checked as CheckedTraining

_log = logging.getLogger("nstcli")

# Hears of every step; what it returns tells whether to stop, with the best picture so far.
OnStep = Callable[[PairStep], bool | None]
Group = TypeVar("Group")
# The last that is heard of a pair.
_End = PairDone | PairFailed | PairFound

# The longest edge of the picture that a notebook shows.
_SMALL = 512
# What one picture takes besides the recipe.
_OF_ANIMATIONS = {"animation", "boomerang", "animation_size", "animation_seconds"}
_OF_ONE = {"bits", "device", "precision", "tile", "memory", "timeout", "offline", "max_pixels"}
_OF_ONE |= {*_OF_ANIMATIONS, *GUIDES}


# eq=False: it is hashed by itself, as records cannot be.
@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """A picture that was made, or why it was not.

    Attributes:
        pair: what it was made of, and what it is called.
        record: how it was made and how it turned out; None where it could not be.
        error: why it could not be made; empty if it could.
        path: of its file in the output folder of a batch; None for a single picture.
        cached: it was up to date before.
        varied: in an experiment, what varies, with the values that this one has.
    """

    pair: Pair
    record: Record | None
    error: str = ""
    path: Path | None = None
    cached: bool = False
    varied: Mapping[str, Any] = field(default_factory=dict)
    _settings: Settings | None = None
    _data: bytes | None = None
    _animation: bytes | None = None

    def __repr__(self) -> str:
        return f"<Result {self.pair.title}: {self.error or self.path or 'made'}>"

    @property
    def data(self) -> bytes:
        """The file of the picture: of a single one, PNG.

        Raises:
            NstError: the picture could not be made, or its file is gone.
        """
        if self._data is not None:
            return self._data
        if self.record is None or self.path is None:
            raise NstError(f"{self.pair.title}: {self.error}")
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise NstError(f"cannot read '{shown(self.path)}': {error.strerror}") from error

    @property
    def animation(self) -> bytes | None:
        """The file of the animation of how it came about, where one was wanted.

        Raises:
            OSError: it cannot be read.
        """
        if self.path is None:
            return self._animation
        wanted = self._settings.form.stages.animation if self._settings else None
        stages = StageFolder(self.path.with_name(f"{self.path.name}{STAGES}"))
        found = stages.animation(wanted)
        return found.read_bytes() if found else None

    @cached_property
    def image(self) -> memory.PillowImage:
        """The picture for Pillow, RGB; RGBA where the content is transparent."""
        return memory.image_of(self.data)

    @cached_property
    def array(self) -> images.Levels:
        """The picture as (H, W, 3), over white where the content is transparent.

        It is uint8, or uint16 where `bits` is 16.
        """
        return memory.array_of(self.data, self.record.bits if self.record else 8)

    def save(self, path: str | os.PathLike[str], quality: int = 95, metadata: bool = True) -> Path:
        """Write the picture as PNG, JPEG, WebP or TIFF, by the suffix; return the path.

        The bytes are those that `nst stylize` gives it; but of a batch in jpg or webp, they come
        of that file, and carry its key. What is there is replaced.

        Args:
            path: of the file.
            quality: of jpg and webp, 1 to 100.
            metadata: write into the picture how it was made.

        Raises:
            InputError: it has no such suffix, is an input, or cannot have that quality.
            NstError: the picture could not be made.
            OSError: it cannot be written.
        """
        target = Path(path)
        if not 1 <= quality <= 100:
            raise InputError(f"quality={quality}: should be from 1 to 100")
        wanted = images.format_of(target)
        deep = self.record is not None and wanted in DEEP
        form = Form(wanted, quality, metadata, self.record.bits if deep and self.record else 8)
        if resolved(target) in {resolved(each) for each in self.pair.paths}:
            raise InputError(f"'{shown(target)}' is an input of this picture")
        write_atomic(target, self._file_as(form))
        return target

    def _file_as(self, form: Form) -> bytes:
        data, record, settings = self.data, self.record, self._settings
        if record is None or settings is None:
            return data
        lossy = record.format in LOSSY
        # What has lost something is copied, as it would lose more.
        same = form.format == record.format and (lossy or form.format not in LOSSY)
        if same and form.metadata == (embedded_key(data) is not None):
            return data
        from nstcli.run.finishing import encoded

        known = [each.sha256 for each in record.inputs]
        job = Job.of(self.pair, replace(settings, form=form), *known)
        if lossy:  # from other pixels than the key would promise
            job = replace(job, key=record.key)
        elif record.stopped:
            job = replace(job, key=stopped_key(job.key))
        alpha = images.decode(data, self.pair.output, sys.maxsize).alpha
        pixels = self.array if form.bits == record.bits else memory.array_of(data)
        return encoded(job, pixels, alpha)

    def _repr_png_(self) -> bytes | None:
        """Show a small copy in notebooks."""
        if self.record is None:
            return None
        small = images.resize(images.decode(self.data, self.pair.output, sys.maxsize), _SMALL)
        return images.encode(small.rgb, small.alpha)


def stylize(
    content: object,
    style: object,
    *,
    on_step: OnStep | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    """Paint one photo in the manner of one artwork, or of several.

        result = nstcli.stylize("photo.jpg", "art.jpg", model="squeezenet", steps=100)
        result.image.show()

    Args:
        content: the photo: a path; a Pillow image; an array (H, W, 3), uint8 or float in [0, 1];
            or a tensor (3, H, W) or (1, 3, H, W), likewise.
        style: the artwork, likewise; several in a list, each alone or with its weight,
            `[("a.jpg", 0.7), ("b.jpg", 0.3)]`.
        on_step: hears of every step, and may ask for its picture; when it returns true, the best
            picture so far is the result.
        progress: show a bar on the standard error stream.
        **options: fields of the recipe, of which `init` may be a picture, too; `preset`, `config`,
            `bits`, `device`, `precision`, `tile`, `memory`, `timeout`, `offline` and `max_pixels`;
            `animation` and what belongs to it; masks and maps (`content_mask` and so on), which may
            be pictures, and arrays and tensors of them need no channels.

    Raises:
        InputError: a picture or an option that cannot be used.
        BackboneError: an unknown backbone or layer, or weights that cannot be had.
        NstError: the picture could not be made.
    """
    return _one({"content": content, "style": style}, dict, on_step, progress, options)


def texture(
    style: object,
    *,
    tileable: bool = False,
    on_step: OnStep | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    """Make a texture of one artwork: its strokes and colours, and nothing that it shows.

        nstcli.texture("art.jpg", size=256, tileable=True).save("tile.png")

    It is a square of `size`, or has the shape that `center_crop` says. Of artworks in folders, make
    them by `batch(None, "artworks")`.

    Args:
        style: the artwork; see `stylize`.
        tileable: it goes on beyond its borders, so that tiles of it show no seam.
        on_step: see `stylize`.
        progress: show a bar on the standard error stream.
        **options: see `stylize`; those of content and nearest term have no effect.

    Raises:
        InputError: a picture or an option that cannot be used.
        BackboneError: an unknown backbone or layer, or weights that cannot be had.
        NstError: the picture could not be made.
    """

    def choose(choices: Mapping[str, Any]) -> dict[str, Any]:
        return of_texture(choices, tileable=tileable)

    return _one({"style": style}, choose, on_step, progress, options)


def invert(
    content: object,
    layer: str,
    *,
    on_step: OnStep | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    """Paint one photo from noise by what a single layer sees of it: what that still knows.

        for layer in ("relu1_1", "relu3_1", "relu5_1"):
            print(layer, nstcli.invert("photo.jpg", layer).record.figures["psnr"])

    Of photos in folders, make them by `batch("photos", None, content_layers="relu3_1")`.

    Args:
        content: the photo; see `stylize`.
        layer: of the backbone.
        on_step: see `stylize`.
        progress: show a bar on the standard error stream.
        **options: see `stylize`; those of style and nearest term have no effect.

    Raises:
        InputError: a picture or an option that cannot be used.
        BackboneError: an unknown backbone or layer, or weights that cannot be had.
        NstError: the picture could not be made.
    """

    def choose(choices: Mapping[str, Any]) -> dict[str, Any]:
        return of_inversion(choices, layer)

    return _one({"content": content}, choose, on_step, progress, options)


@dataclass(frozen=True)
class Trained:
    """What became of a training.

    Attributes:
        path: of the network.
        sheet: of the picture of how it learnt.
        notes: what the file says of it; None where it was stopped, and goes on when called again.
    """

    path: Path
    sheet: Path
    notes: Notes | None = field(repr=False)


def train(
    style: object,
    photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    on_step: Callable[[TrainingStep], bool | None] | None = None,
    force: bool = False,
    progress: bool = False,
    **options: Any,
) -> Trained:
    """Train a network that paints any photo in the manner of a style, at once.

        nstcli.train("art.jpg", "photos", "art.safetensors", steps=4000)

    Called again after it was stopped or killed, it goes on.

    Args:
        style: the artwork, or several for one style; see `stylize`.
        photos: folders to learn from, with all that is below them.
        output: file of the network, `.safetensors`.
        on_step: hears of steps; when it returns true, a checkpoint is written and it ends.
        force: begin anew, whatever was trained before.
        progress: show a bar on the standard error stream.
        **options: those of `nst train`, by the names of the fields.

    Raises:
        InputError: a picture or an option that cannot be used, or what is there was trained
            otherwise.
        BackboneError: an unknown backbone or layer, or weights that cannot be had.
        DivergedError: the loss became no number any more.
        StoppedError: the disk or the memory is full; the last checkpoint stays.
    """
    from nstcli.training.train import Order, sheet_of
    from nstcli.training.train import check as check_training

    own = settings_of(TrainingOptions)
    names = {each.field for each in own}
    given = {each.key: options.pop(each.field) for each in own if each.field in options}
    known = {*OF_THE_LOSS, "device", "precision", "offline", "max_pixels"}
    for name in options:
        if name not in known:
            raise InputError(f"unknown option '{name}'{closest(name, known | names)}")
    chosen = _Chosen(options, known)
    training = TrainingOptions(
        **check_values(own, {k: _plain(v) for k, v in given.items() if v is not None}, _as_argument)
    )
    with TemporaryDirectory(prefix="nst-") as scratch:
        order = Order(
            _styles(style, Path(scratch), chosen.execution.offline),
            tuple(os.fspath(each) for each in _paths(photos)),
            Path(output),
            training,
            chosen.recipe.choices(),
            chosen.execution.device,
            chosen.execution.precision,
            chosen.execution.offline,
            chosen.inputs.max_pixels,
            force,
        )
        with _undisturbed():
            checked = check_training(order)
            finished = _train(checked, on_step, progress)
    return Trained(
        order.output, sheet_of(order.output), read_notes(order.output) if finished else None
    )


def _train(
    checked: CheckedTraining,
    on_step: Callable[[TrainingStep], bool | None] | None,
    progress: bool,
) -> bool:
    """Train what was checked, and show it if that is wanted; tell whether it is finished."""
    from nstcli.training.loop import Step
    from nstcli.training.train import run

    for note in checked.photos.notes:
        _log.warning("%s", note)
    stop = Flag()
    watch: Any = None
    downloading = None
    if progress:
        from nstcli.cli.screen import Screen
        from nstcli.cli.training_progress import Watch

        screen = Screen()
        watch, downloading = Watch(screen, checked), screen.downloading

    def listen(event: Any) -> None:
        if watch:
            watch(event)
        if isinstance(event, Step) and on_step and on_step(event):
            stop.set()

    with watch or nullcontext():
        return run(checked, listen, stop=stop.is_set, downloading=downloading)


def _one(
    given: Mapping[Role, object],
    choose: Callable[[Mapping[str, Any]], dict[str, Any]],
    on_step: OnStep | None,
    progress: bool,
    options: dict[str, Any],
) -> Result:
    """Make one picture.

    Args:
        given: its inputs, in memory or where they are.
        choose: makes the choices for it of those that the options leave.
        on_step: see `stylize`.
        progress: likewise.
        options: likewise.
    """
    with TemporaryDirectory(prefix="nst-") as scratch:
        folder = Path(scratch)
        found: list[Input] = []
        for role, picture in given.items():
            if role == "style":
                offline = bool(options.get("offline"))
                found += _styles(picture, folder, offline).inputs(role)
            else:
                found.append(Input(role, _file(picture, folder / f"{role}.png")))
        options = {**options, **_guides(options, folder)}
        if options.get("init") is not None and not isinstance(options["init"], str):
            options["init"] = _file(options["init"], folder / "init.png")
        chosen = _Chosen(options, {each.field for each in settings_of(RecipeOptions)} | _OF_ONE)
        choices = choose(chosen.recipe.choices())
        settings = settings_for(choices, form_of(chosen.output), offline=chosen.execution.offline)
        pairs = started([Pair(tuple(found), "result.png")], choices)
        (pair,) = _guided(pairs, chosen.inputs)
        rules = Rules(keep_best=True, max_pixels=chosen.inputs.max_pixels)
        checked = check([(pair, settings)], SingleFile(folder / pair.output), rules)
        for failure in checked.failures:
            raise InputError(_without(folder, failure.error))
        stop, done = Flag(), list[Record]()

        def listen(event: Event) -> None:
            if isinstance(event, PairDone):
                done.append(event.record)
            elif isinstance(event, PairStep) and on_step and on_step(event):
                stop.set()

        with _undisturbed():
            summary = _make(checked, chosen, [listen], stop, progress)
        for failure in summary.failures:
            raise NstError(_without(folder, failure.error))
        if not done:  # Ctrl-C, after `on_step` had asked for an end
            raise KeyboardInterrupt
        record, data = done[0], (folder / pair.output).read_bytes()
        animation = checked.results.stages(pair).animation()
        moving = animation.read_bytes() if animation else None
    # What was in memory has no path: only the names of the files that it was put into.
    known = [
        each.model_copy(update={"path": _without(folder, each.path)}) for each in record.inputs
    ]
    record = record.model_copy(update={"inputs": tuple(known)})
    return Result(pair, record, _settings=settings, _data=data, _animation=moving)


def batch(
    content: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None,
    style: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None,
    *,
    output: str | os.PathLike[str] = "stylized",
    on_step: OnStep | None = None,
    progress: bool = False,
    **options: Any,
) -> Iterator[Result]:
    """Paint every photo in the manner of every artwork, and yield each result as it is done.

        for result in nstcli.batch("photos", "artworks", output="painted", steps=100):
            print(result.path, result.error or result.record.figures["style_error"])

    What is up to date in the output folder comes first and is not made again; the folder is that
    of `nst batch`, which goes on where this was left, and the other way round. Pairs that fail
    are results with an `error`. Work begins with the first result that is asked for; leaving the
    loop ends it in order.

    Args:
        content: photos: a folder, a file, a glob pattern, or several of them; None to make a
            texture of every artwork, see `texture`.
        style: artworks, likewise; None to invert every photo, see `invert`.
        output: folder of the results.
        on_step: hears of every step, from another thread; when it returns true, the batch ends.
        progress: show bars on the standard error stream.
        **options: all that `nst batch` takes, by the names of the fields.

    Raises:
        InputError: no pictures, an option that cannot be used, or results in the way.
        BackboneError: an unknown backbone or layer, or weights that cannot be had.
        StoppedError: the output folder cannot be written to, or `fail_fast` and a pair failed.
    """
    groups = (InputOptions, OutputOptions, RecipeOptions, ExecutionOptions)
    chosen = _Chosen(options, {each.field for each in settings_of(*groups)})
    written, recipe, execution = chosen.output, chosen.recipe, chosen.execution
    store = Store(Path(output))
    form = form_of(written)
    contents, styles = _both(content, style, chosen, store.folder)
    choices = alone(recipe.choices(), content is not None, style is not None)
    values = {"model": recipe.model, "size": str(recipe.size), "preset": recipe.preset}
    naming = Naming(f".{form.format}", written.name, values)
    plan = planned(contents, styles, naming, chosen.inputs.pairs, chosen.inputs.limit)
    _tell_renamed(plan)
    pairs = _guided(started(plan.pairs, choices), chosen.inputs)
    if part := execution.part:
        pairs = part.of(pairs)
    settings = settings_for(choices, form, offline=execution.offline)
    return _painted([(pair, settings) for pair in pairs], store, chosen, on_step, progress)


def experiment(
    content: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None,
    style: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None,
    *,
    sweep: Mapping[str, Any],
    backbone: Mapping[str, Mapping[str, Any]] | None = None,
    output: str | os.PathLike[str] = "experiment",
    on_step: OnStep | None = None,
    progress: bool = False,
    **options: Any,
) -> Experiment:
    """Paint every photo in the manner of every artwork under each combination of settings.

        tried = nstcli.experiment("photos", "artworks", sweep={"style_weight": [3, 30]}, size=256)
        for result in tried:
            print(result.varied, result.path)
        print(tried.table())

    It is one batch, and the folder is that of `nst run`, with a folder in it for each combination.
    As with `batch`, work begins with the first result that is asked for, and what is up to date is
    not made again.

    Args:
        content: photos: a folder, a file, a glob pattern, or several of them; None for textures.
        style: artworks, likewise; None for inversions, `sweep={"content_layers": ["relu1_1", …]}`.
        sweep: what varies, as the table `[sweep]` of an experiment file says it: lists, ranges such
            as `{"from": 1, "to": 100, "count": 3}` or values with names, by option; and `how`,
            `samples` and `seed`.
        backbone: what holds for one backbone alone, by its name.
        output: folder of the results.
        on_step: hears of every step, from another thread; when it returns true, all of it ends.
        progress: show bars on the standard error stream.
        **options: what holds for all: what `nst batch` takes, by the names of the fields.

    Raises:
        InputError: no pictures, a sweep or an option that cannot be, or results in the way.
        BackboneError: an unknown backbone or layer, or weights that cannot be had.
        StoppedError: the output folder cannot be written to, or `fail_fast` and a pair failed.
    """
    groups = (InputOptions, OutputOptions, RecipeOptions, ExecutionOptions)
    chosen = _Chosen(options, {each.field for each in settings_of(*groups)})
    written, execution = chosen.output, chosen.execution
    told = {
        **{name: options[name] for name in DEFAULT if options.get(name) is not None},
        **{
            role: False if given is None else [os.fspath(path) for path in _paths(given)]
            for role, given in (("content", content), ("style", style))
        },
        "sweep": sweep,
        "backbone": backbone or {},
    }
    file = described(Path("nstcli.experiment"), {k: _plain(value) for k, value in told.items()})
    store, form = Store(Path(output)), form_of(written)
    choices = alone(chosen.recipe.choices(), content is not None, style is not None)
    variants = with_settings(
        variants_of(file.sweep, choices, file.own), choices, form, offline=execution.offline
    )
    refuse_unable(variants)
    for one, other in same_pictures(variants, file.sweep):
        _log.warning("'%s' will show the same as '%s'", one.title, other.title)
    contents, styles = _both(content, style, chosen, store.folder)
    naming = Naming(f".{form.format}", written.name)
    plan = planned(contents, styles, naming, chosen.inputs.pairs, chosen.inputs.limit)
    _tell_renamed(plan)
    combined = _guided(plan.pairs, chosen.inputs)
    variants = in_folders(variants, combined, f".{form.format}", choices)
    pairs = [(p, each.settings) for each in variants if each.settings for p in each.pairs]
    if part := execution.part:
        pairs = part.of(pairs)
    table = resolved_experiment(file, chosen.inputs, written, chosen.recipe)
    kept = Kept(store, table, file.sweep.order(), _log.warning)
    made = _painted(pairs, store, chosen, on_step, progress, kept)
    varied = {
        pair: {key.replace("-", "_"): value for key, value in file.sweep.values(each.point).items()}
        for each in variants
        for pair in each.pairs
    }
    return Experiment(_with_varied(made, varied))


class Experiment:
    """The results of an experiment, one after the other as they are done, once.

    `close()` ends the work in order, as leaving the loop does where nothing else holds this.
    """

    def __init__(self, results: Generator[Result]):
        self._results = results
        self._rows: list[dict[str, Any]] = []

    def __iter__(self) -> Experiment:
        return self

    def __next__(self) -> Result:
        result = next(self._results)
        self._rows.append(_row(result))
        return result

    def close(self) -> None:
        """End it; what is done stays done."""
        self._results.close()

    def table(self, frame: bool | None = None) -> Any:
        """Make what is left, and return a row for each picture.

        A row has what varies, the paths of content, style and result, why there is none, the
        seconds, the steps and all figures of the record; None where it has no such thing. A figure
        that is called like something that varies has `_reached` behind its name.

        Args:
            frame: return a pandas data frame, or a list of dicts; None is the frame where pandas
                is installed.

        Raises:
            InputError: a frame is wanted, and pandas is not installed.
        """
        for _ in self:
            pass
        names = dict.fromkeys(name for row in self._rows for name in row)
        rows = [{name: row.get(name) for name in names} for row in self._rows]
        if frame is False:
            return rows
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            if frame:
                raise InputError("for a frame, install pandas; frame=False is a list") from error
            return rows
        return pandas.DataFrame(rows, columns=list(names))


def animate(folder: str | os.PathLike[str], **options: Any) -> list[Path]:
    """Make animations of the stages that `save_every` kept; return where they are.

        nstcli.animate("painted", animation="webp", boomerang=True)

    Args:
        folder: of results, or of the stages of one.
        **options: `animation` (gif where it is not said), `boomerang`, `animation_size` and
            `animation_seconds`.

    Raises:
        InputError: there are no stages, or an option that cannot be used.
        OSError: an animation cannot be written.
    """
    chosen = _Chosen(options, _OF_ANIMATIONS)
    return list(write_animations(Path(folder), stages_of(chosen.output)))


def backbones() -> tuple[Backbone, ...]:
    """List the backbones; an installed plugin that is broken is left out with a warning.

    print([backbone.name for backbone in nstcli.backbones()])
    """
    found, broken = registry.load_all()
    for error in broken:
        _log.warning("%s", error)
    return tuple(found)


def layers(model: str, dense: bool = True) -> tuple[Layer, ...]:
    """List the layers of a backbone, shallowest first; nothing is downloaded.

        print([layer.name for layer in nstcli.layers("vgg19")])

    Args:
        model: the backbone.
        dense: whether strides and receptive fields are those of a stem that sees every pixel, as
            recipes have it by default, or those that the network was trained with.

    Raises:
        BackboneError: there is no such backbone.
    """
    return registry.get(model).layers_with(dense)


class _Chosen:
    """The options of a call, checked and in their groups.

    Args:
        options: as they were given; None is the default.
        known: names of those that there are.

    Raises:
        InputError: an unknown name, or a value that cannot be.
    """

    def __init__(self, options: Mapping[str, Any], known: Set[str]):
        for name in options:
            if name in {each.field for each in SETTINGS} - known:
                raise InputError(f"the option '{name}' has no meaning here")
            if name not in known:
                raise InputError(f"unknown option '{name}'{closest(name, known)}")
        given = {name: _plain(value) for name, value in options.items() if value is not None}
        self._values = settle(SETTINGS, given, {}, None, _as_argument)
        unheard = unheeded(self._values["method"], given)
        for remark in [*self._values.remarks, *unheard]:
            _log.warning("%s", remark)
        self.recipe = self._group(RecipeOptions)
        self.inputs = self._group(InputOptions)
        self.output = self._group(OutputOptions)
        self.execution = self._group(ExecutionOptions)

    def _group(self, group: type[Group]) -> Group:
        return group(**{each.field: self._values[each.field] for each in settings_of(group)})


def _without(folder: Path, text: str) -> str:
    """Leave out where a picture was that had to be put into a file."""
    return text.replace(f"{stored(folder)}{os.sep}", "").replace(f"{folder}{os.sep}", "")


def _plain(value: object) -> object:
    """Return a value as config files have it: they know no paths and no tuples."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [*map(_plain, value)] if isinstance(value, list | tuple | range) else value


def _as_argument(key: str, value: object) -> str:
    return f"{key.replace('-', '_')}={value!r}"


def _file(picture: object, place: Path) -> Path:
    """Return where a picture is; one that is in memory is put into a place.

    Raises:
        InputError: it cannot be used, or a folder or a pattern has several.
    """
    if not isinstance(picture, str | os.PathLike):
        place.write_bytes(memory.file_of(picture))
        return place
    found = inputs.find(os.fspath(picture))
    if len(found) > 1:
        raise InputError(
            f"'{shown(found.argument)}' is several pictures; for folders: nstcli.batch"
        )
    return found.sources[0].path


def _styles(style: object, folder: Path, offline: bool) -> Source:
    """Return the artworks of one picture, put into a folder where they are in memory.

    Ready-made networks are pulled first, unless `offline`.

    Raises:
        BackboneError: networks cannot be had.
        InputError: one cannot be used, or has a weight that cannot be.
    """
    given: list[Any] = list(style) if isinstance(style, list | tuple) else [style]
    if not given:
        raise InputError("no artwork was named")
    known: list[tuple[Path, float]] = []
    for number, each in enumerate(given):
        picture, weight = each, 1.0
        if isinstance(each, tuple) and len(each) == 2 and isinstance(each[1], int | float):
            picture, weight = each
        if isinstance(picture, str):
            ready.fetch([picture], offline)
        name = f"style-{number + 1}.png" if len(given) > 1 else "style.png"
        known.append((_file(picture, folder / name), float(weight)))
    return blends.named(known)


def _guides(options: Mapping[str, Any], folder: Path) -> dict[str, object]:
    """Return where masks and maps are, put into a folder where they are in memory."""
    found: dict[str, object] = {}
    for name in GUIDES:
        value = options.get(name)
        if value is None:
            continue
        several = list(value) if isinstance(value, list | tuple) else [value]
        places = []
        for number, each in enumerate(several):
            if isinstance(each, str | os.PathLike):
                places.append(os.fspath(each))
                continue
            place = folder / f"{name}-{number + 1}.png"
            place.write_bytes(memory.map_file_of(each))
            places.append(str(place))
        repeatable = getattr(InputOptions, name) == ()
        found[name] = places if repeatable or len(places) != 1 else places[0]
    return found


def _guided(pairs: Sequence[Pair], taken: InputOptions) -> list[Pair]:
    """Give pairs their masks and maps; which have none is logged.

    Raises:
        InputError: they cannot be found, or not be given so.
    """
    found, notes = guided(pairs, arguments_of(taken))
    for note in notes:
        _log.warning("%s", note)
    return found


def _both(
    content: object, style: object, chosen: _Chosen, output: Path
) -> tuple[list[Source] | None, list[Source] | None]:
    """Find photos and styles, None where results are made without."""
    return (
        None if content is None else _sources(content, chosen, output, styles=False),
        None if style is None else _sources(style, chosen, output, styles=True),
    )


def _sources(given: object, chosen: _Chosen, output: Path, *, styles: bool) -> list[Source]:
    """Find photos, or styles, which may be blends or mixtures; what is left out is logged.

    Raises:
        InputError: there are none, or the output folder would be taken for one of theirs.
    """
    options, paths = chosen.inputs, _paths(given)
    selection = Selection(options.recursive, options.include, options.exclude, options.strict)
    if styles:
        selection = blends.styles_in(selection, chosen.recipe.method, options.blend)
        ready.fetch(map(str, paths), chosen.execution.offline)
    several: list[inputs.Found] = []
    for each in paths:
        found = inputs.find(os.fspath(each), selection)
        inputs.refuse_nested(output, found)
        for note in found.notes:
            _log.warning("%s", note)
        several.append(found)
    if not several:
        raise InputError("no pictures were named")
    if styles:
        return blends.styles_of(several, options.blend, options.style_mix)
    return [source for found in several for source in found]


def _paths(given: object) -> list[str | os.PathLike[str]]:
    """Return the paths that were given, one or several.

    Raises:
        InputError: they are none.
    """
    paths = [given] if isinstance(given, str | os.PathLike) else given
    if isinstance(paths, Iterable) and not isinstance(paths, bytes):
        paths = list(paths)
        if all(isinstance(each, str | os.PathLike) for each in paths):
            return paths
    raise InputError("a batch takes paths, one or several; for pictures in memory: nstcli.stylize")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let torch compute as it does by itself, whatever the caller's own work has switched.

    A thread of its own is as undisturbed.
    """
    import torch

    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as stack:
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


def _make(
    checked: Checked,
    chosen: _Chosen,
    listeners: Sequence[Listener],
    stop: Flag,
    progress: bool,
) -> Summary:
    """Make what was checked, and show it if that is wanted.

    Raises:
        KeyboardInterrupt: somebody pressed Ctrl-C.
        StoppedError: the environment ended it.
    """
    watch: AbstractContextManager[object] | None = None
    downloading = None
    if progress:
        from nstcli.cli.progress import Watch
        from nstcli.cli.screen import Screen

        screen = Screen()
        watch = shown_work = Watch(screen, [job.pair for job in checked.jobs])
        downloading, listeners = screen.downloading, [*listeners, shown_work]
    summary = make(
        checked,
        execution_of(chosen.execution, chosen.inputs.max_pixels),
        listeners,
        # A script that has ended without its last result wants no more of them.
        stop=lambda: stop.is_set() or not main_thread().is_alive(),
        downloading=downloading,
        during=watch,
    )
    if summary.end is End.INTERRUPTED and not stop.is_set():
        raise KeyboardInterrupt
    if summary.end is End.STOPPED:
        raise StoppedError(summary.problem)
    return summary


def _with_varied(
    made: Generator[Result], varied: Mapping[Pair, Mapping[str, Any]]
) -> Generator[Result]:
    """Note in each result what of its settings varies."""
    with closing(made):
        for result in made:
            yield replace(result, varied=varied[result.pair])


def _row(result: Result) -> dict[str, Any]:
    """Return what a table tells of a result."""
    pair, record = result.pair, result.record
    told: dict[str, Any] = {
        **{role: str(pair.path(role)) for role in INPUTS if role in pair.roles},
        "path": str(result.path) if result.path else None,
        "error": result.error,
    }
    if record:
        told |= {"seconds": record.seconds, "steps": record.steps, **record.figures}
    varied = result.varied
    reached = {f"{name}_reached" if name in varied else name: told[name] for name in told}
    return {**varied, **reached}


def _tell_renamed(plan: Plan) -> None:
    for pair, why in plan.renamed:
        _log.warning("%s is called '%s': %s", pair.title, pair.output, why)


def _painted(
    pairs: Sequence[tuple[Pair, Settings]],
    store: Store,
    chosen: _Chosen,
    on_step: OnStep | None,
    progress: bool,
    kept: Kept | None = None,
) -> Generator[Result]:
    """Check pairs, and return what makes them and yields their results.

    Raises:
        InputError: results are in the way, or `strict` and a picture cannot be used.
    """
    written = chosen.output
    rules = Rules.of(written, chosen.inputs.max_pixels, fail_fast=chosen.execution.fail_fast)
    checked = check(pairs, store, rules)
    if chosen.inputs.strict:
        checked.refuse_failures("strict=True")
    problem = checked.in_the_way()
    if problem:
        raise InputError(f"{problem} overwrite=True replaces them; another output keeps both.")
    summaries = Summaries(store, _log.warning, written.gallery)
    stop = Flag()

    def listen(event: Event) -> None:
        if isinstance(event, PairStep) and on_step and on_step(event):
            stop.set()

    def run(tell: Listener) -> Summary:
        listeners: list[Listener] = [Journal(store.layout), summaries, listen, tell]
        if kept:
            listeners.append(kept)
        try:
            return _make(checked, chosen, listeners, stop, progress)
        finally:
            if kept:
                kept.finish()
            summaries.finish()

    return _results(checked, store, dict(pairs), run, stop)


def _results(
    checked: Checked,
    store: Store,
    settings: Mapping[Pair, Settings],
    run: Callable[[Listener], Summary],
    stop: Flag,
) -> Generator[Result]:
    """Yield what is up to date, then what a thread makes, as it is done."""
    wanted = {job.pair for job in checked.jobs} | {each.pair for each in checked.failures}
    for pair in [standing.job.pair for standing in checked.standings]:
        if pair not in wanted:
            yield _found(pair, store, settings[pair])
    told: SimpleQueue[_End | BaseException | Summary] = SimpleQueue()

    def tell(event: Event) -> None:
        # Of a pair that had failed and is up to date, the result was told already.
        if isinstance(event, _End) and event.pair in wanted:
            told.put(event)

    def work() -> None:
        try:
            told.put(run(tell))
        except BaseException as error:  # noqa: BLE001 - raised again where somebody sees it
            told.put(error)

    thread = Thread(target=work, name="nstcli.batch")
    thread.start()
    try:
        while not isinstance(item := told.get(), Summary):
            if isinstance(item, BaseException):
                raise item
            yield _ended(item, store, settings[item.pair])
    finally:
        stop.set()
        thread.join()


def _found(pair: Pair, store: Store, settings: Settings) -> Result:
    """Return the result of a pair that is up to date."""
    record = store.load(pair.output)
    return Result(pair, record, "", store.path(pair), cached=True, _settings=settings)


def _ended(event: _End, store: Store, settings: Settings) -> Result:
    """Return the result that an event tells of."""
    pair = event.pair
    if isinstance(event, PairFound):
        return _found(pair, store, settings)
    if isinstance(event, PairFailed):
        return Result(pair, None, event.error)
    return Result(pair, event.record, "", store.path(pair), _settings=settings)
