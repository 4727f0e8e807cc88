import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nstcli.images import decode, read_metadata
from nstcli.plan.pair import Pair
from nstcli.results.state import State
from nstcli.results.store import SingleFile
from tests.nstcli.cli.conftest import Nst, wait_until_computed

pytestmark = pytest.mark.usefixtures("folders")

PAIR = ("photos/cat.png", "art/wave.png", "-m", "tiny", "--steps", "3")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_it_gives_the_same_bytes_as_a_batch(nst: Nst, tmp_path: Path, suffix: str) -> None:
    nst("batch", "photos", "art", *PAIR[2:], "--format", suffix, "-o", "out")
    ended = nst("stylize", *PAIR, "-o", f"one.{suffix}")
    assert (ended.code, ended.out) == (0, "")
    batch = (tmp_path / "out" / f"cat__wave.{suffix}").read_bytes()
    assert (tmp_path / f"one.{suffix}").read_bytes() == batch


def test_without_a_name_it_takes_that_of_a_batch(nst: Nst, tmp_path: Path) -> None:
    ended = nst("stylize", *PAIR)
    assert ended.code == 0
    assert (tmp_path / "cat__wave.png").exists()
    assert not (tmp_path / ".nst").exists()


def test_again_it_has_nothing_to_do_and_other_settings_need_consent(
    nst: Nst, tmp_path: Path
) -> None:
    nst("stylize", *PAIR)
    result = tmp_path / "cat__wave.png"
    before = result.read_bytes()
    assert "1 cached" in nst("stylize", *PAIR).err
    refused = nst("stylize", *PAIR, "--steps", "4")
    assert refused.code == 2
    assert "'cat__wave.png' was made with other settings (steps 3 → 4)." in refused.err
    assert result.read_bytes() == before
    assert nst("stylize", *PAIR, "--steps", "4", "--overwrite").code == 0
    assert result.read_bytes() != before


def test_a_dry_run_tells_what_would_be_made_and_makes_nothing(nst: Nst, tmp_path: Path) -> None:
    before = {*tmp_path.rglob("*")}
    ended = nst("stylize", *PAIR, "-o", "one.png", "-n")
    assert (ended.code, ended.out) == (0, f"{'missing':24}  cat.png × wave.png → one.png\n")
    assert "besides torch and the network\n" in ended.err
    assert "time: unknown until the first such picture is made here" in ended.err
    assert ended.err == nst("batch", *PAIR, "-n").err
    assert "in tiles of 8×8 px" in nst("stylize", *PAIR, "--dry-run", "--tile", "8").err
    document = json.loads(nst("stylize", *PAIR, "-n", "--json").out)
    assert [pair["state"] for pair in document["pairs"]] == ["missing"]
    assert document["peak_memory"] > 0
    assert {*tmp_path.rglob("*")} == before


def test_a_dry_run_knows_what_lies_there(nst: Nst, tmp_path: Path) -> None:
    nst("stylize", *PAIR)
    result = tmp_path / "cat__wave.png"
    made = result.read_bytes()
    assert nst("stylize", *PAIR, "-n").out.startswith("up to date  ")
    stale = nst("stylize", *PAIR, "--content-weight", "2", "-n")
    assert (stale.code, stale.out.startswith("made with other settings  ")) == (0, True)
    assert "(content-weight 1.0 → 2.0)" in stale.out
    assert "by this machine's pace so far" in stale.err
    (tmp_path / "photos/cat.png").write_bytes(b"no picture")
    assert "photos/cat.png: " in nst("stylize", *PAIR, "-n").out
    assert result.read_bytes() == made


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_result_that_was_cut_short_is_made_again(nst: Nst, tmp_path: Path, suffix: str) -> None:
    result = tmp_path / f"one.{suffix}"
    nst("stylize", *PAIR, "-o", result.name)
    whole = result.read_bytes()
    result.write_bytes(whole[:-50])
    assert nst("stylize", *PAIR, "-o", result.name).code == 0
    assert result.read_bytes() == whole


def test_a_picture_that_it_did_not_make_is_not_replaced(nst: Nst, tmp_path: Path) -> None:
    photo = (tmp_path / "photos/cat.png").read_bytes()
    ended = nst("stylize", *PAIR, "-o", "photos/dog.png")
    assert ended.code == 2
    assert "'photos/dog.png' was not made by nst" in ended.err
    for force in ((), ("--overwrite",)):
        ended = nst("stylize", *PAIR, "-o", "photos/cat.png", *force)
        assert ended.code == 2
        assert "would replace its input 'photos/cat.png'" in ended.err
    assert (tmp_path / "photos/cat.png").read_bytes() == photo


def test_a_name_without_a_suffix_takes_its_format_from_the_option(nst: Nst, tmp_path: Path) -> None:
    nst("stylize", *PAIR, "-o", "new/picture", "--format", "webp")
    data = (tmp_path / "new" / "picture").read_bytes()
    assert data[8:12] == b"WEBP"
    assert decode(data, "picture").rgb.shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("photos", "art/wave.png"), "stylize takes one photo and one artwork"),
        (("photos/cat.png", "art"), "stylize takes one photo and one artwork"),
        (("photos/cow.png", "art/wave.png"), "no such file or folder: 'photos/cow.png'"),
        (("photos/cat.png", "art/wave.png", "-o", "x.bmp"), "end the name in one of .png"),
        (
            ("photos/cat.png", "art/wave.png", "-o", "x.jpg", "--format", "png"),
            "'x.jpg': --format png contradicts its name; leave that out, or end the name in .png",
        ),
    ],
)
def test_wrong_usage(nst: Nst, arguments: tuple[str, ...], message: str) -> None:
    ended = nst("stylize", *arguments, "-m", "tiny")
    assert (ended.code, message in ended.err) == (2, True), ended.err


def test_a_broken_picture_is_a_failure_with_its_reason(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos/cat.png").write_bytes(b"<html>")
    ended = nst("stylize", *PAIR)
    assert ended.code == 1
    assert "photos/cat.png: not an image, it starts like a web page" in ended.err


def test_ctrl_c_keeps_the_best_picture_so_far(
    nst: Nst, nst_process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    long = (*PAIR[:-1], "1000000")
    process = nst_process("stylize", *long)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("on "):  # all is loaded, the first step is near
            break
    wait_until_computed(process, 1)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(60) == 130
    assert "stopping with the best picture so far" in said
    assert "stopped at step " in said
    data = (tmp_path / "cat__wave.png").read_bytes()
    assert decode(data, "x").rgb.shape == (24, 32, 3)
    # It does not pass for the finished one, nor does finishing it need consent.
    pair = Pair.of(tmp_path / "photos/cat.png", tmp_path / "art/wave.png", "cat__wave.png")
    key = json.loads(read_metadata(data)["nst"])["key"].removesuffix("-stopped")
    state = SingleFile(tmp_path / "cat__wave.png").state(pair, key)
    assert state is State.STOPPED
    assert not state.needs_consent


def test_several_artworks_are_one_style(nst: Nst, tmp_path: Path) -> None:
    ended = nst("stylize", PAIR[0], "art/wave.png=0.7", "art/ink.png=0.3", *PAIR[2:])
    assert ended.code == 0, ended.err
    data = (tmp_path / "cat__wave+ink.png").read_bytes()
    made = json.loads(read_metadata(data)["nst"])
    assert [weight for _, weight in made["style_sha256"]] == [0.7, 0.3]
    single = nst("stylize", PAIR[0], "art/wave.png=2", "art/ink.png=0", *PAIR[2:])
    assert "cat__wave.png" in single.err
    assert "1 cached" in nst("stylize", *PAIR).err


def test_a_mask_that_is_not_there(nst: Nst) -> None:
    ended = nst("stylize", *PAIR, "--content-mask", "photos/cow.png")
    assert (ended.code, "--content-mask: no such file" in ended.err) == (2, True), ended.err
