from pathlib import Path

import pytest

from nstcli.experiment.cache import Notes, digest


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    notes = Notes(tmp_path / ".nst")
    notes.put("steps", "a", 30)
    assert not (tmp_path / ".nst").exists()
    notes.save()
    again = Notes(tmp_path / ".nst")
    assert (again.get("steps", "a"), again.get("steps", "b"), again.get("other", "a")) == (
        30,
        None,
        None,
    )


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    Notes(tmp_path / ".nst").save()
    assert not (tmp_path / ".nst").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"steps": 3}', '{"steps": {"a": "x"}}', '{"steps": {"a": -1}}', "\xff"]
)
def test_a_broken_file_counts_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "comparison.json").write_text(text, "latin-1")
    notes = Notes(tmp_path)
    assert notes.get("steps", "a") is None
    notes.put("steps", "a", 3)
    notes.save()
    assert Notes(tmp_path).get("steps", "a") == 3


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
