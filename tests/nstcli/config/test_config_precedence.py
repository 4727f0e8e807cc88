"""Whatever is set wherever: the right value wins, and its source is told rightly."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.config import files
from nstcli.config.options import GROUPS, SETTINGS
from nstcli.config.precedence import Document, Settled, settle
from nstcli.config.presets import PRESETS
from nstcli.config.shards import Shard
from nstcli.config.validation import model_of
from nstcli.errors import InputError

BY_FIELD = {setting.field: setting for setting in SETTINGS}

# Values that every place can write, by field; what they are written as is the value itself.
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "size": st.integers(1, 4000),
    "steps": st.integers(1, 4000),
    "style_weight": st.floats(0, 1e9),
    "loss": st.sampled_from(["relative", "gatys", "sum", "mean"]),
    "model": st.sampled_from(["vgg19", "squeezenet", "mobilenet"]),
    "overwrite": st.booleans(),
    "metadata": st.booleans(),
    "scales": st.just("auto") | st.integers(1, 16),
    "shard": st.builds(lambda index, more: Shard(index, index + more), *[st.integers(1, 9)] * 2),
    "timeout": st.floats(0.001, 1e6),
    "memory": st.integers(10**6, 10**15),
    "limit": st.integers(1, 9),
    "as_json": st.booleans(),
    "preset": st.sampled_from(list(PRESETS)),
}
places = st.fixed_dictionaries({}, optional=VALUES)


def plain(value: object) -> object:
    """Return what a file holds for a value."""
    return str(value) if isinstance(value, Shard) else value


def text(value: object) -> str:
    """Return what a variable holds for a value."""
    return str(plain(value))


def settled(folder: Path, flags: Mapping[str, Any] | None = None, **environment: str) -> Settled:
    return settle(SETTINGS, flags or {}, environment, folder)


def write(path: Path, values: Mapping[str, Any], underscores: bool) -> None:
    lines = []
    for field, value in values.items():
        key = BY_FIELD[field].key
        name = key.replace("-", "_") if underscores else key
        mark = ":" if path.suffix == ".yaml" else " ="
        lines.append(f"{name}{mark} {json.dumps(plain(value))}")
    head = ["[tool.nst]"] if path.name == "pyproject.toml" else []
    path.write_text("\n".join([*head, *lines]), "utf-8")


@given(
    flags=places,
    variables=places,
    named=places,
    near=places,
    project=st.booleans(),
    yaml=st.booleans(),
    by_variable=st.booleans(),
    underscores=st.booleans(),
)
def test_the_winner_is_right_and_so_is_its_source(
    flags: dict[str, Any],
    variables: dict[str, Any],
    named: dict[str, Any],
    near: dict[str, Any],
    project: bool,
    yaml: bool,
    by_variable: bool,
    underscores: bool,
) -> None:
    with tempfile.TemporaryDirectory() as made:
        top = Path(made)
        folder = top / "deep" / "er"
        folder.mkdir(parents=True)
        nearest = top / ("pyproject.toml" if project else "nst.toml")
        write(nearest, near, underscores)
        config = folder / ("mine.yaml" if yaml else "mine.toml")
        write(config, named, underscores)
        environment = {BY_FIELD[field].variable: text(v) for field, v in variables.items()}
        given_flags = {field: plain(value) for field, value in flags.items()}
        if by_variable:
            environment["NST_CONFIG"] = str(config)
        else:
            given_flags["config"] = str(config)
        found = settle(SETTINGS, given_flags, environment, folder)

    winner = {name for place in (near, named, variables, flags) for name in place} - {"preset"}
    preset = next(
        (p["preset"] for p in (flags, variables, named, near) if "preset" in p), "default"
    )
    layers = [
        (flags, lambda field: "command line"),
        (variables, lambda field: BY_FIELD[field].variable),
        (named, lambda field: config.name),
        (near, lambda field: f"../../{nearest.name}"),
        ({"preset": preset} if "preset" not in {*flags, *variables, *named, *near} else {},
         lambda field: "default"),
        (PRESETS[preset], lambda field: f"preset {preset}"),
        ({field: s.default for field, s in BY_FIELD.items()}, lambda field: "default"),
    ]  # fmt: skip
    for field in {*winner, *BY_FIELD} - {"config"}:
        values, source = next((v, s) for v, s in layers if field in v)
        assert found[field] == values[field], field
        assert type(found[field]) is type(values[field]) or isinstance(values[field], float)
        assert found.values[field].source == source(field), field
    assert found.values["config"].source == ("NST_CONFIG" if by_variable else "command line")
    assert found.files == (config, nearest)


def test_every_setting_can_be_said_everywhere(tmp_path: Path) -> None:
    """The model has each option by its long name, and the defaults fit their own types."""
    model = model_of(SETTINGS)
    assert list(model.model_fields) == list(BY_FIELD)
    for setting in SETTINGS:
        field = model.model_fields[setting.field]
        assert field.alias == setting.key
        assert field.default == setting.default
        if setting.default not in (None, ()):
            again = settled(tmp_path, {setting.field: setting.default})
            assert again[setting.field] == setting.default


def test_no_two_groups_share_a_name() -> None:
    for name in ("field", "key", "variable"):
        names = [getattr(setting, name) for setting in SETTINGS]
        assert len(set(names)) == len(names)
    shorts = [setting.option.short for setting in SETTINGS if setting.option.short]
    assert len(set(shorts)) == len(shorts)
    assert len(SETTINGS) == sum(len(fields(group)) for group in GROUPS)


STYLE_WEIGHT = "(did you mean 'style-weight'?)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("stlye-weight = 3", f"unknown key 'stlye-weight' {STYLE_WEIGHT}"),
        ("stlye_weight = 3", f"unknown key 'stlye_weight' {STYLE_WEIGHT}"),
        ("[output-xyz]\nsize = 3", "unknown key 'output-xyz'"),
        ("config = 'x.toml'", "unknown key 'config'"),
        ("output = 'x'", "'output' is given on the command line only (-o)"),
        ("dry_run = true", "'dry-run' is given on the command line only (-n)"),
        ("size = 0", "size = 0: should be greater than or equal to 1"),
        ("size = 1.5", "size = 1.5: should be a valid integer, got a number with a"),
        ("size = 'big'", 'size = "big": should be a valid integer'),
        ("size = true", "size = true: should not be true or false"),
        ("style_weight = true", "style-weight = true: should not be true or false"),
        ("style-weight = inf", "style-weight = Infinity: should be a finite number"),
        ("style-weight = -1", "style-weight = -1: should be greater than or equal to 0"),
        ("loss = 'gaty'", "loss = \"gaty\": should be 'relative', 'gatys', 'sum' or 'mean'"),
        ("overwrite = 'perhaps'", 'overwrite = "perhaps": should be a valid boolean'),
        ("model = 3", "model = 3: should be a valid string"),
        ("shard = '3/2'", 'shard = "3/2": should be I/N with I from 1 to N, auto, or auto/N'),
        ("timeout = 0", "timeout = 0: should be a number of seconds above 0"),
        ("memory = '4G'", 'memory = "4G": should be a size like 4GB or 1.5GiB, or bytes, from 1'),
        ("quality = 101", "quality = 101: should be less than or equal to 100"),
        ("learning-rate = 0", "learning-rate = 0: should be greater than 0"),
        ("learning-rate = 11", "learning-rate = 11: should be less than or equal to 10"),
        ("tolerance = 1", "tolerance = 1: should be less than 1"),
        ("seed = 9223372036854775808", "seed = 9223372036854775808: should be less than 922"),
        ("scales = 17", "scales = 17: should be 'auto' or a whole number from 1 to 16"),
        (
            "style-weight = 1\nstyle_weight = 2",
            "the key 'style-weight' is given twice, once as 'style_weight'",
        ),
        ("preset = 'drafd'", 'preset = "drafd": should be one of draft, default, '),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "nst.toml").write_text(content)
    with pytest.raises(InputError, match=f"^{re.escape(f'nst.toml: {message}')}") as error:
        settled(tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_errors_name_the_variable_or_the_flag(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^NST_STYLE_WEIGHT=much: should be a valid number"):
        settled(tmp_path, NST_STYLE_WEIGHT="much")
    with pytest.raises(
        InputError, match=r"^--shard 0/2: should be I/N with I from 1 to N, auto, or auto/N$"
    ):
        settled(tmp_path, {"shard": "0/2"})
    with pytest.raises(InputError, match=r"^--style-weight nan: should be a finite number$"):
        settled(tmp_path, {"style_weight": float("nan")})


@pytest.mark.parametrize("form", ["toml", "yaml"])
@pytest.mark.parametrize("number", ["1e5", "1E5", "1e+5", "100000.0"])
def test_powers_of_ten_are_numbers(tmp_path: Path, form: str, number: str) -> None:
    mark = ":" if form == "yaml" else " ="
    path = tmp_path / f"x.{form}"
    path.write_text(f"style-weight{mark} {number}\nsteps{mark} {number}\n")
    found = settled(tmp_path, {"config": str(path)})
    assert (found["style_weight"], found["steps"]) == (1e5, 100_000)
    assert type(found["steps"]) is int


def test_lists_everywhere(tmp_path: Path) -> None:
    (tmp_path / "nst.toml").write_text('include = ["*.jpg", "a,b"]\n[style-layers]\nrelu1_1 = 2')
    found = settled(tmp_path, {"exclude": ["x,y", "z"]})
    assert found["include"] == ("*.jpg", "a,b")
    assert found["exclude"] == ("x,y", "z")
    assert found["style_layers"] == "relu1_1=2.0"
    assert settled(tmp_path, NST_INCLUDE="*.png, *.gif")["include"] == ("*.png", "*.gif")


def test_an_empty_variable_is_none_and_an_unknown_one_is_remarked(tmp_path: Path) -> None:
    found = settled(tmp_path, NST_SIZE="", NST_STPES="3", NST_CACHE="/x", NST_XXXX="", HOME="/")
    assert found["size"] == 512
    assert found.remarks == (
        "the variable NST_STPES is unknown and ignored (did you mean NST_STEPS?)",
        "the variable NST_XXXX is unknown and ignored",
    )


def test_a_variable_for_what_only_a_flag_can_say_is_told_so(tmp_path: Path) -> None:
    assert settled(tmp_path, NST_OUTPUT="x").remarks == (
        "the variable NST_OUTPUT is ignored: 'output' is given on the command line only (-o)",
    )


def test_a_named_file_may_have_any_path(tmp_path: Path) -> None:
    (tmp_path / "nst.toml").touch()
    for name in ("~nobody-of-that-name/x.toml", f"{'x' * 300}.toml"):
        with pytest.raises(InputError, match="config file"):
            settled(tmp_path, {"config": name})
    (tmp_path / "circle.toml").symlink_to("circle.toml")
    with pytest.raises(InputError, match="cannot be read"):
        settled(tmp_path, {"config": str(tmp_path / "circle.toml")})


@pytest.mark.skipif(os.name == "nt", reason="no owners")
def test_a_file_of_another_user_is_taken_only_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nst.toml").write_text("overwrite = true")
    monkeypatch.setattr(files, "_owners", lambda path: {4_000_000_000})
    found = settled(tmp_path)
    assert (found["overwrite"], found.files) == (False, ())
    assert found.remarks == (
        "'nst.toml' belongs to another user and is not taken; -c 'nst.toml' takes it",
    )
    path = str(tmp_path / "nst.toml")
    for named in (settled(tmp_path, {"config": path}), settled(tmp_path, NST_CONFIG=path)):
        assert named["overwrite"] is True
        assert named.remarks == ()


def test_null_in_yaml_takes_an_option_back(tmp_path: Path) -> None:
    (tmp_path / "nst.toml").write_text("limit = 3")
    (tmp_path / "x.yaml").write_text("limit: null")
    found = settled(tmp_path, {"config": str(tmp_path / "x.yaml")})
    assert found.values["limit"].source == "x.yaml"
    assert found["limit"] is None
    (tmp_path / "nst.toml").write_text("shard = '1/4'\nstyle-layers = 'relu1'")
    (tmp_path / "x.yaml").write_text("shard: null\nstyle-layers: null")
    found = settled(tmp_path, {"config": str(tmp_path / "x.yaml")})
    assert (found["shard"], found["style_layers"]) == (None, None)
    (tmp_path / "x.yaml").write_text("size:")
    with pytest.raises(InputError, match=r"x\.yaml: size = null: should be a valid integer"):
        settled(tmp_path, {"config": str(tmp_path / "x.yaml")})


def test_the_lines_tell_what_is_not_default(tmp_path: Path) -> None:
    (tmp_path / "nst.toml").write_text("style-weight = 50\nshard = '1/4'\ninclude = ['a', 'b']")
    found = settled(tmp_path, {"preset": "draft", "overwrite": True}, NST_SEED="7")
    assert found.lines(SETTINGS) == [
        "include a,b (nst.toml)",
        "overwrite yes (command line)",
        "preset draft (command line)",
        "model squeezenet (preset draft)",
        "size 384 (preset draft)",
        "steps 120 (preset draft)",
        "style-weight 50 (nst.toml)",
        "dense no (preset draft)",
        "seed 7 (NST_SEED)",
        "shard 1/4 (nst.toml)",
    ]


def test_the_file_in_the_readme_is_one(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    (block,) = re.findall(r"```toml\n(# nst\.toml\n.*?)```", readme, re.DOTALL)
    (tmp_path / "nst.toml").write_text(block)
    found = settled(tmp_path)
    assert (found["preset"], found["size"]) == ("high", PRESETS["high"]["size"])
    assert found["style_weight"] == 100
    assert found["exclude"] == ("*_raw.*",)
    assert found["style_layers"] == "relu1_1=1.0,relu3_1=0.5"


def test_a_document_is_a_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "nst.toml").write_text("size = 7\nsteps = 7\nseed = 7")
    document = Document(tmp_path / "x.toml", {"size": 9, "steps": 9, "style_weight": 9})
    found = settle(SETTINGS, {"size": 11}, {"NST_STEPS": "10"}, tmp_path, document=document)
    assert (found["size"], found["steps"], found["style_weight"], found["seed"]) == (11, 10, 9.0, 7)
    assert [path.name for path in found.files] == ["x.toml", "nst.toml"]
    with pytest.raises(InputError, match=r"x\.toml: unknown key 'sise'"):
        settle(SETTINGS, {}, {}, tmp_path, document=Document(tmp_path / "x.toml", {"sise": 1}))
