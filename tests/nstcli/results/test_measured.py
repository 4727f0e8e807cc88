from pathlib import Path

import pytest

from nstcli.results.folder import Store
from nstcli.results.records import Measured

MEASURED = Measured(output_sha256="abc", judge="vgg16", values={"style_error": 0.1, "lpips": 0.4})


def test_measurements_come_back_as_they_were_saved(tmp_path: Path) -> None:
    Store(tmp_path).save_measured("sub/cat__ink.png", MEASURED)
    assert Store(tmp_path).measured("sub/cat__ink.png", "abc") == MEASURED
    assert (tmp_path / ".nst/metrics/sub/cat__ink.png.json").is_file()


def test_those_of_other_bytes_count_as_nothing(tmp_path: Path) -> None:
    Store(tmp_path).save_measured("a.png", MEASURED)
    assert Store(tmp_path).measured("a.png", "abd") is None
    assert Store(tmp_path).measured("b.png", "abc") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"output_sha256": "abc"}'])
def test_a_broken_file_counts_as_nothing(tmp_path: Path, text: str) -> None:
    Store(tmp_path).save_measured("a.png", MEASURED)
    (tmp_path / ".nst/metrics/a.png.json").write_text(text)
    assert Store(tmp_path).measured("a.png", "abc") is None


def test_only_numbers_are_measurements() -> None:
    with pytest.raises(ValueError, match="finite"):
        Measured(output_sha256="abc", judge="vgg16", values={"lpips": float("nan")})
