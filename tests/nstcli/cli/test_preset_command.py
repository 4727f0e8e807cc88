"""Presets of one's own, from outside."""

import json
import tomllib
from pathlib import Path

import pytest

from nstcli.config import presets
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders")

MAKE = ("batch", "photos", "art", "-m", "tiny", "--size", "32", "--steps", "3")
RESULT = "out/cat__ink.png"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep them below `tmp_path`, in a folder that is not there yet."""
    folder = tmp_path / "settings" / "presets"
    monkeypatch.setattr(presets, "folder", lambda: folder)
    return folder


def test_a_result_becomes_a_preset_which_gives_the_same_results(nst: Nst, kept: Path) -> None:
    assert nst(*MAKE, "--style-layers", "relu1=1,relu2=0.5", "-o", "out").code == 0
    ended = nst("preset", "save", "mine", RESULT)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"--preset mine is what '{kept / 'mine.toml'}' says\n"
    ended = nst("batch", "photos", "art", "-o", "out", "--preset", "mine", "-v")
    assert "4 cached" in ended.err
    assert "steps 3 (preset mine)" in ended.err
    ended = nst("batch", "photos", "art", "--preset", "mine", "-s", "24", "-n")
    assert "24 px · 3 steps" in ended.err
    listed = nst("preset", "list").out.splitlines()
    assert any(line.startswith("mine (your own): model tiny · ") for line in listed)
    assert {line.partition(":")[0] for line in listed} == {*presets.PRESETS, "mine (your own)"}


def test_the_recipe_of_a_file_becomes_a_preset_with_what_its_preset_sets(
    nst: Nst, kept: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.pth").touch()
    (tmp_path / "x.yaml").write_text(
        "preset: draft\nsteps: 7\njobs: 2\nweights: own.pth\nstyle_layers: {fire2: 1}\nlimit:\n"
    )
    ended = nst("preset", "save", "quick-7", "-c", "x.yaml")
    assert ended.code == 0, ended.err
    assert "left out, as they are not of the recipe: jobs, limit\n" in ended.err
    assert tomllib.loads((kept / "quick-7.toml").read_text()) == {
        **presets.PRESETS["draft"],
        "steps": 7,
        "weights": str(tmp_path / "own.pth"),
        "style-layers": "fire2=1.0",
    }


def test_none_is_replaced_unawares_and_those_of_nst_never(
    nst: Nst, kept: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.toml").write_text("steps = 7")
    save = ("preset", "save", "mine", "-c", "x.toml")
    assert nst(*save).code == 0
    (tmp_path / "x.toml").write_text("steps = 8")
    ended = nst(*save)
    assert (ended.code, "--overwrite replaces it" in ended.err) == (2, True)
    assert "steps = 7" in (kept / "mine.toml").read_text()
    assert nst(*save, "--overwrite").code == 0
    assert "steps = 8" in (kept / "mine.toml").read_text()
    for command in (("save", "draft", "-c", "x.toml", "--overwrite"), ("remove", "draft")):
        ended = nst("preset", *command)
        assert (ended.code, "is one of nst itself" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("../x", "-c", "x.toml"), "a preset cannot be called '../x': should be small letters"),
        (("Mine", "-c", "x.toml"), "a preset cannot be called 'Mine'"),
        (("mine",), "name a result, or a file with -c"),
        (("mine", "photos/cat.png", "-c", "x.toml"), "name a result, or a file with -c"),
        (("mine", "photos/cat.png"), "does not say how it was made"),
        (("mine", "-c", "jobs.toml"), "'jobs.toml' sets no option of the recipe"),
        (("mine", "-c", "wrong.toml"), "wrong.toml: steps = 0: should be"),
        (("mine", "-c", "x.tml"), "must end in .toml"),
    ],
)
def test_what_is_no_preset_is_not_kept(
    nst: Nst, kept: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "x.toml").write_text("steps = 7")
    (tmp_path / "x.tml").write_text("steps = 7")
    (tmp_path / "jobs.toml").write_text("jobs = 7")
    (tmp_path / "wrong.toml").write_text("steps = 0")
    ended = nst("preset", "save", *arguments)
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert not kept.exists()


def test_one_that_is_not_there_is_told_with_the_closest(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("steps = 7")
    nst("preset", "save", "woodcut", "-c", "x.toml")
    for arguments in (("batch", "photos", "art", "--preset", "woodcat"),
                      ("preset", "remove", "woodcat")):  # fmt: skip
        ended = nst(*arguments)
        assert (ended.code, "did you mean 'woodcut'?" in ended.err) == (2, True)
    assert nst("preset", "remove", "woodcut").code == 0
    ended = nst("batch", "photos", "art", "--preset", "woodcut")
    assert (ended.code, "should be one of draft" in ended.err) == (2, True)


def test_a_file_that_somebody_has_changed_is_checked(nst: Nst, kept: Path) -> None:
    kept.mkdir(parents=True)
    for text, message in (
        ("stpes = 3", "preset mine: unknown key 'stpes' (did you mean 'steps'?)"),
        ("steps = 0", "preset mine: steps = 0: should be"),
        ("preset = 'draft'", "preset mine: unknown key 'preset'"),
        ("steps", "mine.toml: "),
    ):
        (kept / "mine.toml").write_text(text)
        ended = nst("config", "show", "--preset", "mine")
        assert (ended.code, message in ended.err) == (2, True), ended.err
    ended = nst("preset", "list")
    assert (ended.code, "mine.toml" in ended.err) == (0, True)


def test_a_comparison_refuses_one_of_another_network_s_layers(
    nst: Nst, kept: Path, twin: Path
) -> None:
    kept.mkdir(parents=True)
    (kept / "of-tiny.toml").write_text("model = 'tiny'\nstyle-layers = 'relu1'")
    compare = ("compare-backbones", "photos/cat.png", "art/ink.png", "-m", "tiny,twin")
    ended = nst(*compare, "--preset", "of-tiny")
    assert (ended.code, "names layers of tiny, which twin does not" in ended.err) == (2, True)


def test_show_tells_every_setting_and_where_it_comes_from(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nst.toml").write_text("style-weight = 50\nexclude = ['a', 'b']")
    monkeypatch.setenv("NST_SEED", "7")
    monkeypatch.setenv("NST_STPES", "7")
    ended = nst("config", "show", "--preset", "draft")
    assert ended.code == 0
    assert ended.err.startswith("warning: the variable NST_STPES is unknown")
    lines = ended.out.splitlines()
    assert f"# settings are read from {tmp_path / 'nst.toml'}" in lines
    for line in (
        "style-weight = 50.0  # nst.toml",
        'exclude = ["a", "b"]  # nst.toml',
        "size = 384  # preset draft",
        "seed = 7  # NST_SEED",
        'preset = "draft"  # command line',
        "jobs = 1  # default",
        "# weights is not set  # default",
    ):
        assert line in lines
    document = json.loads(nst("config", "show", "--preset", "draft", "--json").out)
    assert document["files"] == [str(tmp_path / "nst.toml")]
    assert document["settings"]["size"] == {"value": 384, "source": "preset draft"}
    assert document["settings"]["exclude"]["value"] == ["a", "b"]


def test_what_show_prints_is_a_config_file(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("shard: 1/4\nstyle-layers: {relu1: 0.5}\npreset: gram\n")
    first = json.loads(nst("config", "show", "-c", "x.yaml", "--json").out)["settings"]
    (tmp_path / "all.toml").write_text(nst("config", "show", "-c", "x.yaml").out)
    again = json.loads(nst("config", "show", "-c", "all.toml", "--json").out)["settings"]
    first.pop("config")
    assert again.pop("config")["value"] == "all.toml"
    assert {k: v["value"] for k, v in again.items()} == {k: v["value"] for k, v in first.items()}
