"""`nst texture` and `nst invert`: a batch of results that have one input alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from nstcli.images import decode
from tests.nstcli.cli.conftest import Ended, Nst

pytestmark = pytest.mark.usefixtures("folders")

TEXTURE = ("texture", "art", "-o", "out", "-m", "tiny", "--steps", "4", "--size", "32")
INVERT = ("invert", "photos", "-o", "out", "-m", "tiny", "--steps", "4", "--size", "32")
INK = ("texture", "art/ink.png", *TEXTURE[2:])


def record(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"out/.nst/pairs/{name}.json").read_text())
    return found


def shape(path: Path) -> tuple[int, ...]:
    return decode(path.read_bytes(), path.name).rgb.shape


def test_every_artwork_has_a_texture_of_any_size(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*TEXTURE[:-1], "40x24")
    assert ended.code == 0, ended.err
    assert "2 textures: 2 styles · tiny random · 40 px" in ended.err
    assert shape(tmp_path / "out/ink.png") == shape(tmp_path / "out/wave.png") == (24, 40, 3)
    made = record(tmp_path, "ink.png")
    assert [each["role"] for each in made["inputs"]] == ["style"]
    assert {"loss", "style_error"} <= set(made["figures"])
    assert not {"content_error", "style_error_before", "psnr"} & set(made["figures"])
    recipe = made["recipe"]
    assert (recipe["init"], recipe["content_weight"], recipe["nearest_weight"]) == ("noise", 0, 0)


def test_the_same_command_makes_what_is_missing_and_status_knows_it(
    nst: Nst, tmp_path: Path
) -> None:
    assert nst(*TEXTURE).code == 0
    (tmp_path / "out/ink.png").unlink()
    ended = nst(*TEXTURE)
    assert "Done: 1 made, 1 cached" in ended.err
    told = nst("status", "out")
    assert (told.code, told.out.splitlines()[0][:32]) == (0, "out: 2 results of 2 styles, made")
    totals = json.loads((tmp_path / "out/manifest.json").read_text())["totals"]
    assert (totals["contents"], totals["styles"]) == (0, 2)
    assert "2 styles" in (tmp_path / "out/index.html").read_text("utf-8")
    assert nst("sheet", "out").code == 0
    (tmp_path / "art/ink.png").write_bytes((tmp_path / "art/wave.png").read_bytes())
    assert "(style image changed)" in nst(*TEXTURE).err


def test_options_that_make_another_texture_are_in_its_key(nst: Nst, tmp_path: Path) -> None:
    """Tiles, layers, seed and shape; and what a config file says of photos is no matter."""
    (tmp_path / "nst.toml").write_text("content-weight = 5\ninit = 'content'\nkeep-size = true\n")
    keys = set()
    for more in ((), ("--tileable",), ("--layers", "relu1"), ("--seed", "1"), ("--size", "32x16")):
        ended = nst(*INK, *more, "--overwrite")
        assert ended.code == 0, ended.err
        keys.add(record(tmp_path, "ink.png")["key"])
    assert len(keys) == 5


def test_a_photo_is_inverted_layer_by_layer(nst: Nst, tmp_path: Path) -> None:
    ended = nst(*INVERT, "--layers", "relu3,relu1", "-v")
    assert ended.code == 0, ended.err
    assert "4 pictures: 2 contents × 2 layers · tiny" in ended.err
    assert "PSNR" in ended.err
    names = {f"{photo}__{layer}.png" for photo in ("cat", "dog") for layer in ("relu1", "relu3")}
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {*names, "sheet.png"}
    found = record(tmp_path, "dog__relu3.png")
    assert found["recipe"]["content_layers"] == {"relu3": 1.0}
    assert {"content_error", "psnr"} <= set(found["figures"])
    assert "style_error" not in found["figures"]
    before = (tmp_path / "out/sheet.png").stat().st_mtime_ns
    assert "4 cached" in nst(*INVERT, "--layers", "relu3,relu1").err
    assert (tmp_path / "out/sheet.png").stat().st_mtime_ns == before


def test_without_layers_all_are_inverted_that_terms_look_at(nst: Nst, tmp_path: Path) -> None:
    ended = nst("invert", "photos/cat.png", *INVERT[2:], "--name", "{layer}/{content}", "-n")
    assert ended.code == 0
    assert [line.split(" → ")[1] for line in ended.out.splitlines()] == [
        f"relu{n}/cat.png" for n in (1, 2, 3)
    ]
    named = nst("invert", "photos/cat.png", *INVERT[2:], "--name", "x", "-n").out.splitlines()
    assert [line.split(" → ")[1] for line in named] == [f"x__relu{n}.png" for n in (1, 2, 3)]


def test_what_a_layer_knows_falls_with_its_depth(nst: Nst, tmp_path: Path) -> None:
    assert (
        nst("invert", "photos/cat.png", *INVERT[2:6], "--steps", "80", "--tv-weight", "0").code == 0
    )
    heard = [record(tmp_path, f"cat__relu{n}.png")["figures"]["psnr"] for n in (1, 2, 3)]
    assert heard[0] > 25
    assert heard == sorted(heard, reverse=True)
    height, width, _ = shape(tmp_path / "out/sheet.png")
    assert width > 2 * height  # the photo and three layers, side by side


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*INK[:-1], "0"), "--size 0: should be pixels like 512, or a width and a height"),
        ((*INK[:-1], "1x2x3"), "--size 1x2x3: should be pixels"),
        ((*INK[:-1], "large"), "--size large: should be pixels"),
        ((*INK, "--layers", "relu9"), "unknown layer 'relu9' for tiny"),
        ((*INK, "--style-weight", "0"), "all weights are 0"),
        ((*INK, "--name", "{content}"), "unknown placeholder {content}"),
        ((*INK, "--content-weight", "1"), "No such option"),
        ((*INVERT, "--layers", "relu1,relu1"), "layer 'relu1' is given twice"),
        ((*INVERT, "--name", "{style}"), "unknown placeholder {style}"),
        (("texture", "nowhere"), "no such file or folder: 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(
    nst: Nst, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    ended = nst(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_a_texture_below_the_minimum_fails_and_says_why(nst: Nst) -> None:
    ended = nst(*INK[:-1], "20x4")
    assert ended.code == 1
    assert "20×4 px is too small for tiny" in ended.err


def test_a_broken_artwork_fails_alone(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "art/ink.png").write_bytes(b"no picture")
    ended = nst(*TEXTURE)
    assert ended.code == 1
    assert "1 made, 1 failed" in ended.err
    assert "failed" in nst("status", "out").out
    assert nst("gallery", "out").code == 0


def run_dry(nst: Nst, *arguments: object) -> Ended:
    return nst(*arguments, "--dry-run", "--json")


def test_a_dry_run_knows_what_a_texture_takes(nst: Nst) -> None:
    small, large = (
        json.loads(run_dry(nst, *INK[:-1], size).out)["peak_memory"] for size in ("64", "256")
    )
    assert large > 4 * small


def test_batches_that_need_a_photo_say_so(
    tiny_plugin: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    from nstcli.plan.pair import Input, Pair
    from nstcli.results.store import SingleFile
    from nstcli.run.check import check
    from tests.nstcli.run.test_backends import settings_of

    pair = Pair((Input("style", Path("art/ink.png")),), "x.png")
    (failure,) = check([(pair, settings_of(3))], SingleFile(Path("x.png"))).failures
    assert failure.error == "ink.png: its recipe looks at a content, and there is none"


def test_an_experiment_makes_textures_and_what_is_to_be_judged_is_said_not_to_be(
    nst: Nst, tmp_path: Path
) -> None:
    (tmp_path / "grain.toml").write_text(
        "content = false\nstyle = 'art'\nmodel = 'tiny'\nsize = 24\nsteps = 3\n"
        "[sweep]\nstyle-layers = ['relu1', 'relu3']\n"
    )
    ended = nst("run", "grain.toml", "-o", "out")
    assert ended.code == 0, ended.err
    assert "4 pictures: 2 styles × 2 variants" in ended.err
    assert (tmp_path / "out/style-layers=relu1/ink.png").is_file()
    assert "4 cached" in nst("run", "out/experiment.yaml", "-o", "out").err
    assert nst("summarize", "out").code == 0
    (tmp_path / "grain.toml").write_text("content = false\nstyle = false\n")
    assert "there are neither photos nor artworks" in nst("run", "grain.toml", "-o", "o").err
