"""`nst batch` from outside: what is made, what is skipped, what is refused, what is said."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nstcli.images import decode, encode, read_metadata
from nstcli.recipe import OFF, VERSION
from nstcli.report.grid import read_grid
from tests.nstcli import flat
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders")

RUN = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "--steps", "3")
RESULTS = {"cat__ink.png", "cat__wave.png", "dog__ink.png", "dog__wave.png"}


def results(folder: Path) -> dict[str, bytes]:

    return {p.name: p.read_bytes() for p in (folder / "out").glob("*__*")}


def test_every_pair_is_made_in_the_shape_of_its_content(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*RUN)
    assert (ended.code, ended.out) == (0, "")
    made = results(tmp_path)
    assert set(made) == RESULTS
    shapes = {name: decode(data, name).rgb.shape for name, data in made.items()}
    assert shapes["cat__wave.png"] == (24, 32, 3)
    assert shapes["dog__ink.png"] == (32, 24, 3)
    assert len(set(made.values())) == 4


def test_the_network_is_loaded_once_and_every_image_read_once(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backbones.hooks import FeatureExtractor
    from nstcli.engine.methods import optimize

    calls: list[str] = []

    def counting(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            calls.append(name)
            return function(*arguments, **options)

        return call

    for name in ("read_content", "read_style"):
        monkeypatch.setattr(optimize, name, counting(name, getattr(optimize, name)))
    monkeypatch.setattr(FeatureExtractor, "load", counting("load", FeatureExtractor.load))
    assert nst(*RUN).code == 0
    assert sorted(calls) == ["load", *["read_content"] * 2, *["read_style"] * 2]


def test_what_is_said_without_a_terminal(nst: Nst) -> None:
    lines = nst(*RUN).err.splitlines()
    assert lines[0] == "4 pairs: 2 contents × 2 styles · tiny random · 512 px · 3 steps"
    assert lines[1] == "downloading weights tiny:random (13.0 kB)"
    assert lines[2].startswith("on cpu (")
    assert [line[:8] for line in lines[3:7]] == [f"[{n}/4] ✓ " for n in range(1, 5)]
    assert lines[-1].startswith("Done: 4 made in ")
    assert "\x1b" not in "".join(lines)


def test_the_same_command_again_finds_everything_done(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.png")}
    ended = nst(*RUN)
    assert ended.code == 0
    assert "4 pairs: 2 contents × 2 styles, 4 cached" in ended.err
    assert "Done: 4 cached" in ended.err
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.png")} == times


def test_with_nothing_to_do_torch_is_not_imported(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    code = (
        "import sys; from nstcli.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'torch' not in sys.modules and 'timm' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, *RUN], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_a_deleted_result_alone_is_made_again_with_the_same_bytes(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    before = results(tmp_path)
    (tmp_path / "out" / "dog__ink.png").unlink()
    ended = nst(*RUN)
    assert "Done: 1 made, 3 cached" in ended.err
    assert results(tmp_path) == before


def test_a_truncated_result_is_made_again(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    before = results(tmp_path)
    (tmp_path / "out" / "cat__ink.png").write_bytes(before["cat__ink.png"][:200])
    assert "Done: 1 made, 3 cached" in nst(*RUN).err
    assert results(tmp_path) == before


def test_a_new_content_is_made_and_the_rest_is_left(
    nst: Nst, write_picture: Callable[..., Path]
) -> None:
    nst(*RUN)
    write_picture("photos/emu.png", seed=9)
    assert "Done: 2 made, 4 cached" in nst(*RUN).err


def test_other_settings_are_refused_until_overwrite_or_another_folder(
    nst: Nst, tmp_path: Path
) -> None:
    nst(*RUN)
    before = results(tmp_path)
    other = (*RUN[:-1], "5")
    ended = nst(*other)
    assert ended.code == 2
    assert ended.err == (
        "nst: 4 of 4 results in 'out' were made with other settings (steps 3 → 5). "
        "--overwrite replaces them; -o NEW keeps both.\n"
    )
    assert results(tmp_path) == before
    assert "Done: 4 made" in nst(*other, "-o", "elsewhere").err
    assert "Done: 4 made" in nst(*other, "--overwrite").err
    assert not set(results(tmp_path).values()) & set(before.values())


def test_a_changed_input_is_named_in_the_refusal(
    nst: Nst, write_picture: Callable[..., Path]
) -> None:
    nst(*RUN)
    write_picture("art/ink.png", 28, 28, seed=33)
    ended = nst(*RUN)
    assert ended.code == 2
    assert (
        "2 of 4 results in 'out' were made with other settings (style image changed)" in ended.err
    )


def test_a_file_of_the_users_is_never_touched(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "cat__ink.png"
    mine.write_bytes((tmp_path / "photos" / "cat.png").read_bytes())
    ended = nst(*RUN)
    assert ended.code == 2
    assert "1 of 4 results in 'out' was not made by nst" in ended.err
    assert set(results(tmp_path)) == {"cat__ink.png"}
    assert mine.read_bytes() == (tmp_path / "photos" / "cat.png").read_bytes()


def test_results_that_were_copied_without_their_records_are_not_replaced(
    nst: Nst, tmp_path: Path
) -> None:
    nst(*RUN)
    made = results(tmp_path)
    shutil.rmtree(tmp_path / "out" / ".nst")
    ended = nst(*RUN)
    assert ended.code == 2
    assert (
        "4 of 4 results in 'out' were without a record. --overwrite replaces them; -o NEW keeps "
        "both." in ended.err
    )
    assert results(tmp_path) == made
    assert nst(*RUN, "--overwrite").code == 0
    assert "4 cached" in nst(*RUN).err


def test_the_home_folder_is_understood_where_a_shell_does_not(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert nst(*RUN, "--output=~/far").code == 0
    assert (tmp_path / "home/far/cat__ink.png").exists()
    assert not (tmp_path / "~").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_result_that_is_a_link_to_itself_is_told(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cat__ink.png").symlink_to("cat__ink.png")
    ended = nst(*RUN)
    assert (ended.code, "cannot read 'out/cat__ink.png'" in ended.err) == (2, True), ended.err


def test_an_edited_result_is_not_replaced_without_consent(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN)
    (tmp_path / "out" / "cat__ink.png").write_bytes((tmp_path / "photos/cat.png").read_bytes())
    ended = nst(*RUN)
    assert ended.code == 2
    assert "1 of 4 results in 'out' was changed after it was made" in ended.err


def test_a_broken_picture_fails_its_own_pairs_only(nst: Nst, tmp_path: Path) -> None:
    good = (tmp_path / "photos" / "cat.png").read_bytes()
    (tmp_path / "photos" / "bad.png").write_bytes(good[: len(good) // 2])
    ended = nst(*RUN)
    assert ended.code == 1
    assert set(results(tmp_path)) == RESULTS
    assert "Done: 4 made, 2 failed in" in ended.err
    report = ended.err[ended.err.index("Done:") :]
    assert "  ✗ 2 pairs   photos/bad.png: image file is truncated" in report
    assert "Re-run the same command to retry only the failed pairs." in report
    failure = flat.read(tmp_path / "out/.nst/failures/bad__ink.png.json")
    assert failure["content"] == "photos/bad.png"
    assert "truncated" in failure["error"]

    again = nst(*RUN)  # only the failed ones are tried again
    assert again.code == 1
    assert "Done: 4 cached, 2 failed" in again.err

    (tmp_path / "photos" / "bad.png").write_bytes(good)
    mended = nst(*RUN)
    assert (mended.code, "Done: 2 made, 4 cached in" in mended.err) == (0, True)
    assert not list((tmp_path / "out/.nst/failures").iterdir())


def test_a_broken_link_is_told_and_with_strict_refused(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    ended = nst(*RUN, "--strict")
    assert ended.code == 2
    assert "photos/gone.png" in ended.err
    assert not (tmp_path / "out").exists()
    ended = nst(*RUN)
    assert ended.code == 0
    assert "note: 'photos/gone.png' is a broken link; left out" in ended.err
    assert "Done: 4 made" in ended.err


def test_strict_makes_nothing_where_a_picture_is_broken(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG no more")
    ended = nst(*RUN, "--strict")
    assert ended.code == 2
    assert ended.err.startswith("nst: photos/bad.png: ")
    assert not (tmp_path / "out").exists()


def test_a_picture_below_the_minimum_fails_with_that_minimum(
    nst: Nst, write_picture: Callable[..., Path]
) -> None:
    write_picture("art/speck.png", 4, 40)
    ended = nst(*RUN)
    assert ended.code == 1
    assert "art/speck.png: 40×4 px is too small for tiny, which needs at least 8 px" in ended.err
    assert "Done: 4 made, 2 failed" in ended.err


@pytest.mark.parametrize(
    ("options", "height", "width", "problem"),
    [
        ((), 4, 40, "40×4 px is too small for tiny, which needs at least 8 px"),
        (("--size", "64"), 40, 400, "64×6 px is too small for tiny"),  # once it is shrunk
        (("--size", "16384", "--format", "webp"), 9, 16384, "webp holds at most 16383 pixels"),
    ],
)
def test_what_can_be_told_of_sizes_is_told_before_anything_is_made(
    nst: Nst, write_picture: Callable[..., Path], tmp_path: Path,
    options: tuple[str, ...], height: int, width: int, problem: str,
) -> None:  # fmt: skip
    write_picture("photos/odd.png", height, width)
    listed = nst(*RUN, *options, "-n")
    assert listed.out.count("missing") == 4
    assert listed.out.count(f"odd.png: {problem}") == 2
    told = json.loads(nst(*RUN, *options, "-n", "--json").out)["pairs"]
    assert [each["state"] for each in told if each["content"].endswith("odd.png")] == [
        "cannot be made",
        "cannot be made",
    ]
    ended = nst(*RUN, *options, "--strict")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"odd.png: {problem}" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_stops_the_batch(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    written = []

    def full(path: Path, data: bytes) -> None:
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        written.append(path.name)
        path.write_bytes(data)

    monkeypatch.setattr("nstcli.results.folder.write_atomic", full)
    ended = nst(*RUN)
    assert ended.code == 3
    assert "nst: cannot write to 'out': No space left on device" in ended.err
    assert written == ["cat__ink.png.json", "cat__ink.png", "cat__wave.png.json", "cat__wave.png"]


def test_a_run_after_a_full_disk_makes_the_rest(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN, "--limit", "2")
    hidden, record = tmp_path / "out/.nst", "cat__wave.png.json"
    (hidden / "pairs" / record).replace(hidden / "coming" / record)  # as if there was no room
    ended = nst(*RUN)
    assert (ended.code, "Done: 2 made, 1 made by another process, 1 cached" in ended.err) == (
        0,
        True,
    )
    assert "4 cached" in nst(*RUN).err


def test_dry_run_tells_the_state_of_every_pair_and_makes_none(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN, "--limit", "1")
    ended = nst(*RUN, "--dry-run")
    assert ended.code == 0
    assert [line.split("  ")[0] for line in ended.out.splitlines()] == [
        "up to date",
        *["missing"] * 3,
    ]
    assert "cat.png × wave.png → cat__wave.png" in ended.out
    assert len(results(tmp_path)) == 1
    stale = nst(*RUN[:-1], "4", "--dry-run")
    assert stale.out.startswith("made with other settings")


def test_limit(nst: Nst, tmp_path: Path) -> None:
    nst(*RUN, "--limit", "3")
    assert set(results(tmp_path)) == RESULTS - {"dog__wave.png"}


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_formats_carry_the_recipe(nst: Nst, tmp_path: Path, suffix: str) -> None:
    nst(*RUN, "--format", suffix, "--init", "noise", "--seed", "7", "--limit", "1")
    data = (tmp_path / "out" / f"cat__ink.{suffix}").read_bytes()
    made = json.loads(read_metadata(data)["nst"])
    assert made["recipe"]["model"] == "tiny"
    assert made["recipe"]["seed"] == 7
    record = json.loads((tmp_path / f"out/.nst/pairs/cat__ink.{suffix}.json").read_text())
    assert made["key"] == record["key"]


def test_transparency_comes_back(nst: Nst, tmp_path: Path) -> None:
    import numpy as np

    from nstcli.images import encode
    from tests.conftest import draw

    alpha = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (24, 1))
    (tmp_path / "photos/cat.png").write_bytes(encode(draw(), alpha))
    nst(*RUN, "--limit", "1")
    found = decode((tmp_path / "out/cat__ink.png").read_bytes(), "x").alpha
    assert found is not None
    assert (found == alpha).all()


def test_quiet_says_nothing_and_verbose_says_more(nst: Nst) -> None:
    assert nst(*RUN, "-q").err == ""
    assert "32×24, loss" in nst(*RUN[:-1], "4", "--overwrite", "-v").err


def test_recipe_options_reach_the_record(nst: Nst, tmp_path: Path) -> None:
    ended = nst(
        *RUN, "--limit", "1", "--size", "16", "--content-weight", "2", "--style-weight", "30",
        "--tv-weight", "0.5", "--loss", "mean", "--tv", "l1", "--content-layers", "relu1,relu2=2",
        "--style-layers", "relu3", "--optimizer", "adam", "--init", "noise", "--seed", "5",
        "--scales", "1", "--tolerance", "0.5", "--pooling", "avg", "--padding", "reflect",
        "--learning-rate", "0.1", "--schedule", "drop", "--weights", "other", "--device", "cpu",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    record = json.loads((tmp_path / "out/.nst/pairs/cat__ink.png.json").read_text())
    assert (record["width"], record["height"]) == (16, 12)
    recipe = record["recipe"]
    assert recipe.pop("weights") != ""
    assert recipe == {
        **OFF, "version": VERSION, "model": "tiny", "preprocessing": "own",
        "size": 16, "steps": 3, "loss": "mean",
        "dense": False, "learning_rate": 0.1, "schedule": "drop",
        "content_weight": 2, "style_weight": 30, "tv_weight": 0.5, "tv": "l1",
        "content_layers": {"relu1": 1, "relu2": 2}, "style_layers": {"relu3": 1},
        "nearest_weight": 0, "nearest_layers": {"relu1": 1, "relu2": 1, "relu3": 1},
        "sliced_layers": {"relu1": 1, "relu2": 1, "relu3": 1},
        "optimizer": "adam", "init": "noise", "seed": 5, "scales": 1, "tolerance": 0.5,
        "pooling": "avg", "padding": "reflect", "plugin": recipe["plugin"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "vgg18"), "unknown backbone 'vgg18' (did you mean"),
        (("--weights", "gatys"), "unknown weight set 'gatys' for tiny"),
        (("--style-layers", "relu9"), "unknown layer 'relu9' for tiny (did you mean 'relu"),
        (("--content-layers", "relu1=x"), "layer weight 'x' in 'relu1=x' is not a number"),
        (("--style-weight", "inf"), "--style-weight inf: should be a finite number"),
        (("--device", "abacus"), "no device 'abacus' here; there are: auto, "),
        (
            ("--content-weight", "0", "--style-weight", "0"),
            "all weights are 0, which leaves nothing to optimize for",
        ),
        (("--scales", "few"), "--scales few: should be 'auto' or a whole number from 1 to 16"),
        (("--scales", "17"), "--scales 17: should be 'auto' or a whole number from 1 to 16"),
        (("--learning-rate", "0"), "--learning-rate 0: should be greater than 0"),
        (("--tolerance", "1"), "--tolerance 1: should be less than 1"),
        (("--output", "photos"), "'photos' holds the inputs"),
        (("--output", "photos/cat.png"), "cannot write to 'photos/cat.png'"),
        (("--preset", "best"), "--preset"),
        (("--steps", "0"), "--steps"),
        (("--format", "bmp"), "--format"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(
    nst: Nst, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = nst(*RUN, *arguments)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (("photoz", "art"), "no such file or folder: 'photoz' (did you mean 'photos'?)"),
        (("photos", "empty"), "no pictures in the folder 'empty'"),
    ],
)
def test_no_pair_is_never_a_success(
    nst: Nst, tmp_path: Path, inputs: tuple[str, str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    ended = nst("batch", *inputs, "-m", "tiny")
    assert (ended.code, message in ended.err) == (2, True)


def test_names_are_printed_as_they_are(nst: Nst, write_picture: Callable[..., Path]) -> None:
    write_picture("photos/a[bold].png")
    write_picture("photos/a:smile:.png", seed=5)
    write_picture("photos/[red]x.png", seed=6)
    said = nst(*RUN, "--limit", "8").err
    for name in ("a[bold].png", "a:smile:.png", "[red]x.png"):
        assert name in said


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_a_name_that_is_not_utf8_is_made_recorded_and_found_again(
    nst: Nst, nst_process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    (photos / "cat.png").rename(photos / os.fsdecode(b"c\xff.png"))
    process = nst_process(*RUN, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert (tmp_path / "out" / "c%FF__ink.png").exists()  # safe on every system
    assert "Done: 4 cached" in nst(*RUN).err
    listed = nst(*RUN, "--dry-run")
    assert "c\\xff.png × ink.png" in listed.out


def test_a_file_that_changes_during_the_run_fails_its_pairs(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_picture: Callable[..., Path]
) -> None:

    from nstcli.run import check

    look_at = check._unusable

    def then_change(*arguments: object) -> object:
        found = look_at(*arguments)  # type: ignore[arg-type]
        write_picture("photos/dog.png", seed=77)
        return found

    monkeypatch.setattr(check, "_unusable", then_change)
    ended = nst(*RUN)
    assert ended.code == 1
    assert "photos/dog.png: changed while the batch was running" in ended.err
    assert "Done: 2 made, 2 failed" in ended.err


def test_divergence_fails_the_pair_with_advice(nst: Nst, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from backbones.hooks import FeatureExtractor

    forward = FeatureExtractor.forward

    def poisoned(self: FeatureExtractor, image: torch.Tensor, layers: object) -> object:
        found = forward(self, image, layers)  # type: ignore[arg-type]
        if image.requires_grad:
            found = {name: value * float("nan") for name, value in found.items()}
        return found

    monkeypatch.setattr(FeatureExtractor, "forward", poisoned)
    ended = nst(*RUN)
    assert ended.code == 1
    assert "the optimization diverged at step 1 of 3" in ended.err
    assert "Done: 4 failed" in ended.err


def test_out_of_memory_fails_the_pair_with_advice(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*arguments: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr("nstcli.engine.methods.optimize.stylize_together", exhausted)
    ended = nst(*RUN)
    assert (ended.code, "out of memory at 512 px; try --size 256" in ended.err) == (1, True)


def test_a_pair_that_cannot_fit_is_refused_before_it_begins(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nstcli.run.loader.free_bytes", lambda *_: 300_000)
    monkeypatch.setattr(
        "nstcli.engine.methods.optimize.stylize_together", lambda *_: pytest.fail("begun")
    )
    ended = nst(*RUN)
    assert ended.code == 1
    assert (
        "photos/cat.png: out of memory at 32 px (needs about 0.0 GiB, 0.0 free); try --size 16"
        in (ended.err)
    )


def test_a_dry_run_tells_the_memory_and_the_time(nst: Nst) -> None:
    told = nst(*RUN, "-n").err
    assert "peak memory: up to 559.2 kB besides torch and the network\n" in told
    assert "time: unknown until the first such picture is made here" in told
    assert "in tiles of 8×8 px" in nst(*RUN, "-n", "--tile", "8").err
    assert "peak memory: up to 559.2 kB" in nst(*RUN, "-n", "--device", "cuda:63").err
    nst(*RUN, "--limit", "1")
    assert "by this machine's pace so far" in nst(*RUN, "-n").err


def test_tiles_change_no_picture_by_more_than_rounding(nst: Nst, tmp_path: Path) -> None:
    exact = (*RUN, "--limit", "1", "--precision", "float32")
    assert nst(*exact, "--tile", "8").code == 0
    record = json.loads((tmp_path / "out/.nst/pairs/cat__ink.png.json").read_text())
    assert (record["figures"]["tile_height"], record["figures"]["tile_width"]) == (8, 8)
    assert record["figures"]["tile_work"] > 1
    tiled = decode((tmp_path / "out/cat__ink.png").read_bytes(), "tiled").rgb.astype(int)
    assert "1 cached" in nst(*exact, "--tile", "off").err
    assert nst(*exact, "--tile", "off", "--force").code == 0
    whole = decode((tmp_path / "out/cat__ink.png").read_bytes(), "whole").rgb.astype(int)
    assert abs(tiled - whole).max() <= 1


@pytest.fixture
def roomy(
    folders: None, monkeypatch: pytest.MonkeyPatch, write_picture: Callable[..., Path]
) -> None:
    """Have larger pictures, and a machine of 1 TiB, of which this process has a photo, no more."""
    for number, name in enumerate(("photos/cat.png", "art/ink.png")):
        write_picture(name, 192, 256, seed=number)

    def before(device: object, share: float = math.inf) -> float:
        return min(2**40, share)

    def with_a_photo(device: object, share: float = math.inf) -> float:
        return before(device, share) - 192 * 256 * 3 * (1 + 4)  # as decoded, and in float32

    monkeypatch.setattr("nstcli.engine.memory.free_bytes", before)
    monkeypatch.setattr("nstcli.run.loader.free_bytes", with_a_photo)


# Of larger pictures, this takes 20 MB, and in the smallest of tiles 9 MB.
ONE = (
    *(*RUN, "--limit", "1", "--nearest-weight", "0"),
    *("--optimizer", "adam", "--precision", "float32"),
)


@pytest.mark.usefixtures("roomy")
def test_a_pair_that_needs_more_memory_than_allowed_is_looked_at_in_tiles(
    nst: Nst, tmp_path: Path
) -> None:
    for enough in ((), ("--memory", "25MB"), ("--memory", "50MB", "-j", "2")):
        assert "tiles" not in nst(*ONE, *enough, "-n").err
    told = re.search(r"in tiles of (\d+)×(\d+) px", nst(*ONE, "--memory", "15MB", "-n").err)
    assert told
    # Each of two workers has half of it.
    assert told[0] in nst(*ONE, "--memory", "30MB", "-j", "2", "-n").err
    assert nst(*ONE, "--memory", "15MB").code == 0
    record = json.loads((tmp_path / "out/.nst/pairs/cat__ink.png.json").read_text())
    tile = record["figures"]["tile_width"], record["figures"]["tile_height"]
    assert tile == (int(told[1]), int(told[2]))
    assert math.prod(tile) < 192 * 256
    assert "1 cached" in nst(*ONE, "--memory", "50MB").err


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--memory", "15MB", "--tile", "off"), "out of memory at 256 px (needs about "),
        (("--memory", "4MB"), "out of memory at 256 px, even in tiles (needs about "),
    ],
)
def test_a_pair_that_does_not_fit_into_the_memory_allowed_is_refused(
    nst: Nst, given: tuple[str, ...], told: str
) -> None:
    ended = nst(*ONE, *given)
    assert (ended.code, f"photos/cat.png: {told}" in ended.err) == (1, True)
    assert "; try --size " in ended.err


@pytest.mark.usefixtures("roomy")
def test_where_memory_is_short_a_lighter_optimizer_is_named(nst: Nst) -> None:
    """What L-BFGS remembers would be room for larger tiles, or for any."""
    asked = (*ONE, "--optimizer", "lbfgs", "--steps", "1")
    told = nst(*asked, "--memory", "21MB", "-n").err
    tiles = re.search(r"in tiles of (\d+×\d+ px): (\d+\.\d) times the work", told)
    assert tiles
    assert float(tiles[2]) > 2
    assert "too much" not in told
    said = " ".join(nst(*asked, "--memory", "21MB").err.split())
    assert f"photos/cat.png: in tiles of {tiles[1]}, which take" in said
    assert "--optimizer adam spares memory for larger ones" in said
    assert "too much for the 15.0 MB that are free" in nst(*asked, "--memory", "15MB", "-n").err
    refused = nst(*asked, "--memory", "15MB", "--force")
    assert refused.code == 1
    assert "; try --optimizer adam, or --size " in refused.err


def test_what_does_not_add_up_is_refused_in_tiles(nst: Nst) -> None:
    ended = nst(*RUN, "--sliced-weight", "1", "--tile", "8")
    assert ended.code == 1
    assert "--tile 8 is for --method optimize without the sliced term" in ended.err


def test_weights_that_change_after_planning_are_refused(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backbones.hooks import FeatureExtractor

    load = FeatureExtractor.load

    def other(*arguments: object, **options: object) -> FeatureExtractor:
        extractor = load(*arguments, **options)  # type: ignore[arg-type]
        extractor.weights_sha256 = "f" * 64
        return extractor

    monkeypatch.setattr(FeatureExtractor, "load", other)
    ended = nst(*RUN)
    assert ended.code == 2
    assert "the weights tiny:random changed while the pairs were planned" in ended.err


def test_a_bug_keeps_its_traceback_and_has_its_own_code(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("nstcli.engine.methods.optimize.stylize_together", broken)
    ended = nst(*RUN)
    assert ended.code == 70
    assert "Traceback" in ended.err
    assert "KeyError: 'oops'" in ended.err
    assert "this is a bug in nst" in ended.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_the_next_one_makes_the_rest(
    nst: Nst,
    nst_process: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    long = (*RUN[:-1], "400")
    process = nst_process(*long)
    deadline = time.monotonic() + 60
    while not results(tmp_path) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    made = len(results(tmp_path))
    assert made > 0
    assert not list((tmp_path / "out").glob(".nst-*"))
    ended = nst(*long)
    assert ended.code == 0
    assert f"{4 - made} made, {made} cached" in ended.err or made == 4


def test_on_a_terminal_two_bars_show_the_batch_and_the_pair(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a pseudo-terminal, since what is shown depends on the stream alone."""
    pty = pytest.importorskip("pty")
    main, end = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "nstcli", *RUN[:-1], "150"],
        cwd=tmp_path,
        env=environment,
        stderr=end,
        stdout=end,
    )
    os.close(end)
    shown = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(main)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "/4 pairs" in text
    assert "/150 steps" in text
    assert "loss " in text
    assert text.count("✓ ") >= 4
    assert "Done: 4 made" in text


def test_what_is_broken_is_told_before_anything_is_made_and_written_down(
    nst: Nst, tmp_path: Path
) -> None:
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG no more")
    lines = nst(*RUN).err.splitlines()
    assert "✗ 2 pairs   photos/bad.png: " in lines[1]
    assert "bad.png" in (tmp_path / "out/index.html").read_text()
    log = (tmp_path / "out/.nst/events.jsonl").read_text().splitlines()
    failed = [json.loads(line) for line in log if '"failed"' in line]
    assert [event["result"] for event in failed] == ["bad__ink.png", "bad__wave.png"]
    for path in (tmp_path / "photos").glob("[cd]*"):
        path.unlink()
    nst(*RUN, "-o", "none")  # nothing is left to make
    assert "bad.png" in (tmp_path / "none/index.html").read_text()


def test_pictures_to_start_from_are_inputs_of_their_pairs(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    for n, name in enumerate(("cat", "dog__ink", "dog")):
        write_picture(f"starts/{name}.png", 40, 40, seed=20 + n)
    assert nst(*RUN, "--init", "starts", "--limit", "3").code == 0
    again = nst(*RUN, "--init", "starts", "--limit", "3", "-n", "--json")
    pairs = {pair["result"]: pair for pair in json.loads(again.out)["pairs"]}
    assert {name: pair["init"] for name, pair in pairs.items()} == {
        "cat__ink.png": "starts/cat.png",
        "cat__wave.png": "starts/cat.png",
        "dog__ink.png": "starts/dog__ink.png",
    }
    assert {pair["state"] for pair in pairs.values()} == {"up to date"}
    write_picture("starts/cat.png", 40, 40, seed=30)
    ended = nst(*RUN, "--init", "starts")
    assert ended.code == 2
    assert "init image changed" in ended.err
    assert nst(*RUN, "--init", "noize", "-o", "new").err == (
        "nst: --init: no such file or folder: 'noize' (did you mean 'noise'?)\n"
    )
    (tmp_path / "starts/dog.png").unlink()
    ended = nst(*RUN, "--init", "starts", "-o", "new")
    assert "'starts' has no picture for dog.png × wave.png, called 'dog'" in ended.err
    assert nst(*RUN, "--bits", "16", "--format", "jpg", "-o", "new").err == (
        "nst: --bits 16 needs --format png or tiff; jpg has 8\n"
    )


def test_masks_and_mixtures_of_a_batch(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "cat.png").write_bytes(encode(np.zeros((24, 32, 3), np.uint8)))
    ended = nst(*RUN, "--style-mix", "3", "--content-mask", "masks")
    assert ended.code == 0, ended.err
    assert "2 contents × 3 styles" in ended.err
    assert "'masks' has no --content-mask for 'dog.png': painted without" in ended.err
    assert "no place of the picture takes any style" in ended.err
    made = results(tmp_path)
    assert set(made) == RESULTS | {"cat__ink+wave_050.png", "dog__ink+wave_050.png"}
    assert len(set(made.values())) == 6
    styles = read_grid(tmp_path / "out").styles
    labels = [style.label.replace("\N{NO-BREAK SPACE}", " ") for style in styles]
    assert labels == ["ink.png", "ink.png + wave.png 50 %", "wave.png"]
    assert [style.missing for style in styles] == ["not found", "several artworks", "not found"]
    assert "6 cached" in nst(*RUN, "--style-mix", "3", "--content-mask", "masks").err
    stale = nst(*RUN, "--style-mix", "3")
    assert (stale.code, "content-mask image changed" in stale.err) == (2, True), stale.err


def test_sub_folders_are_blended(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "art" / "both").mkdir()
    for name in ("ink", "wave"):
        shutil.move(tmp_path / "art" / f"{name}.png", tmp_path / "art" / "both" / f"{name}.png")
    (tmp_path / "art" / "both" / "blend.toml").write_text('"ink.png" = 3')
    ended = nst(*RUN, "--blend", "--limit", "1", "--json")
    assert ended.code == 0, ended.err
    data = (tmp_path / "out" / "cat__both.png").read_bytes()
    style = json.loads(read_metadata(data)["nst"])["style_sha256"]
    assert [weight for _, weight in style] == [0.75, 0.25]
    assert "cat.png × ink.png + wave.png" in ended.err
    assert nst("gallery", "out").code == nst("sheet", "out").code == 0
    assert "of 1 content and 1 style" in nst("status", "out").out
