"""From a picture back to its settings, from outside."""

from pathlib import Path

import pytest

from tests.nstcli.cli.conftest import Nst

pytestmark = pytest.mark.usefixtures("folders")

MAKE = ("batch", "photos", "art", "-m", "tiny", "--size", "32", "--steps", "3")
ODD = ("--style-weight", "7", "--style-layers", "relu1,relu2=0.5", "--init", "noise", "--seed", "4")
RESULT = "out/cat__ink.png"


def test_a_result_is_a_config_file_and_so_is_what_recipe_prints(nst: Nst, tmp_path: Path) -> None:
    assert nst(*MAKE, *ODD, "-o", "out").code == 0
    told = nst("recipe", RESULT)
    assert (told.code, told.err) == (0, "")
    assert 'model = "tiny"\n' in told.out
    assert told.out.endswith("[style-layers]\nrelu1 = 1.0\nrelu2 = 0.5\n")
    (tmp_path / "own.toml").write_text(told.out)
    for config in (RESULT, "own.toml"):
        ended = nst("batch", "photos", "art", "-o", "out", "-c", config)
        assert (ended.code, "4 cached" in ended.err) == (0, True), ended.err
    single = ("stylize", "photos/cat.png", "art/ink.png", "-o", "one.png", "-c", RESULT)
    assert nst(*single).code == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / RESULT).read_bytes()
    ended = nst("batch", "photos", "art", "-o", "small", "-c", RESULT, "-s", "24", "-v", "-n")
    assert f"style-weight 7 ({RESULT})" in ended.err
    assert f"settings are read from {tmp_path / RESULT}" in ended.err
    assert "24 px" in ended.err


def test_a_result_without_metadata_is_told(nst: Nst) -> None:
    assert nst(*MAKE, "-o", "out", "--no-metadata").code == 0
    ended = nst("recipe", RESULT)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"nst: '{RESULT}' does not say how it was made")
