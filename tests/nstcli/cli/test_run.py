"""`nst run` from outside, with the tiny backbone and a twin of it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from backbones.hooks import FeatureExtractor
from nstcli.cli import experimenting
from nstcli.config import yaml12
from nstcli.results.records import Record
from nstcli.run.worker import Worker
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders", "twin")

FILE = """
content = "photos"
style = "art"
size = 32
steps = 3
[sweep]
style-weight = [3, 30]
model = ["tiny", "twin"]
[backbone.twin]
content-weight = 2
"""
RUN = ("run", "x.toml", "-o", "out")
VARIANTS = {
    f"style-weight={weight},model={model}" for weight in (3, 30) for model in ("tiny", "twin")
}


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Path:
    """Write the experiment."""
    path = tmp_path / "x.toml"
    path.write_text(FILE)
    return path


def results(folder: Path = Path("out")) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/*.png")
    }


def record(name: str) -> Record:
    return Record.model_validate_json(Path(f"out/.nst/pairs/{name}.json").read_bytes())


def test_every_pair_under_every_variant_in_folders_by_what_varies(nst: Nst) -> None:
    ended = nst(*RUN)
    assert ended.code == 0, ended.err
    made = results()
    assert {name.partition("/")[0] for name in made} == VARIANTS
    assert len(set(made.values())) == len(made) == 16
    assert "style-weight=3,model=twin/dog__wave.png" in made
    head, axes, *_ = ended.err.splitlines()
    assert head == "16 pictures: 2 contents × 2 styles × 4 variants"
    assert axes == "style-weight 3, 30 × model tiny, twin · 32 px · 3 steps"
    assert "Done: 16 made in" in ended.err
    found = record("style-weight=30,model=twin/cat__ink.png").recipe
    assert (found["style_weight"], found["model"], found["content_weight"]) == (30, "twin", 2)
    assert record("style-weight=30,model=tiny/cat__ink.png").recipe["content_weight"] == 1
    assert Path("out/index.html").exists()
    assert nst("status", "out").code == 0


def test_a_value_more_makes_what_is_new_and_no_more(nst: Nst, file: Path) -> None:
    nst(*RUN)
    before = results()
    file.write_text(FILE.replace("[3, 30]", "[3, 10, 30]"))
    ended = nst(*RUN)
    assert "24 pictures: 2 contents × 2 styles × 6 variants, 16 cached" in ended.err
    assert "Done: 8 made, 16 cached" in ended.err
    assert results().items() > before.items()
    again = nst(*RUN, "--json")
    assert (again.code, json.loads(again.out)["made"]) == (0, 0)


def test_the_experiment_is_kept_as_it_was_resolved(
    nst: Nst, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NST_SEED", "4")
    assert nst(*RUN, "--set", "init=noise").code == 0
    monkeypatch.delenv("NST_SEED")
    kept = Path("out/experiment.yaml")
    table = yaml12.load(kept.read_text("utf-8"))
    assert (table["seed"], table["init"], table["steps"]) == (4, "noise", 3)
    assert "style-weight" not in table
    ended = nst("run", kept, "-o", "out")
    assert "16 cached" in ended.err
    assert nst(*RUN).code == 2  # other settings than those that were kept


def test_a_file_of_somebody_else_under_its_name_stays(nst: Nst) -> None:
    theirs = Path("out/experiment.yaml")
    theirs.parent.mkdir()
    theirs.write_text("mine: 1")
    ended = nst(*RUN)
    assert (ended.code, theirs.read_text()) == (0, "mine: 1")
    assert "warning: the experiment cannot be kept" in ended.err


def test_the_folder_is_called_like_the_file_unless_it_is_named(nst: Nst) -> None:
    assert nst("run", "x.toml", "--set", "style=art/ink.png", "-q").err == ""
    assert len(results(Path("x"))) == 8


def test_networks_are_loaded_once_and_styles_read_once(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    real = FeatureExtractor.load

    def load(backbone: Any, *arguments: Any, **options: Any) -> FeatureExtractor:
        loads.append(backbone.name)
        return real(backbone, *arguments, **options)

    monkeypatch.setattr(FeatureExtractor, "load", load)
    reads = counted(monkeypatch, "nstcli.engine.methods.optimize.read_style")
    needs = counted(monkeypatch, "nstcli.engine.methods.optimize.needs")
    assert nst(*RUN).code == 0
    assert loads == ["tiny", "twin"]
    assert len(reads) == 2 * 2  # by each network, of each artwork
    assert len(needs) == 2 + 2  # foretold before they are loaded


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """Note the calls of a function."""
    module, _, attribute = name.rpartition(".")
    real = getattr(import_module(module), attribute)
    calls: list[object] = []

    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(name, call)
    return calls


def test_a_dry_run_lists_every_picture_and_computes_nothing(nst: Nst) -> None:
    ended = nst(*RUN, "-n", "--json")
    document = json.loads(ended.out)
    assert len(document["pairs"]) == 16
    assert {pair["state"] for pair in document["pairs"]} == {"missing"}
    assert "16 pictures: 2 contents" in ended.err
    assert "about" not in ended.err  # nobody knows yet
    assert not Path("out").exists()
    nst(*RUN, "--set", "style=art/ink.png")
    assert "about " in nst(*RUN, "-n").err


def test_the_time_of_many_is_measured_first_where_nobody_knows_it(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experimenting, "_WORTH_MEASURING", 8)
    ended = nst(*RUN)
    assert ended.err.count("measuring the pace of t") == 2
    assert ", by this machine's pace so far · memory up to " in ended.err
    assert len(results()) == 16
    ended = nst(*RUN, "-f")
    assert "measuring" not in ended.err
    assert "about " in ended.err


def test_parts_of_an_experiment_are_the_whole(nst: Nst) -> None:
    for part in ("1/3", "2/3", "3/3"):
        ended = nst(*RUN, "--shard", part)
        assert ended.code == 0
        assert ended.err.startswith(f"part {part} of 16 pictures: 2 contents × 2 styles × ")
    assert len(results()) == 16
    assert "note: part 17/20 is empty" in nst(*RUN, "--shard", "17/20").err


def test_several_workers_make_the_same_experiment(nst: Nst) -> None:
    nst(*RUN, "--precision", "float32")
    nst("run", "x.toml", "-o", "two", "-j", "2", "--precision", "float32")
    assert results(Path("two")).keys() == results().keys()


def test_pairs_go_by_place_and_lie_by_folder(nst: Nst, write_picture: Callable[..., Path]) -> None:
    write_picture("photos/deep/fox.png", 24, 32, seed=8)
    assert nst(*RUN, "--set", "recursive=true", "--set", "style=art/ink.png").code == 0
    assert Path("out/style-weight=3,model=tiny/deep/fox__ink.png").exists()


def test_without_a_sweep_it_is_a_batch(nst: Nst, file: Path) -> None:
    file.write_text(FILE.partition("[sweep]")[0] + "model = 'tiny'\nformat = 'jpg'\n")
    ended = nst(*RUN)
    assert ended.err.startswith("4 pictures: 2 contents × 2 styles\ntiny · 32 px · 3 steps\n")
    assert len(list(Path("out").glob("*__*.jpg"))) == 4


def test_what_is_the_same_under_two_names_is_told(nst: Nst, file: Path) -> None:
    file.write_text(FILE.replace("[3, 30]", "[3]") + "\n")
    ended = nst(*RUN, "-n", "--set", "sweep.learning-rate=[0.1, 0.2]", "--set",
                "sweep.optimizer=['adam', 'lbfgs']")  # fmt: skip
    assert ended.code == 0
    assert "note: 2 variants will show the same as others, such as " in ended.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("sweep.seed=[1, 2]",), "[sweep] seed: all its values give the same pictures"),
        (("sweep.style-wieght=[1]",), "did you mean 'style-weight'"),
        (("sweep.style-weight=[]",), "has no values"),
        (("sweep.style-weight=[1, -3]",), "greater than or equal to 0"),
        (("sweep.scales=[1, 99]",), "scales = 99: should be 'auto'"),
        (("sweep.size=[32, 64]", "size=3x"), '[sweep] size = "3x": should be'),
        (("style-weight=[1, 2]",), "style-weight = [1, 2]: should be a valid number"),
        (("sweep.style-layers=['relu1', 'relu9']",), "style-layers=relu9: unknown layer 'relu9'"),
        (("sweep.model=['tiny', 'vgg19']", "style-layers=relu1"), "[backbone.NAME]"),
        (("sweep.model=['tinny']",), "did you mean 'tiny'"),
        (
            ("sweep.style-weight=[0, 1]", "content-weight=0"),
            "style-weight=0,model=tiny: all weights",
        ),
        (("sweep.style-layers={'a:b' = 'relu1', 'a|b' = 'relu2'}",), "would go into one folder"),
        (("content=phtos",), "no such file or folder: 'phtos' (did you mean 'photos'?)"),
        (("name={model}",), "unknown placeholder {model}"),
        (("jobs=0",), "jobs"),
        (("output=elsewhere",), "'output' is given on the command line only (-o)"),
        (("steps",), "--set 'steps': should be KEY=VALUE"),
    ],
)
def test_what_cannot_be_computes_nothing(
    nst: Nst, changes: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Worker, "load", load)
    ended = nst(*RUN, *(part for change in changes for part in ("--set", change)))
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not Path("out").exists()


def test_an_experiment_is_no_config_file_for_others(nst: Nst) -> None:
    ended = nst("batch", "photos", "art", "-c", "x.toml")
    assert ended.code == 2
    assert "x.toml: 'content' belongs to an experiment; see: nst run" in ended.err


def test_an_experiment_called_nst_toml_is_read_once(nst: Nst, file: Path) -> None:
    file.rename("nst.toml")
    ended = nst("run", "nst.toml", "-n", "-v")
    assert ended.code == 0, ended.err
    assert ended.err.count("settings are read from") == 1
    assert "steps 3 (nst.toml)" in ended.err


def test_a_file_that_is_not_there_is_told_with_the_closest(nst: Nst) -> None:
    ended = nst("run", "y.toml")
    assert (ended.code, "did you mean 'x.toml'" in ended.err) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_begun_goes_on(
    nst: Nst, nst_process: Callable[..., "subprocess.Popen[str]"], number: signal.Signals
) -> None:
    long = (*RUN, "--set", "steps=300", "--set", "style=art/ink.png")
    process = nst_process(*long)
    assert process.stderr
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("[3/"):
            break
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (130 if number is signal.SIGINT else -9), told
    before = results()
    assert 3 <= len(before) < 8
    assert nst("status", "out").code in {0, 1}
    ended = nst(*long)
    assert ended.code == 0
    assert f"{len(before)} cached" in ended.err
    assert results().items() > before.items()
    assert len(results()) == 8


def test_init_writes_a_file_for_the_folders_at_hand_and_replaces_none(nst: Nst) -> None:
    ended = nst("init")
    assert (ended.code, "experiment.toml is written" in ended.err) == (0, True)
    assert nst("run", "experiment.toml", "-n", "--set", "model=tiny").code == 0
    ended = nst("init")
    assert (ended.code, "is there already" in ended.err) == (2, True)
    assert "must end in .toml" in nst("init", "a.json").err
    assert "cannot write" in nst("init", "no/a.toml").err
    os.chdir("photos")
    ended = nst("init")
    assert "no folder of content pictures was found" in ended.err
    assert ended.code == 0


def test_twenty_thousand_pictures_are_planned_with_few_measurements(
    nst: Nst, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that takes longer than a line of output is done once a network, not once a variant."""
    file.write_text(
        'content = "photos"\nstyle = "art"\nsize = 32\nsteps = 3\nmodel = "tiny"\n[sweep]\n'
        'style-weight = {from = 1, to = 1000, count = 100, spacing = "log"}\n'
        'tv-weight = {from = 1, to = 1000, count = 50, spacing = "log"}\n'
    )
    memory = counted(monkeypatch, "nstcli.run.check._memory_of")
    lookups = counted(monkeypatch, "backbones.registry._registered")
    ended = nst(*RUN, "-n")
    assert "20000 pictures: 2 contents × 2 styles × 5000 variants" in ended.err
    assert len(ended.out.splitlines()) == 20000
    assert len(memory) == 1
    assert len(lookups) < 10


def test_paces_of_a_batch_are_known_to_an_experiment(nst: Nst) -> None:
    nst("batch", "photos", "art", "-m", "tiny", "--size", "32", "--steps", "5", "-o", "b")
    ended = nst(*RUN, "-n", "--set", "model=tiny")
    assert "about " in ended.err
    assert "unknown pace" not in ended.err
    ended = nst(*RUN, "-n")
    assert " and 8 pictures of unknown pace, by this machine's pace so far" in ended.err


def test_cells_and_expressions_choose_what_is_made(nst: Nst) -> None:
    listed = nst(*RUN, "--dry-run").out.splitlines()
    assert len(listed) == 16
    assert [line.split()[1] for line in listed[:5]] == ["a1", "a2", "a3", "a4", "b1"]
    told = json.loads(nst(*RUN, "--dry-run", "--json").out)
    named = {each["cell"]: each["result"] for each in told["pairs"]}
    ended = nst(*RUN, "--cells", "b2,C4")
    assert (ended.code, set(results())) == (0, {named["b2"], named["c4"]})
    assert ended.err.startswith("2 chosen of 16 pictures: 2 contents × 2 styles × 4 variants")
    assert nst(*RUN, "--where", "style-weight>=30 and model=twin and content=cat").code == 0
    assert set(results()) - {named["b2"], named["c4"]} == {
        f"style-weight=30,model=twin/cat__{style}.png" for style in ("ink", "wave")
    }
    ended = nst(*RUN, "--cells", "d", "--where", "content=dog")
    assert "2 chosen of" in ended.err
    assert len(results()) == 6
    assert "Done: 10 made, 6 cached" in nst(*RUN).err


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (("--cells", "e1"), "there is no e1; columns are a to d, rows 1 to 4"),
        (("--cells", "nonsense!"), "'nonsense!' should be letters"),
        (("--where", "style-wait=3"), "unknown key 'style-wait'"),
        (("--where", "style-weight=4"), "no picture is like that; what varies is style-weight: 3"),
        (("--where", "model>3"), "model is 'tiny', which is no number"),
        (("--cells", "a", "--where", "model=twin"), "no picture in these cells is like that"),
    ],
)
def test_a_choice_that_cannot_be_is_told_before_the_work(
    nst: Nst, choice: tuple[str, ...], why: str
) -> None:
    ended = nst(*RUN, *choice)
    assert (ended.code, results()) == (2, {})
    assert why in ended.err


def test_what_pictures_start_from_may_vary(nst: Nst, write_picture: Callable[..., Path]) -> None:
    write_picture("starts/cat.png", 40, 40, seed=20)
    Path("start.toml").write_text(
        'content = "photos/cat.png"\nstyle = "art/ink.png"\nmodel = "tiny"\nsteps = 2\n'
        '[sweep]\ninit = ["content", "starts", "starts/cat.png"]\ncenter-crop = ["none", "1x1"]\n'
    )
    ended = nst("run", "start.toml", "-o", "tried")
    assert ended.code == 0, ended.err
    made = sorted(path.parent.name for path in Path("tried").glob("*/*.png"))
    assert made == sorted(
        f"init={init},center-crop={crop}"
        for init in ("content", "starts", "starts_cat.png")
        for crop in ("none", "1x1")
    )
    assert nst("run", "start.toml", "-o", "tried").err.count("6 cached") == 2


CONTROLS = """
model = "tiny"
content = "photos"
style = "art"
size = 32
steps = 2
content-mask = "masks"
style-strength-map = "fade.png"
[sweep]
how = "zip"
colors = ["style", "match", "recolor", "luminance"]
style-scale = [1, 0.5, 2, 1]
init-noise = [0, 0.5, 0, 1]
pooling = ["max", "avg", "l2", "max"]
center-crop = ["none", "1x1", "none", "4x3"]
"""


def test_controls_vary_and_masks_are_inputs_of_every_variant(
    nst: Nst, tmp_path: Path, file: Path, write_picture: Callable[..., Path]
) -> None:
    file.write_text(CONTROLS)
    write_picture("fade.png", 24, 32, seed=40)
    write_picture("masks/cat.png", 24, 32, seed=41)
    ended = nst(*RUN)
    assert ended.code == 0, ended.err
    assert ended.err.count("'masks' has no --content-mask for 'dog.png': painted without") == 1
    made = results()
    assert len(set(made.values())) == len(made) == 16
    for name in made:
        found, cat = record(name), "/cat__" in name
        guides = [each.role for each in found.inputs if each.role not in ("content", "style")]
        assert guides == ["content-mask"] * cat + ["style-strength-map"]
        varied = [f"{key.replace('_', '-')}={found.recipe[key]}" for key in ("colors", "pooling")]
        assert all(each in name.replace(".0", "") for each in varied), name
    assert "16 cached" in nst(*RUN).err
    write_picture("fade.png", 24, 32, seed=42)
    stale = nst(*RUN)
    assert (stale.code, "style-strength-map image changed" in stale.err) == (2, True), stale.err
