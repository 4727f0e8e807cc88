"""A run as a whole: pairs of several settings, and how it ends and is counted."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backbones import Backbone, BackboneError, weights
from backbones.hooks import FeatureExtractor
from backbones.spec import CAFFE, IMAGENET, Stem
from nstcli.errors import InputError
from nstcli.plan.pair import Pair
from nstcli.recipe import DEFAULT
from nstcli.report.inventory import take_inventory
from nstcli.results.folder import Store
from nstcli.results.records import Form
from nstcli.results.state import State
from nstcli.run import loader
from nstcli.run.check import Checked, Rules, check, differences
from nstcli.run.events import (
    Event,
    PairDone,
    PairFailed,
    PairFound,
    PairStarted,
    PairStep,
    WorkerReady,
)
from nstcli.run.job import Execution, Networks, Settings, settings_for
from nstcli.run.make import End, Summary, make
from tests import tiny
from tests.conftest import Plugin, install

LOCAL = Execution(device="cpu", precision="float32", backend="local")
PROCESS = replace(LOCAL, backend="process", jobs=2)


@pytest.fixture
def twin(tiny_plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a second backbone of other weights."""
    source = Path(tiny.__file__).read_text("utf-8").replace('name="tiny"', 'name="twin"')
    folder = tmp_path / "twin-site"
    install(folder, "twin", source.replace("RandomSource(0)", "RandomSource(7)"))
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ['PYTHONPATH']}")


def settings(form: str = "png", **choices: Any) -> Settings:
    chosen = {**DEFAULT, "model": "tiny", "steps": 3, "size": 32, **choices}
    return settings_for(chosen, Form(form))


Wanted = list[tuple[Pair, Settings]]


@pytest.fixture
def pair(
    tiny_plugin: Plugin, write_picture: Callable[..., Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Pair]:  # fmt: skip
    """Return what names a pair of two pictures by their numbers; there are two of each."""
    monkeypatch.chdir(tmp_path)
    for n in range(2):
        write_picture(f"photos/{n}.png", 24, 32, seed=n)
        write_picture(f"art/{n}.png", 28, 28, seed=9 + n)
    return lambda content=0, style=0, name="": Pair.of(
        Path(f"photos/{content}.png"), Path(f"art/{style}.png"), f"{content}-{style}{name}.png"
    )


def checked(wanted: Wanted, folder: str = "out", **rules: Any) -> Checked:
    return check(wanted, Store(Path(folder)), Rules(**rules))


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def made(
    wanted: Wanted, folder: str = "out", execution: Execution = LOCAL, **options: Any
) -> tuple[dict[str, bytes], Summary, Ear]:
    ear = Ear()
    rules = {name: options.pop(name) for name in ("keep_best", "fail_fast") if name in options}
    summary = make(checked(wanted, folder, **rules), execution, [ear], **options)
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.*g")}, summary, ear


def alone(wanted: Wanted) -> dict[str, bytes]:
    """Make every pair in a run of its own."""
    found: dict[str, bytes] = {}
    for n, each in enumerate(wanted):
        found.update(made([each], f"alone{n}")[0])
    return found


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count which networks are loaded, and which files are decoded, in this process."""
    found: Counter[str] = Counter()
    load, decode = FeatureExtractor.load.__func__, loader.Loader._decode  # type: ignore[attr-defined]

    def counted(kind: Any, backbone: Any, *arguments: Any, **options: Any) -> Any:
        found[backbone.name] += 1
        return load(kind, backbone, *arguments, **options)

    def decoded(self: Any, path: Path, *arguments: Any, **options: Any) -> Any:
        found[path.as_posix()] += 1
        return decode(self, path, *arguments, **options)

    monkeypatch.setattr(FeatureExtractor, "load", classmethod(counted))
    monkeypatch.setattr(loader.Loader, "_decode", decoded)
    return found


def of_many_settings(pair: Callable[..., Pair]) -> Wanted:
    """Pairs of settings that differ in every manner, so that each could be given another's."""
    several: Sequence[dict[str, Any]] = (
        {},
        {"content_weight": 0.0},
        {"style_weight": 0.0},
        {"loss": "gatys"},
        {"loss": "mean", "tv_weight": 1.0},
        {"style_layers": "relu1,relu3=0.5"},
        {"content_layers": "relu3"},
        {"size": 24},
        {"size": 20, "scales": 2},
        {"scales": 1},
        {"pooling": "avg"},
        {"padding": "circular"},
        {"weights": "other"},
        {"optimizer": "adam", "steps": 4},
        {"init": "noise", "seed": 5},
        {"init": "style"},
    )
    return [
        (pair(style=n % 2, name=f"-{n}"), settings(**choices)) for n, choices in enumerate(several)
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_settings_of_every_kind_in_one_run_give_each_pair_the_bytes_it_has_alone(
    pair: Callable[..., Pair], order: int
) -> None:
    wanted = of_many_settings(pair)
    found, summary, _ = made(wanted[::order])
    assert (summary.end, summary.made, summary.failures) == (End.COMPLETE, len(wanted), [])
    expected = alone(wanted)
    assert {name for name in expected if expected[name] != found[name]} == set()
    assert len(set(found.values())) == len(wanted)


def of_two_networks(pair: Callable[..., Pair]) -> Wanted:
    """Pairs of two networks and three settings, in turns."""
    ways = (settings(), settings(model="twin"), settings(style_weight=5.0))
    return [
        (pair(content, style, f"-{n}"), way)
        for content in range(2)
        for style in range(2)
        for n, way in enumerate(ways)
    ]


def test_every_network_is_loaded_once_and_nothing_read_twice_in_vain(
    twin: None, pair: Callable[..., Pair], loads: Counter[str]
) -> None:
    wanted = of_two_networks(pair)
    found, summary, ear = made(wanted)
    assert (summary.made, summary.end) == (12, End.COMPLETE)
    assert {name: loads[name] for name in ("tiny", "twin")} == {"tiny": 1, "twin": 1}
    # What both settings of one network see of a picture is the same: each is read once by each.
    assert {loads[f"{kind}/{n}.png"] for kind in ("photos", "art") for n in range(2)} == {2}
    networks = [event.pair.output[-5] == "1" for event in ear.of(PairStarted)]
    assert networks == sorted(networks)
    assert found == alone(wanted)


def test_processes_make_what_one_makes(twin: None, pair: Callable[..., Pair]) -> None:
    wanted = of_two_networks(pair)[:6]
    found, summary, ear = made(wanted, "several", PROCESS)
    assert (summary.made, summary.end) == (6, End.COMPLETE)
    assert found == made(wanted, "one")[0]
    # Of both, unless the first has made everything before the second is up.
    assert len(ear.of(WorkerReady)) in {1, 2}


def test_other_layers_or_another_size_are_read_anew(
    pair: Callable[..., Pair], loads: Counter[str]
) -> None:
    made([(pair(), settings()), (pair(name="b"), settings(size=24)),
          (pair(name="c"), settings(size=24, steps=2))])  # fmt: skip
    assert loads == {"tiny": 1, "photos/0.png": 2, "art/0.png": 2}


def test_weights_of_one_network_that_cannot_be_had_end_it_before_anything_is_made(
    twin: None, pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = weights.pull

    def pull(backbone: Any, *arguments: Any, **options: Any) -> Any:
        if backbone.name == "twin":
            raise BackboneError("no twin to be had")
        return real(backbone, *arguments, **options)

    monkeypatch.setattr(weights, "pull", pull)
    look, ear = checked(of_two_networks(pair)), Ear()
    with pytest.raises(BackboneError, match="no twin to be had"):
        make(look, LOCAL, [ear])
    assert not Path("out").exists()
    assert ear.events == []


def test_downloads_are_shown_once_for_each_network(twin: None, pair: Callable[..., Pair]) -> None:
    shown: list[str] = []

    def downloading(title: str) -> Any:
        shown.append(title)

    make(checked(of_two_networks(pair)), LOCAL, downloading=downloading)
    assert shown == ["tiny:random", "twin:random"]


# How it is counted and ends.


def test_the_summary_counts_every_pair_once(pair: Callable[..., Pair]) -> None:
    way = settings()
    made([(pair(0, 0), way)])
    Path("photos/bad.png").write_bytes(b"<html>")
    bad = Pair.of(Path("photos/bad.png"), Path("art/0.png"), "bad.png")
    look = checked([(pair(0, 0), way), (bad, way), (pair(0, 1), way), (pair(1, 1), way)])
    made([(pair(0, 1), way)])  # somebody else, meanwhile
    ear = Ear()
    summary = make(look, LOCAL, [ear])
    assert (summary.cached, summary.made, summary.elsewhere) == (1, 1, 1)
    assert [(each.pair, "web page" in each.error) for each in summary.failures] == [(bad, True)]
    assert (summary.end, summary.problem) == (End.COMPLETE, "")
    assert summary.seconds > 0
    assert [event.pair.output for event in ear.of(PairFound)] == ["0-1.png"]
    assert [event.pair.output for event in ear.of(PairDone)] == ["1-1.png"]
    assert [event.pair for event in ear.of(PairFailed)] == [bad]
    assert Store(Path("out")).failure("bad.png")


def test_where_all_have_failed_it_is_told_and_written_down_without_torch(
    pair: Callable[..., Pair],
) -> None:
    Path("photos/bad.png").write_bytes(b"<html>")
    bad = Pair.of(Path("photos/bad.png"), Path("art/0.png"), "bad.png")
    found, summary, ear = made([(bad, settings())])
    assert found == {}
    assert (summary.end, summary.made, len(summary.failures)) == (End.COMPLETE, 0, 1)
    assert [type(event) for event in ear.events] == [PairFailed]
    assert Store(Path("out")).failure("bad.png")


def test_a_failure_that_was_overcome_is_told_once(pair: Callable[..., Pair]) -> None:
    way, store = settings(), Store(Path("out"))
    store.prepare()
    store.fail(pair(), "why", 1.0)
    failure = store.layout.failure(pair().output)
    left = failure.read_bytes()
    made([(pair(), way)])
    failure.write_bytes(left)  # as a kill at the wrong moment would
    _, summary, ear = made([(pair(), way)])
    assert [type(event) for event in ear.events] == [PairFound]
    assert (summary.cached, summary.elsewhere, summary.made) == (1, 0, 0)
    assert store.failure(pair().output) is None
    assert made([(pair(), way)])[2].events == []


def test_a_full_disk_stops_it(pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    way, save, saved = settings(), Store.save, list[str]()

    def fill(store: Store, pair: Pair, *arguments: Any) -> None:
        if saved:
            raise OSError(28, "No space left on device")
        saved.append(pair.output)
        save(store, pair, *arguments)

    monkeypatch.setattr(Store, "save", fill)
    wanted = [(pair(0, 0), way), (pair(0, 1), way), (pair(1, 0), way)]
    found, summary, ear = made(wanted)
    assert (summary.end, summary.made, summary.failures) == (End.STOPPED, 1, [])
    assert "cannot write to 'out': No space left on device" in summary.problem
    assert list(found) == ["0-0.png"]
    assert len(ear.of(PairStarted)) == 2
    assert Store(Path("out")).locks.any_held() is False
    monkeypatch.undo()


def test_fail_fast_stops_before_anything_is_made(pair: Callable[..., Pair]) -> None:
    Path("photos/bad.png").write_bytes(b"<html>")
    bad = Pair.of(Path("photos/bad.png"), Path("art/0.png"), "bad.png")
    way = settings()
    found, summary, ear = made([(pair(), way), (bad, way)], fail_fast=True)
    assert (found, summary.end, summary.made) == ({}, End.STOPPED, 0)
    assert summary.problem.startswith("stopped at the first failure: bad.png × 0.png: ")
    assert [type(event) for event in ear.events] == [PairFailed]


@pytest.mark.parametrize("execution", [LOCAL, PROCESS], ids=["local", "process"])
@pytest.mark.parametrize("keep_best", [True, False])
def test_an_end_that_is_wanted(
    pair: Callable[..., Pair], keep_best: bool, execution: Execution
) -> None:
    way = settings(steps=2000)
    ear = Ear()
    # One more than there are workers: when it is over, both of these may have begun.
    look = checked([(pair(*which), way) for which in ((0, 0), (1, 0), (0, 1))], keep_best=keep_best)
    summary = make(look, execution, [ear], stop=lambda: bool(ear.of(PairStep)))
    assert summary.end is End.INTERRUPTED
    kept = sorted(path.name for path in Path("out").glob("*.png"))
    assert summary.made == len(kept)
    assert (0 < len(kept) < 3) == keep_best
    for name in kept:
        record = Store(Path("out")).load(name)
        assert record
        assert record.stopped
    assert Store(Path("out")).locks.any_held() is False


def test_an_end_that_is_wanted_when_all_is_done_is_none(pair: Callable[..., Pair]) -> None:
    ear = Ear()
    summary = make(checked([(pair(), settings())]), LOCAL, [ear],
                   stop=lambda: bool(ear.of(PairDone)))  # fmt: skip
    assert (summary.end, summary.made) == (End.COMPLETE, 1)


def test_ctrl_c_is_an_end_and_other_errors_are_not_swallowed(pair: Callable[..., Pair]) -> None:
    def fail(error: type[BaseException]) -> Summary:
        def listen(event: Event) -> None:
            if isinstance(event, PairStep):
                raise error

        return make(checked([(pair(), settings())]), LOCAL, [listen])

    assert fail(KeyboardInterrupt).end is End.INTERRUPTED
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError)
    assert Store(Path("out")).locks.any_held() is False
    with pytest.raises(InputError, match="no device 'abacus'"):
        make(checked([(pair(), settings())]), replace(LOCAL, device="abacus"))


def test_what_is_entered_is_entered_only_while_pairs_are_made(pair: Callable[..., Pair]) -> None:
    told: list[str] = []

    class During:
        def __enter__(self) -> None:
            told.append("enter")

        def __exit__(self, *error: object) -> None:
            told.append("exit")

    way = settings()
    for _ in range(2):
        make(checked([(pair(), way)]), LOCAL, [lambda event: told.append(type(event).__name__)],
             during=During())  # fmt: skip
    assert (told[0], told[-1], told.count("enter")) == ("enter", "exit", 1)


def test_nothing_to_make_imports_no_torch(pair: Callable[..., Pair]) -> None:
    made([(pair(), settings())])
    Path("photos/bad.png").write_bytes(b"<html>")
    script = """
import sys
from pathlib import Path
from nstcli.plan.pair import Pair
from nstcli.recipe import DEFAULT
from nstcli.results.folder import Store
from nstcli.results.records import Form
from nstcli.run.check import check
from nstcli.run.job import Networks, Execution, settings_for
from nstcli.run.make import make
way = settings_for({**DEFAULT, "model": "tiny", "steps": 3, "size": 32}, Form())
pairs = [Pair.of(Path(f"photos/{c}.png"), Path("art/0.png"), f"{c}-0.png") for c in ("0", "bad")]
summary = make(check([(pair, way) for pair in pairs], Store(Path("out"))), Execution())
print(summary.end, summary.cached, len(summary.failures), "torch" in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[3]}:{os.environ['PYTHONPATH']}"},
    )  # fmt: skip
    assert ended.stdout == "End.COMPLETE 1 1 False\n", ended.stderr


def test_of_two_recipes_on_one_folder_the_later_one_is_told_who_holds_the_name(
    pair: Callable[..., Pair],
) -> None:
    """Both were planned while it was empty; the second has nothing of the first to complain of."""
    one, other = checked([(pair(), settings())]), checked([(pair(), settings(steps=4))])
    assert make(one, LOCAL).made == 1
    (failed,) = make(other, LOCAL).failures
    assert "another recipe holds the name: 'out/0-0.png' was made" in failed.error
    assert "(steps 3 → 4)" in failed.error
    assert "an output of its own" in failed.error
    store = Store(Path("out"))
    assert list(store.failures()) == []
    assert [name for name, _ in store.records()] == ["0-0.png"]
    assert take_inventory(Path("out")).is_well


def seen_otherwise(backbone: Backbone, **changes: Any) -> Backbone:
    """Return a plugin as a later release of it would be, of the same weights."""
    (first, *others) = backbone.weight_sets
    changed = replace(first, **changes.pop("weights", {}))
    return replace(backbone, weight_sets=(changed, *others), **changes)


ONE_LAYER = {f"{term}_layers": "relu2" for term in ("style", "nearest", "sliced")}
LAYERS = tuple(
    replace(layer, module="1") if layer.name == "relu2" else layer
    for layer in tiny.TINY.layers
    if layer.name != "relu1"
)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": {"preprocessing": CAFFE}},
        {"weights": {"preprocessing": replace(IMAGENET, std=(0.2, 0.2, 0.3))}},
        {"weights": {"content_sha256": "3" * 64}},
        {"minimum_size": 16},
        {"stem": Stem("0", 3, 2)},
        {"layers": LAYERS, "style_layers": {"relu2": 1.0}},
    ],
    ids=["preprocessing", "numbers of it", "tensors", "minimum size", "stem", "layers"],
)
def test_what_a_plugin_says_of_its_pixels_is_in_the_key(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    before = settings(**ONE_LAYER)
    made([(pair(), before)])
    later = seen_otherwise(tiny.TINY, **changes)
    monkeypatch.setattr("backbones.get", lambda name: later)
    after = settings(**ONE_LAYER, dense=False)
    (standing,) = checked([(pair(), after)]).standings
    assert standing.state is State.STALE
    before = Store(Path("out")).before(pair().output)
    assert before
    (difference,) = differences(before, standing.job)
    assert difference.startswith("plugin ")


def test_what_shows_in_no_pixel_is_in_no_key(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = settings(**ONE_LAYER, content_weight=0)
    layers = tuple(each for each in tiny.TINY.layers if each.name != "relu1")
    later = seen_otherwise(
        tiny.TINY,
        description="as good as new",
        layers=layers,
        style_layers={"relu3": 1.0},
        weights={"description": "the same"},
    )
    monkeypatch.setattr("backbones.get", lambda name: later)
    assert settings(**ONE_LAYER, content_weight=0).recipe == before.recipe


def test_two_sets_of_one_file_that_is_seen_otherwise_are_two_networks(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, _) = tiny.TINY.weight_sets
    twice = replace(tiny.TINY, weight_sets=(first, replace(first, name="bgr", preprocessing=CAFFE)))
    monkeypatch.setattr("backbones.get", lambda name: twice)
    wanted = [(pair(0, 0), settings()), (pair(0, 1, "b"), settings(weights="bgr"))]
    assert made(wanted)[0] == alone(wanted)


@pytest.mark.parametrize("name", ["vgg19", "squeezenet"])
def test_the_key_of_our_own_backbones_knows_no_plugin(name: str) -> None:
    found = settings_for({**DEFAULT, "model": name}, Form()).recipe
    assert found.plugin == ""
    assert "plugin" not in found.effective()


@pytest.mark.usefixtures("tiny_plugin")
def test_what_one_recipe_left_out_of_an_input_another_does_not_take_for_read() -> None:
    """A term that weighs nothing need not have been looked at."""
    first, second = settings(style_weight=3), settings(style_weight=30)
    assert first.reading == second.reading
    assert settings(style_weight=0).reading != first.reading
    assert settings(content_weight=0).reading != first.reading
    assert settings(steps=9, seed=1).reading == first.reading


@pytest.mark.usefixtures("tiny_plugin")
def test_settings_together_are_those_that_each_would_be_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Networks()
    for choices in ({"weights": None}, {"weights": "other"}, {"weights": None, "steps": 9}):
        chosen = {**DEFAULT, "model": "tiny", **choices}
        assert known.settings(chosen, Form()) == settings_for(chosen, Form())
    monkeypatch.setattr("backbones.get", None)
    known.settings({**DEFAULT, "model": "tiny", "size": 9}, Form())


def test_a_term_that_weighed_nothing_finds_what_it_looks_at(pair: Callable[..., Pair]) -> None:
    """The pair before may have read the same pictures without it."""
    wanted = [
        (pair(0, 0), settings()),
        (pair(0, 0, "b"), settings(nearest_weight=1)),
        (pair(0, 0, "c"), settings(style_weight=0)),
        (pair(0, 0, "d"), settings(nearest_weight=1, style_weight=3)),
    ]
    assert made(wanted)[0] == alone(wanted)
