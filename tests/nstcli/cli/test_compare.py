"""`nst compare-backbones` from outside, with two small backbones and a judge of the same kind."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from backbones import BackboneError
from nstcli.cli import comparing
from nstcli.cli.compare_progress import LiveTable
from nstcli.cli.screen import Screen
from nstcli.experiments import budget, judging
from nstcli.experiments.run import (
    ExperimentEvent,
    JudgingStarted,
    PictureJudged,
    VariantStarted,
)
from nstcli.images import decode
from nstcli.measures import MEASURES
from nstcli.results.records import Record
from nstcli.run.events import PairDone, PairFailed, PairStarted, PairStep
from tests.nstcli.cli.conftest import Nst, wait_until_computed
from tests.nstcli.experiments import judges
from tests.nstcli.experiments.comparisons import experiment, record

pytestmark = pytest.mark.usefixtures("folders", "twin", "quick")

RUN = ("compare-backbones", "photos/cat.png", "art/ink.png", "-m", "tiny,twin", "-o", "out",
       "--steps", "3")  # fmt: skip
RESULTS = {"cat__ink__tiny.png", "cat__ink__twin.png"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process of its own for each backbone, and judges that need no download."""
    monkeypatch.setattr(comparing, "_BACKEND", "local")
    monkeypatch.setattr(judging, "load_judge", judges.judge)


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").glob("*__*")}


def test_a_picture_by_each_backbone_with_table_sheet_and_gallery(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*RUN)
    assert ended.code == 0, ended.err
    made = results(tmp_path)
    assert set(made) == RESULTS
    assert len(set(made.values())) == 2
    lines = ended.out.splitlines()
    assert lines[0] == "cat × ink · 512 px · 3 steps · seed 0"
    for start in ("tiny random ", "twin random ", "unchanged content ", "resized style "):
        (line,) = [line for line in lines if line.startswith(f" {start}")]
        assert line.rstrip().endswith("vgg16")
    assert "*" in ended.out
    assert "\x1b" not in ended.out + ended.err
    sheet = decode((tmp_path / "out/comparison.png").read_bytes(), "")
    assert sheet.width > sheet.height
    gallery = (tmp_path / "out/index.html").read_text("utf-8")
    assert "measured LPIPS" in gallery
    assert "cat__ink__twin.png" in gallery
    assert (tmp_path / "out/manifest.json").exists()


def test_everybody_has_the_same_recipe_but_for_the_network(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN, "--seed", "4", "--style-weight", "7")
    recipes = [
        Record.model_validate_json((tmp_path / f"out/.nst/pairs/{name}.json").read_bytes()).recipe
        for name in sorted(RESULTS)
    ]
    first, second = ({**recipe, "model": "", "weights": "", "plugin": ""} for recipe in recipes)
    assert first == second
    assert (first["seed"], first["style_weight"]) == (4, 7.0)
    assert recipes[0]["weights"] != recipes[1]["weights"]


def test_the_same_command_again_makes_and_judges_nothing(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_out = nst(*RUN).out
    before = results(tmp_path)

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError

    monkeypatch.setattr("nstcli.run.backends.get", fail)
    monkeypatch.setattr(judging, "load_judge", fail)
    again = nst(*RUN)
    assert (again.code, again.out) == (0, before_out)
    assert results(tmp_path) == before


def test_what_is_there_has_no_failure_any_more(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    records = sorted((tmp_path / "out/.nst/pairs").glob("*.json"))
    failure = tmp_path / "out/.nst/failures" / records[0].name
    failure.write_text('{"inputs": [], "error": "oops", "seconds": 1}', "utf-8")
    assert nst("status", "out").code == 0
    assert nst(*RUN).code == 0
    assert not failure.exists()
    assert nst("status", "out").code == 0


def test_nothing_to_do_does_not_import_torch(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    code = (
        "import sys; from nstcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code, ended.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, *RUN], check=True, cwd=tmp_path)


def test_what_is_missing_is_made_and_what_was_not_judged_is_judged(
    nst: Nst, tmp_path: Path
) -> None:
    out = nst(*RUN).out
    (tmp_path / "out/cat__ink__twin.png").unlink()
    (tmp_path / "out/.nst/metrics/cat__ink__tiny.png.json").unlink()
    ended = nst(*RUN)
    assert "[1/1] ✓" in ended.err
    assert "judging 2 pictures" in ended.err  # the new one's record is another
    assert [line[-31:] for line in ended.out.splitlines()[5:]] == [
        line[-31:] for line in out.splitlines()[5:]
    ]


def test_several_pairs_have_medians_and_a_spread(nst: Nst, tmp_path: Path) -> None:
    ended = nst("compare-backbones", "photos", "art", *RUN[3:])
    assert ended.code == 0
    assert len(results(tmp_path)) == 8
    assert ended.out.startswith("2 contents × 2 styles")
    assert "4/4" in ended.out
    assert "medians over the pairs" in ended.out


def test_other_settings_are_refused_before_anything_is_computed(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    before = results(tmp_path)
    ended = nst(*RUN[:-1], "4")
    assert ended.code == 2
    assert "(steps 3 → 4)" in ended.err
    assert "Likewise: twin:random" in ended.err
    assert results(tmp_path) == before
    assert nst(*RUN[:-1], "4", "--overwrite").code == 0
    assert results(tmp_path) != before


def test_one_that_cannot_leaves_the_others(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    write_picture("photos/cat.png", 12, 32)
    ended = nst(*RUN)
    assert ended.code == 1
    assert set(results(tmp_path)) == {"cat__ink__tiny.png"}
    assert "✗ twin random" in ended.out
    assert "needs at least 16 px" in ended.err
    assert nst(*RUN).code == 1


def test_weights_that_cannot_be_had_leave_the_others(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backbones import weights

    pull = weights.pull

    def refuse(backbone: object, *arguments: object, **options: object) -> object:
        if getattr(backbone, "name", "") == "twin":
            raise BackboneError("gone from the index")
        return pull(backbone, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(weights, "pull", refuse)
    ended = nst(*RUN, "--export-json", "all.json")
    assert ended.code == 1
    assert set(results(tmp_path)) == {"cat__ink__tiny.png"}
    assert ended.err.count("gone from the index") == 1
    rows = json.loads((tmp_path / "all.json").read_text())["rows"]
    assert [row["error"] for row in rows[:2]] == ["", "gone from the index"]


def test_where_nobody_can_it_is_an_error(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*RUN, "--style-layers", "relu9")
    assert (ended.code, ended.out) == (2, "")
    assert "unknown layer 'relu9'" in ended.err
    assert not (tmp_path / "out").exists()


def test_without_a_judge_the_pictures_stay_and_the_next_run_judges(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, *arguments: object, **options: object) -> None:
        raise BackboneError(f"no weights of {name}")

    monkeypatch.setattr(judging, "load_judge", refuse)
    ended = nst(*RUN)
    assert ended.code == 1
    assert "not judged: no weights of vgg16" in ended.err
    monkeypatch.setattr(judging, "load_judge", judges.judge)
    again = nst(*RUN)
    assert again.code == 0
    assert "[1/1]" not in again.err


def test_judgements_that_cannot_be_written_end_it_early(nst: Nst, tmp_path: Path) -> None:
    in_the_way = tmp_path / "out/.nst/metrics"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("")
    ended = nst(*RUN)
    assert ended.code == 3
    assert "cannot write to 'out'" in ended.err
    assert set(results(tmp_path)) == RESULTS
    in_the_way.unlink()
    assert nst(*RUN).code == 0


def test_exports(nst: Nst, tmp_path: Path) -> None:
    ended = nst(
        *RUN, "--export-json", "a.json", "--export-csv", "a.csv", "--export-markdown", "a.md"
    )
    assert ended.code == 0
    document = json.loads((tmp_path / "a.json").read_text())
    assert {p["result"] for p in document["pictures"]} == RESULTS
    assert document["machine"]["packages"]["torch"]
    assert document["recipes"]["twin:random"]["steps"] == 3
    assert document["rows"][0]["figures"]["parameters"]["value"] == 2844
    lines = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert {line["result"] for line in lines} == RESULTS
    assert all(float(line["lpips"]) > 0 for line in lines)
    assert "| tiny:random |" in (tmp_path / "a.md").read_text()


def test_exports_into_the_folder_that_the_work_makes(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*RUN, "--export-csv", "photos/../out/figures.csv")
    assert ended.code == 0, ended.err
    assert len((tmp_path / "out/figures.csv").read_text().splitlines()) == 3


def test_an_export_may_lead_in_a_circle(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    ended = nst(*RUN, "--export-csv", "circle/a.csv")
    assert (ended.code, "no folder 'circle'" in ended.err) == (2, True), ended.err


def test_where_every_pair_fails_all_that_is_known_is_told(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*RUN, "--timeout", "1e-6", "--export-json", "a.json", "--json")
    assert ended.code == 1
    assert "tiny:random, twin:random" in ended.err
    for document in (json.loads(ended.out), json.loads((tmp_path / "a.json").read_text())):
        assert [row["made"] for row in document["rows"][:2]] == [0, 0]
        assert all(row["error"] for row in document["rows"][:2])
    assert len(json.loads((tmp_path / "out/manifest.json").read_text())["failures"]) == 2
    assert (tmp_path / "out/index.html").exists()
    table = nst(*RUN, "--timeout", "1e-6")
    assert table.code == 1
    assert "✗ tiny random" in table.out


def test_where_no_picture_can_be_read_it_is_a_failure_as_in_a_batch(
    nst: Nst, tmp_path: Path
) -> None:
    (tmp_path / "photos/cat.png").write_bytes(b"<html>")
    ended = nst(*RUN)
    assert ended.code == nst("batch", "photos/cat.png", "art/ink.png", "-m", "tiny").code == 1
    assert "starts like a web page" in ended.err
    assert "not judged" not in ended.out


def test_where_no_weights_can_be_had_every_reason_is_told(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backbones import weights

    def refuse(backbone: Any, *arguments: object, **options: object) -> object:
        raise BackboneError(f"no {backbone.name} in the index")

    monkeypatch.setattr(weights, "pull", refuse)
    for more in ((), ("--time-budget", "1")):
        ended = nst(*RUN, *more, "--export-csv", "out/a.csv")
        assert ended.code == 1
        assert "no tiny in the index" in ended.err
        assert "no twin in the index" in ended.err
        assert "warning" not in ended.err
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.csv"]


def test_a_full_disk_stops_it_and_json_tells_how_far_it_came(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nstcli.results.folder import Store

    save = Store.save

    def fill(store: Store, pair: Any, *arguments: Any) -> None:
        if "twin" in pair.output:
            raise OSError(28, "No space left on device")
        save(store, pair, *arguments)

    monkeypatch.setattr(Store, "save", fill)
    ended = nst(*RUN, "--json")
    assert ended.code == 3
    assert "Stopped. Re-run the same command" in ended.err
    assert "Interrupted" not in ended.err
    assert [row["made"] for row in json.loads(ended.out)["rows"][:2]] == [1, 0]


def test_names_that_differ_from_their_template_are_told(
    nst: Nst, write_picture: Callable[..., Path]
) -> None:
    write_picture("photos/cat.webp", 24, 32, seed=5)
    ended = nst("compare-backbones", "photos", *RUN[2:])
    assert ended.code == 0
    told = [line for line in ended.err.splitlines() if " is called " in line]
    assert {line.split("'")[1] for line in told} == {
        path.name for path in Path("out").glob("cat*__*") if path.name not in RESULTS
    }
    assert all("another result would be called" in line for line in told)
    assert told


@pytest.mark.parametrize("how", ["edited", "foreign", "other settings"])
def test_results_in_the_way_are_found_before_anything_is_measured(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path], how: str
) -> None:
    run = (*RUN[:-2], "--time-budget", "0.5")
    more: tuple[str, ...] = ()
    if how == "foreign":
        write_picture("out/cat__ink__twin.png")
    else:
        nst(*RUN)
        if how == "edited":
            write_picture("out/cat__ink__twin.png", 24, 32, seed=9)
        else:
            more = ("--style-weight", "7")
    ended = nst(*run, *more)
    assert ended.code == 2
    assert "measuring" not in ended.err
    assert "--overwrite replaces them" in ended.err
    allowed = nst(*run, *more, "--overwrite")
    assert (allowed.code, "measuring" in allowed.err) == (0, True)


def test_json_on_the_standard_output(nst: Nst) -> None:
    document = json.loads(nst(*RUN, "--json", "-q").out)
    assert [row["judged"] for row in document["rows"]] == [1, 1, 1, 1]


def test_a_time_budget_decides_the_steps_once(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paces: list[budget.Pace] = []
    real = budget.measure

    def measure(*arguments: Any) -> budget.Pace:
        paces.append(real(*arguments))
        # How many steps this machine takes in the time says what else it does; so, one that
        # takes seven whatever it does.
        return budget.Pace(fixed=0.15, step=0.05)

    monkeypatch.setattr(budget, "measure", measure)
    run = (*RUN[:-2], "--time-budget", "0.5")
    ended = nst(*run, "--export-json", "a.json")
    assert ended.code == 0
    assert "about 0.5 s a pair" in ended.out
    assert "measuring its pace" in ended.err
    document = json.loads((tmp_path / "a.json").read_text())
    steps = [recipe["steps"] for recipe in document["recipes"].values()]
    assert steps == [7, 7]
    assert [picture["steps"] for picture in document["pictures"]] == [7, 7]
    assert all(pace.fixed >= 0 and pace.step > 0 for pace in paces)
    assert all("seconds" not in row["best"] for row in document["rows"])
    before = results(tmp_path)
    again = nst(*run)
    assert again.code == 0
    assert "measuring" not in again.err
    assert results(tmp_path) == before
    assert len(paces) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--preset", "cs231n"), "names layers of squeezenet"),
        (("--device", "cpu,cuda:0"), "one --device"),
        (("--models", "tinny"), "did you mean 'tiny'"),
        (("--export-csv", "no/where.csv"), "no folder 'no'"),
        (("--export-csv", "photos"), "that is a folder"),
        (("--export-json", "photos/cat.png"), "would replace an input"),
        (("--export-json", "a", "--export-csv", "./a"), "two exports to 'a'"),
        (("--time-budget", "0"), "0.1"),
        (("--time-budget", "nan"), "--time-budget"),
        (("--time-budget", "inf"), "--time-budget"),
        (("--export-csv", "out/deep/a.csv"), "no folder 'out/deep'"),
        (("--style-layers", "relu1=x"), "not a number"),
        (("--size", "0"), "size"),
    ],
)
def test_wrong_usage_computes_nothing(
    nst: Nst, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    ended = nst(*RUN, *more)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_a_photo_that_cannot_be_read_fails_its_own_pairs(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos/dog.png").write_bytes(b"<html>")
    ended = nst("compare-backbones", "photos", *RUN[2:])
    assert ended.code == 1
    assert set(results(tmp_path)) == RESULTS
    assert "dog.png" in ended.err
    assert "[1/1] ✓" in ended.err  # no backbone was given it
    assert len(list((tmp_path / "out/.nst/failures").iterdir())) == 2


def test_a_picture_of_somebody_else_under_a_name_of_ours_stays(
    nst: Nst, write_picture: Callable[..., Path]
) -> None:
    theirs = write_picture("out/comparison.png")
    before = theirs.read_bytes()
    ended = nst(*RUN)
    assert "the sheet cannot be written" in ended.err
    assert theirs.read_bytes() == before


@pytest.mark.parametrize("width", [60, 100])
def test_on_a_terminal_the_table_fits_and_no_figure_is_cut(
    tmp_path: Path, width: int, nst: Nst
) -> None:
    nst(*RUN)
    screen = terminal(RUN, width, tmp_path)
    lines = screen.splitlines()
    rows = [line for line in lines if line.rstrip().endswith("vgg16")]
    assert len(rows) == 4
    assert max(map(len, lines)) <= width
    assert ("seconds, SSIM" in screen.replace("\n", " ")) == (width == 60)  # has no room
    assert "No room for colour, Fréchet, " in screen


def terminal(arguments: tuple[str, ...], width: int, folder: Path) -> str:
    """Run the program in a terminal of that width; return what it printed, without colours."""
    main, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(width), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "nstcli", *arguments],
        cwd=folder,
        env=environment,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    data = b""
    while True:
        try:
            chunk = os.read(main, 4096)
        except OSError:
            break
        if not chunk:
            break
        data += chunk
    os.close(main)
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode()).replace("\r\n", "\n")


def test_ctrl_c_ends_it(
    nst_process: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = nst_process(*RUN[:-1], "100000")
    assert process.stderr
    for line in process.stderr:
        if line.startswith("on cpu"):
            break
    wait_until_computed(process, 0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Re-run the same command" in err
    assert results(tmp_path) == {}


def test_the_table_fills_while_the_work_goes_on(tmp_path: Path) -> None:
    screen, out = Screen(), io.StringIO()
    screen.console = Console(file=out, force_terminal=True, width=110, height=40)
    found = experiment(tmp_path, "tiny", "twin")
    first, second = found.variants
    (pair,), (other,) = first.pairs, second.pairs

    def printed() -> str:
        told = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
        out.seek(0)
        out.truncate()
        return told

    with LiveTable(screen, found, "a title", same_seconds=False) as live:

        def shown(event: ExperimentEvent) -> str:
            found(event)  # type: ignore[arg-type]
            live(event)
            live._live.refresh()
            return printed()

        live(VariantStarted(first, "loading", 1))
        assert f"tiny:random  {pair.title}" in shown(PairStarted(1, pair))
        told = shown(PairStep(pair, 3, 3, 0.5, 0.3))
        assert "step 3  loss 0.5" in told
        assert re.search("▸.tiny random", told)
        told = shown(PairDone(pair, record(seconds=4.5)))
        assert "4.5" in told
        live(VariantStarted(second, "loading", 1))
        told = shown(PairFailed(other, "too small"))
        assert re.search("✓.tiny random", told)
        assert re.search("✗.twin random", told)
        with live.paused():
            screen.say("a line of others")
        assert "a line of others" in printed()
        live(JudgingStarted(1))
        live(PictureJudged(pair))
        live._live.refresh()
        assert "judging" in printed()


@pytest.mark.network
def test_the_real_networks(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_picture: Callable[..., Path]
) -> None:
    """In processes of their own, judged by VGG-16 and VGG-19."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    write_picture("photos/cat.png", 96, 128, seed=1)
    write_picture("art/ink.png", 96, 128, seed=3)
    command = [
        sys.executable, "-m", "nstcli", "compare-backbones", "photos/cat.png", "art/ink.png",
        "-m", "vgg19,vgg16,squeezenet,mobilenet", "--size", "128", "--steps", "6", "-o", "out",
    ]  # fmt: skip
    exports = ["--export-json", "a.json", "--export-csv", "a.csv", "--export-markdown", "a.md"]
    first = subprocess.run([*command, *exports], capture_output=True, text=True, check=True)
    assert first.stdout.count(" vgg19 \n") == 3  # one that it judges, two baselines
    document = json.loads((tmp_path / "a.json").read_text())
    for row in document["rows"]:
        assert set(MEASURES) - {"faces"} <= set(row["figures"])  # there are none in noise
    painted = {row["title"]: row["figures"] for row in document["rows"] if not row["baseline"]}
    parameters = {name: figures["parameters"]["value"] for name, figures in painted.items()}
    assert parameters["vgg16:imagenet"] == 9_995_072
    assert parameters["squeezenet:deepscale"] < parameters["mobilenet:imagenet"] < 1e6
    # Not what the process that started them had: each has its own network in it.
    memory = {name: figures["peak_memory"]["value"] for name, figures in painted.items()}
    assert memory["squeezenet:deepscale"] < memory["vgg19:gatys"]
    lines = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert len(lines) == 4
    assert all(0 < float(line["lpips"]) < 1 for line in lines)
    assert (tmp_path / "a.md").read_text().count("| vgg16 |") == 5
    for name in ("comparison.png", "index.html"):
        assert (tmp_path / "out" / name).stat().st_size > 1000
    before = results(tmp_path)
    started = time.monotonic()
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 5
    assert again.stdout == first.stdout
    assert "✓" not in again.stderr
    assert results(tmp_path) == before
