"""`nst animate`, and animations asked for of the commands that make pictures."""

from pathlib import Path

import pytest

from nstcli.cli import app
from nstcli.run import job
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders")

RUN = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "--steps", "4", "--limit", "2")


def test_of_the_stages_of_a_batch_and_of_one_result(nst: Nst, tmp_path: Path) -> None:
    assert app  # imported, so that the command is known
    assert nst(*RUN, "--save-every", "2").code == 0
    ended = nst("animate", "out")
    assert ended.code == 0
    expected = [f"out/cat__{style}.png.stages/animation.gif" for style in ("ink", "wave")]
    assert ended.out.split() == expected
    ended = nst("animate", "out/cat__ink.png.stages", "--animation", "webp", "--boomerang")
    assert ended.out.split() == ["out/cat__ink.png.stages/animation.webp"]
    assert Path(expected[0]).exists()
    assert 'href="cat__ink.png.stages/0002.png"' in Path("out/index.html").read_text()
    nst("gallery", "out")
    assert 'href="cat__ink.png.stages/animation.gif"' in Path("out/index.html").read_text()
    # What is there now need not be made.
    ended = nst(*RUN, "--save-every", "2", "--animation", "gif", "-n")
    assert ended.out.count("up to date") == 2
    ended = nst(*RUN, "--animation", "webp", "--boomerang", "-n")
    assert ended.out.count("without its stages") == 1


def test_where_there_are_none(nst: Nst) -> None:
    for folder in ("photos", "nowhere"):
        ended = nst("animate", folder)
        assert ended.code == 2
        assert ended.err.startswith(f"nst: no stages in '{folder}'; --save-every 20 keeps some")


def test_one_picture_says_where_its_animation_is(nst: Nst) -> None:
    ended = nst(
        *("stylize", "photos/cat.png", "art/ink.png", "-m", "tiny", "--steps", "2"),
        *("-o", "cat.png", "--animation", "gif"),
    )
    assert ended.code == 0
    assert ended.err.splitlines()[-1].endswith("→ cat.png and cat.png.stages/animation.gif")


def test_an_experiment_has_them_by_its_file(nst: Nst) -> None:
    Path("x.toml").write_text(
        'content = "photos/cat.png"\nstyle = "art/ink.png"\nmodel = "tiny"\nsteps = 2\n'
        'animation = "gif"\nsave-every = 1\n[sweep]\nstyle-weight = [1, 10]\n'
    )
    assert nst("run", "x.toml").code == 0
    assert len(list(Path("x").glob("*/*.stages/animation.gif"))) == 2
    assert len(list(Path("x").glob("*/*.stages/0002.png"))) == 2


def test_what_mp4_needs_is_told_before_anything_is_done(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "find_spec", lambda name: None)
    ended = nst(*RUN, "--animation", "mp4")
    assert ended.code == 2
    assert "mp4 needs the package imageio-ffmpeg: python -m pip install '.[video]'" in ended.err
    assert not Path("out").exists()
