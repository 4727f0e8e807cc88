from pathlib import Path

import pytest

from nstcli.remembered import Remembered, digest


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    cache = Remembered(tmp_path / ".nst")
    cache.put("steps a", 30)
    assert not (tmp_path / ".nst").exists()
    cache.save()
    again = Remembered(tmp_path / ".nst")
    assert (again.count("steps a"), again.count("steps b"), again.count("other a")) == (
        30,
        None,
        None,
    )


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    Remembered(tmp_path / ".nst").save()
    assert not (tmp_path / ".nst").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"steps": 3}', '{"steps a": "x"}', '{"steps a": -1}', "[" * 50_000, "\xff"]
)
def test_a_broken_file_counts_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "comparison.json").write_text(text, "latin-1")
    cache = Remembered(tmp_path / "comparison.json")
    assert cache.count("steps a") is None
    cache.put("steps a", 3)
    cache.save()
    assert Remembered(tmp_path / "comparison.json").count("steps a") == 3


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
