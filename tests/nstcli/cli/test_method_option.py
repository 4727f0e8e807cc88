"""`--method`: what the command line says and leaves of pictures that are made at once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nstcli.cli.conftest import Nst
from tests.nstcli.run.small_networks import of_small_networks

BATCH = ("batch", "photos", "art", "--method", "adain", "-o", "out", "-s", "32")


@pytest.fixture(autouse=True)
def pictures(nst: Nst, write_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(2):
        write_picture(f"photos/p{n}.png", seed=n)
        write_picture(f"art/a{n}.png", seed=8 + n)
    of_small_networks(monkeypatch)


def test_a_batch_of_them_is_as_any_other(nst: Nst) -> None:
    ended = nst(*BATCH, "--steps", "7", "-v")
    assert ended.code == 0, ended.err
    assert "note: --steps means nothing to --method adain, and is left out" in ended.err
    assert "4 pairs: 2 contents × 2 styles · adain · 32 px\n" in ended.err
    assert "4 made" in ended.err
    record = json.loads(Path("out/.nst/pairs/p0__a0.png.json").read_bytes())
    assert (record["steps"], record["recipe"]["alpha"]) == (0, 1.0)
    assert "steps" not in record["recipe"]
    assert "4 × adain · 32 px" in nst("status", "out").out
    assert "4 cached" in nst(*BATCH).err
    planned = nst(*BATCH, "--alpha", "0.5", "-n")
    assert planned.out.count("alpha 1.0 → 0.5") == 4
    assert "peak memory: up to" in planned.err
    config = nst("recipe", "out/p0__a0.png").out
    assert 'method = "adain"' in config
    assert "steps" not in config


def test_another_method_makes_another_picture(nst: Nst) -> None:
    assert nst(*BATCH).code == 0
    other = nst(
        "batch", "photos", "art", "-m", "tiny", "-o", "out", "-s", "32", "--steps", "2", "-n"
    )
    assert other.out.count("method adain → optimize") == 4


def test_there_are_no_stages_of_what_has_no_steps(nst: Nst) -> None:
    ended = nst(*BATCH, "--animation", "gif")
    assert ended.code == 2
    assert "--method adain makes a picture at once" in ended.err
    assert not Path("out").exists()


def test_a_start_means_nothing_to_it(nst: Nst) -> None:
    ended = nst(*BATCH, "--init", "nowhere.png")
    assert ended.code == 0, ended.err
    assert "note: --init means nothing to --method adain" in ended.err


@pytest.mark.parametrize("command", [("texture", "art"), ("invert", "photos")])
def test_of_one_input_alone_there_is_nothing_for_it(nst: Nst, command: tuple[str, ...]) -> None:
    Path("nst.toml").write_text('method = "adain"\n')
    ended = nst(*command, "-s", "32")
    assert ended.code == 2
    assert "--method adain needs a photo and an artwork" in ended.err


def test_methods_can_vary(nst: Nst) -> None:
    Path("two.toml").write_text(
        'content = "photos"\nstyle = "art"\nmodel = "tiny"\nsize = 32\nsteps = 2\n'
        '[sweep]\nmethod = ["optimize", "adain"]\n'
    )
    ended = nst("run", "two.toml", "-o", "out")
    assert ended.code == 0, ended.err
    assert "8 made" in ended.err
    assert {path.name for path in Path("out").iterdir()} >= {"method=optimize", "method=adain"}
    assert nst("run", "two.toml", "-o", "out", "--method", "adain").code == 2
    summarized = nst("summarize", "out", "-o", "told")
    assert summarized.code == 0, summarized.err


def test_an_experiment_can_be_made_by_another_method(nst: Nst) -> None:
    Path("two.toml").write_text(
        'content = "photos"\nstyle = "art"\nmodel = "tiny"\nsize = 32\n[sweep]\nalpha = [0.5, 1]\n'
    )
    ended = nst("run", "two.toml", "-o", "out", "--method", "adain")
    assert ended.code == 0, ended.err
    assert "8 made" in ended.err
    assert "will show the same" not in ended.err


def test_a_preview_can_be_made_at_once(nst: Nst) -> None:
    plain = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "-s", "500")
    ended = nst(*plain, "--preview", "adain")
    assert ended.code == 0, ended.err
    assert "note: this preview is made by --method adain, at once" in ended.err
    assert "4 pairs: 2 contents × 2 styles · adain · 384 px" in ended.err
    assert "or: nst batch photos art -o out -m tiny -s 500 --cells CELLS" in ended.err
    assert not Path("out/.nst").exists()


def test_a_preview_is_made_at_once_where_that_shows_it(nst: Nst) -> None:
    """And its weights are at hand, which those of the tiny backbone always are."""
    kept = ("--limit", "1", "-o", "out", "-s", "32", "--steps", "2")
    for more, by in ((("-m", "tiny"), "adain"), (("--method", "adain"), "adain")):
        ended = nst("batch", "photos", "art", *kept, *more, "--preview", "--overwrite")
        assert ended.code == 0, ended.err
        assert f" · {by} · 32 px" in ended.err
    Path("sweep.toml").write_text(
        'content = "photos"\nstyle = "art"\nmodel = "tiny"\nsize = 32\nsteps = 2\nlimit = 1\n'
        "[sweep]\nstyle-weight = [3, 30]\n"
    )
    ended = nst("run", "sweep.toml", "--preview", "-o", "sweep")
    assert ended.code == 0, ended.err
    assert "2 made" in ended.err
    assert "at once" not in ended.err
    refused = nst("run", "sweep.toml", "--preview=adain", "-o", "sweep")
    assert refused.code == 2
    assert "style-weight varies, which means nothing to --method adain" in refused.err


def test_the_optimizer_can_start_from_it(nst: Nst) -> None:
    plain = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "-s", "32", "--steps", "2")
    assert nst(*plain).code == 0
    begun = nst(*plain, "--init", "adain", "-n")
    assert begun.out.count("init content → adain") == 4
    ended = nst(*plain, "--init", "adain", "--overwrite", "--animation", "gif")
    assert ended.code == 0, ended.err
    record = json.loads(Path("out/.nst/pairs/p0__a0.png.json").read_bytes())
    assert len(record["recipe"]["companions"]) == 64
    assert record["figures"]["loss"] < record["figures"]["loss_before"]
    assert nst("recipe", "out/p0__a0.png").out.count('init = "adain"') == 1
