"""`--weights FILE`: what it expects of pictures is an option, and what it gets is looked at."""

import importlib
import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from tests import tiny
from tests.conftest import install
from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders", "known", "file")

RUN = ("stylize", "photos/cat.png", "art/ink.png", "-m", "known", "--steps", "2", "-s", "32")
FILE = ("--weights", "mine.safetensors")


@pytest.fixture
def known(nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a backbone whose activations are known to be of another size than the file's."""
    source = Path(tiny.__file__).read_text("utf-8").replace('name="tiny"', 'name="known"')
    install(tmp_path / "site", "known", source.replace("\n    minimum_size=8,", WITH_USUAL))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()


WITH_USUAL = "\n    minimum_size=8,\n    usual_activation=50.0,"


@pytest.fixture
def file(tmp_path: Path) -> None:
    save_file(tiny.random_state(), tmp_path / "mine.safetensors")


def test_a_file_that_expects_other_input_is_noticed(nst: Nst) -> None:
    for more in ((), ("--preprocessing", "imagenet", "--overwrite")):
        ended = nst(*RUN, *FILE, *more, "-o", "out.png")
        assert ended.code == 0
        note = "  ! mine.safetensors: its activations are 0."
        (line,) = [line for line in ended.err.splitlines() if line.startswith(note)]
        assert "those of known are about 50: it may expect other input; try --prep" in line
        assert line.endswith(" caffe")
    told = nst(*RUN, *FILE, "--preprocessing", "caffe", "-o", "caffe.png")
    assert (told.code, "activations" in told.err) == (0, False)
    assert "activations" not in nst(*RUN).err  # a set of weights is what it should be


def test_it_is_kept_with_every_result(nst: Nst, tmp_path: Path) -> None:
    batch = ("batch", "photos", "art", *RUN[3:], *FILE)
    assert nst(*batch, "-o", "out").err.count("its activations are") == 1
    for path in tmp_path.glob("out/.nst/pairs/*.json"):
        (note,) = json.loads(path.read_text())["notes"]
        assert note.startswith("mine.safetensors: its activations are ")
    assert nst(*batch, "-o", "two", "-j", "2").err.count("its activations are") == 1


def test_what_a_file_expects_changes_pixels_and_so_the_key(nst: Nst, tmp_path: Path) -> None:
    assert nst("batch", "photos", "art", *RUN[3:], *FILE, "-o", "out").code == 0
    other = ("batch", "photos", "art", *RUN[3:], *FILE, "-o", "out", "--preprocessing", "caffe")
    ended = nst(*other)
    assert ended.code == 2
    assert "preprocessing" in ended.err
    before = (tmp_path / "out/cat__ink.png").read_bytes()
    assert nst(*other, "--overwrite").code == 0
    assert (tmp_path / "out/cat__ink.png").read_bytes() != before


def test_a_set_of_weights_has_its_own(nst: Nst) -> None:
    ended = nst(*RUN, "--preprocessing", "caffe")
    assert ended.code == 2
    assert "--preprocessing caffe is for a weights file of your own (--weights FILE)" in ended.err
    assert nst(*RUN, *FILE, "--preprocessing", "cafe").code == 2
