"""Config files: both forms mean the same, errors say where, and the nearest one is found."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.config import files
from nstcli.config.files import nearest, read
from nstcli.config.yaml12 import dump, load
from nstcli.errors import InputError

TOML = """
size = 1e3
style-weight = 1e5
overwrite = true
include = ["*.jpg", "*.png"]
name = "no"
[style_layers]
relu1_1 = 0.5
"""
YAML = """
size: 1e3
style-weight: 1e5
overwrite: true
include: ["*.jpg", "*.png"]
name: no
style_layers:
  relu1_1: 0.5
"""
SAID = {
    "size": 1000.0,
    "style-weight": 100_000.0,
    "overwrite": True,
    "include": ["*.jpg", "*.png"],
    "name": "no",
    "style_layers": {"relu1_1": 0.5},
}


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", TOML), ("a.TOML", TOML), ("a.yaml", YAML), ("a.yml", YAML)]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_both_forms_mean_the_same(tmp_path: Path, name: str, text: str, mark: str) -> None:
    path = tmp_path / name
    path.write_text(mark + text, "utf-8")
    assert read(path) == SAID


def test_of_a_project_file_our_table_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\nname = 'x'\n[tool.nst]\nsize = 7\n[tool.other]\nsize = 8\n")
    assert read(path) == {"size": 7}
    path.write_text("[project]\nname = 'x'\n")
    assert read(path) == {}


@pytest.mark.parametrize("name", ["empty.yaml", "empty.toml"])
def test_an_empty_file_says_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# nothing\n")
    assert read(tmp_path / name) == {}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml", b"size = 1\nsteps 3\n", r"a\.toml: .*at line 2, column"),
        ("a.toml", b"size = 1\nsize = 2\n", r"a\.toml: Cannot overwrite a value .*line 2"),
        ("a.yaml", b"size: 1\nsteps: [3\n", r"a\.yaml: .*at line 3, column 1"),
        ("a.yaml", b"size: 1\nsize: 2\n", r"a\.yaml: a key is given twice .*line 1"),
        ("a.yaml", b"- size\n- 3\n", r"a\.yaml: should be settings like 'size: 512'"),
        ("a.yaml", b"size: \x01\n", r"a\.yaml: .*special characters"),
        ("a.yaml", b"? [1, 2]\n: 3\n", r"a\.yaml: .*line 1"),
        ("a.yaml", b"size: !!python/name:os.system x\n", r"a\.yaml: .*line 1"),
        ("a.toml", b"name = '\xff'\n", r"'.*a\.toml' is not UTF-8 text"),
        ("a.json", b"{}", r"'.*a\.json' must end in \.toml, \.yaml or \.yml"),
    ],
)
def test_broken_files_are_named_with_the_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path / name)
    assert len(str(error.value).splitlines()) == 1


# Ten lists in each of ten lists and so on: nine short lines stand for 10^10 values.
LAUGHS = "\n".join(
    ["size: &a0 [1]", *(f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "size: " + "[" * 100_000, r"nested too deeply \(at line 1, column 26\)"),
        ("a.yaml", "size: " + "{a: " * 1000, r"nested too deeply \(at line 1"),
        (
            "a.yaml",
            "\n".join(" " * n + "size:" for n in range(1000)),
            "nested too deeply .*line 20",
        ),
        ("a.yaml", "? " * 1000 + "x", r"nested too deeply \(at line 1"),
        ("a.yaml", LAUGHS, r"an alias may stand for a single value only \(at line 2, column 10\)"),
        ("a.yaml", "size: &a [*a]", r"an alias may stand for a single value only \(at line 1"),
        ("a.yaml", "size: " + "9" * 5000, r"cannot be read as int \(at line 1, column 7\)"),
        ("a.yaml", "size: 0x" + "f" * 5000, r"cannot be read as int \(at line 1, column 7\)"),
        ("a.yaml", "1: a\n'1': b", r"a key is given twice \(at line 1, column 1\)"),
        ("a.yaml", "size: !!bool x", r"cannot be read as bool \(at line 1, column 7\)"),
        ("a.yaml", "size: !!float ''", r"cannot be read as float \(at line 1, column 7\)"),
        ("a.yaml", "size: !!map x", r"cannot be read as map \(at line 1, column 7\)"),
        ("a.yaml", "size: !!timestamp x", r"tag:yaml\.org,2002:timestamp' \(at line 1, column 7\)"),
        ("a.yaml", "size: !!set {a}", r"tag:yaml\.org,2002:set' \(at line 1, column 7\)"),
        ("a.toml", "size = " + "9" * 5000, "5000 digits"),
        ("a.toml", "size = " + "[" * 5000, "nested too deeply"),
    ],
    ids=lambda text: text[:20],
)
def test_what_would_overwhelm_us_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path / name)


def test_a_value_may_be_named_and_keys_are_text_as_in_toml() -> None:
    assert load("size: &s 512\nstyle-size: *s") == {"size": 512, "style-size": 512}
    assert load("1.0: {true: [[2]]}\nnull: 3") == {"1.0": {"true": [[2]]}, "null": 3}


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "portrait.toml").touch()
    with pytest.raises(InputError, match=r"no such config file: .*did you mean 'portrait\.toml'"):
        read(tmp_path / "potrait.toml")
    with pytest.raises(InputError, match="no such config file"):
        read(tmp_path / "nowhere" / "x.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)


@given(
    value=st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
)
def test_values_of_yaml_are_those_of_json(value: object) -> None:
    (found,) = load(f"key: {json.dumps(value, ensure_ascii=False)}").values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e5", 1e5), ("1E-3", 1e-3), (".5", 0.5), ("1.", 1.0), ("-2.5e+3", -2500.0),
        ("no", "no"), ("on", "on"), ("1:30", "1:30"), ("010", 10), ("-7", -7),
        ("2024-01-01", "2024-01-01"), ("True", True), ("~", None), ("", None), ("null", None),
        ("1_000", "1_000"), ("1/4", "1/4"), (".inf", float("inf")),
        ("0o10", 8), ("0x1F", 31), ("0b11", "0b11"), ("<<", "<<"), ("=", "="), ("!!str 5", "5"),
    ],
)  # fmt: skip
def test_plain_values_of_yaml_1_2(text: str, value: object) -> None:
    found = load(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_the_nearest_file_is_that_of_the_first_folder_upwards(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "nst.toml").touch()
    assert nearest(deep) == tmp_path / "nst.toml"
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.other]\nnst = 1\n")
    assert nearest(deep) == tmp_path / "nst.toml"  # the project has no table of ours
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.nst]\n")
    assert nearest(deep) == tmp_path / "a" / "pyproject.toml"
    (tmp_path / "a" / "nst.toml").touch()
    assert nearest(deep) == tmp_path / "a" / "nst.toml"
    (tmp_path / "a" / "b" / "nst.toml").mkdir()  # a folder is no file
    assert nearest(deep) == tmp_path / "a" / "nst.toml"


STRANGER = 4_000_000_000


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what lets a file belong to another user."""
    owners = {}
    of_file = files._owners
    monkeypatch.setattr(files, "_owners", lambda path: owners.get(path) or of_file(path))
    return lambda path, owner=STRANGER: owners.update({path: {owner}})


@pytest.mark.skipif(os.name == "nt", reason="no owners")
@pytest.mark.parametrize("name", ["nst.toml", "pyproject.toml"])
def test_a_file_of_another_user_is_passed_over_and_told(
    tmp_path: Path, give_away: Callable[..., None], name: str
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "nst.toml").touch()
    (inner / name).write_text("[tool.nst]\noverwrite = true\n")
    assert nearest(inner) == inner / name
    told: list[Path] = []
    give_away(inner / name)
    assert nearest(inner, told.append) == tmp_path / "nst.toml"
    assert told == [inner / name]
    give_away(tmp_path / "nst.toml")
    assert nearest(inner, told.append) is None


@pytest.mark.skipif(os.name == "nt", reason="no owners")
@pytest.mark.parametrize("text", ["[tool.other]\n", "[tool.nst\n"])
def test_projects_of_others_do_not_matter(
    tmp_path: Path, give_away: Callable[..., None], text: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    give_away(tmp_path / "pyproject.toml")
    told: list[Path] = []
    assert nearest(tmp_path, told.append) is None
    assert told == []


@pytest.mark.skipif(os.name == "nt", reason="no owners")
def test_whose_files_are_taken(
    tmp_path: Path, give_away: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's by all; by root those of the user who called sudo, and by nobody else."""
    path = tmp_path / "nst.toml"
    path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("SUDO_UID", "1001")
    for owner, taken in ((1000, path), (0, path), (1001, None)):
        give_away(path, owner)
        assert nearest(tmp_path) == taken
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for owner, taken in ((1001, path), (0, path), (1000, None)):
        give_away(path, owner)
        assert nearest(tmp_path) == taken


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_a_link_of_another_user_s_is_theirs_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "own.toml").touch()
    (tmp_path / "nst.toml").symlink_to("own.toml")
    assert nearest(tmp_path) == tmp_path / "nst.toml"
    os.chown(tmp_path / "nst.toml", STRANGER, -1, follow_symlinks=False)
    assert nearest(tmp_path) is None
    (tmp_path / "nst.toml").unlink()
    (tmp_path / "nst.toml").touch()
    os.chown(tmp_path / "nst.toml", STRANGER, -1)
    assert nearest(tmp_path) is None


def test_broken_projects_of_others_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "nst.toml").touch()
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_bytes(b"[[[ \xff")
    assert nearest(inner) == tmp_path / "nst.toml"
    (inner / "pyproject.toml").write_text("[tool.nst]\nsize 3\n")
    with pytest.raises(InputError, match=r"pyproject\.toml: .*line 2"):
        nearest(inner)


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["no", "1e5", "0o17", "010", "1:30", "~", ".5", "0x1F", "2001-01-01", "<<", "=", "null", ".inf"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_is_written_is_read(settings: dict[str, object]) -> None:
    assert load(dump(settings)) == settings


def test_what_occurs_twice_is_written_twice() -> None:
    same = ["relu1_1"]
    assert load(dump({"a": same, "b": same})) == {"a": same, "b": same}
