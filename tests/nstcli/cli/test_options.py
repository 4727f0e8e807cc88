"""Groups of options: what a command shows, what it receives, what it says of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from nstcli.cli.app import app
from nstcli.cli.groups import Command, only, takes_groups
from nstcli.config.option import settings_of
from nstcli.config.options import (
    GROUPS,
    SETTINGS,
    ExecutionOptions,
    InputOptions,
    MessageOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.config.precedence import Document
from nstcli.config.shards import Shard
from nstcli.errors import InputError
from nstcli.images import DEFAULT_MAX_PIXELS

# One form of each option on the command line, and what the command receives for it.
GIVEN: dict[str, tuple[list[str], Any]] = {
    "recursive": (["-r"], True),
    "include": (["--include", "a,b", "--include", "c"], ("a,b", "c")),
    "exclude": (["--exclude", "*.gif"], ("*.gif",)),
    "pairs": (["--pairs", "zip"], "zip"),
    "limit": (["--limit", "3"], 3),
    "max_pixels": (["--max-pixels", "99"], 99),
    "strict": (["--strict"], True),
    "blend": (["--blend"], True),
    "style_mix": (["--style-mix", "5"], 5),
    "content_mask": (["--content-mask", "a.png", "--content-mask", "b"], ("a.png", "b")),
    "style_mask": (["--style-mask", "a.png"], ("a.png",)),
    "content_regions": (["--content-regions", "maps"], "maps"),
    "style_regions": (["--style-regions", "maps"], ("maps",)),
    "style_strength_map": (["--style-strength-map", "a.png"], "a.png"),
    "content_weight_map": (["--content-weight-map", "maps"], "maps"),
    "name": (["--name", "{style}"], "{style}"),
    "format": (["--format", "webp"], "webp"),
    "quality": (["--quality", "7"], 7),
    "bits": (["--bits", "16"], 16),
    "overwrite": (["--overwrite"], True),
    "force": (["-f"], True),
    "metadata": (["--no-metadata"], False),
    "save_every": (["--save-every", "10"], 10),
    "animation": (["--animation", "webp"], "webp"),
    "boomerang": (["--boomerang"], True),
    "animation_size": (["--animation-size", "99"], 99),
    "animation_seconds": (["--animation-seconds", "2"], 2.0),
    "gallery": (["--no-gallery"], False),
    "config": (["-c", "mine.toml"], Path("mine.toml")),
    "preset": (["--preset", "high"], "high"),
    "method": (["--method", "adain"], "adain"),
    "model": (["-m", "vgg16"], "vgg16"),
    "weights": (["--weights", "x.pth"], "x.pth"),
    "preprocessing": (["--preprocessing", "caffe"], "caffe"),
    "size": (["-s", "64"], 64),
    "style_scale": (["--style-scale", "2"], 2.0),
    "center_crop": (["--center-crop", "1920x1080"], "16x9"),
    "fit": (["--fit", "crop"], "crop"),
    "keep_size": (["--keep-size"], True),
    "steps": (["--steps", "5"], 5),
    "scales": (["--scales", "2"], 2),
    "content_weight": (["--content-weight", "0"], 0.0),
    "style_weight": (["--style-weight", "1e5"], 1e5),
    "nearest_weight": (["--nearest-weight", "9"], 9.0),
    "sliced_weight": (["--sliced-weight", "9"], 9.0),
    "tv_weight": (["--tv-weight", ".5"], 0.5),
    "content_layers": (["--content-layers", "relu4_2"], "relu4_2"),
    "style_layers": (["--style-layers", "a,b=2"], "a,b=2"),
    "nearest_layers": (["--nearest-layers", "a"], "a"),
    "sliced_layers": (["--sliced-layers", "a"], "a"),
    "loss": (["--loss", "gatys"], "gatys"),
    "tv": (["--tv", "l1"], "l1"),
    "dense": (["--no-dense"], False),
    "pooling": (["--pooling", "avg"], "avg"),
    "padding": (["--padding", "reflect"], "reflect"),
    "optimizer": (["--optimizer", "adam"], "adam"),
    "history": (["--history", "5"], 5),
    "learning_rate": (["--learning-rate", "0.1"], 0.1),
    "schedule": (["--schedule", "drop"], "drop"),
    "tolerance": (["--tolerance", "0.1"], 0.1),
    "init": (["--init", "noise"], "noise"),
    "init_noise": (["--init-noise", "0.5"], 0.5),
    "seed": (["--seed", "3"], 3),
    "colors": (["--colors", "luminance"], "luminance"),
    "alpha": (["--alpha", "0.5"], 0.5),
    "keep_faces": (["--keep-faces", "2"], 2.0),
    "device": (["--device", "cuda:0,cuda:1"], "cuda:0,cuda:1"),
    "precision": (["--precision", "float32"], "float32"),
    "jobs": (["-j", "4"], 4),
    "pairs_per_step": (["--pairs-per-step", "8"], 8),
    "tile": (["--tile", "512"], 512),
    "memory": (["--memory", "1.5 GiB"], 3 * 2**29),
    "fail_fast": (["--fail-fast"], True),
    "timeout": (["--timeout", "90"], 90.0),
    "shard": (["--shard", "2/8"], Shard(2, 8)),
    "backend": (["--backend", "process"], "process"),
    "address": (["--address", "10.0.0.1:6379"], "10.0.0.1:6379"),
    "gpus_per_worker": (["--gpus-per-worker", "0.5"], 0.5),
    "offline": (["--offline"], True),
    "quiet": (["-q"], True),
    "verbose": (["-v"], True),
    "as_json": (["--json"], True),
    "progress": (["--no-progress"], False),
    "color": (["--color", "never"], "never"),
}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command of all groups in `tmp_path` and gives what it received.

    `said` is what it printed; an error of ours comes through.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").touch()
    received: dict[str, Any] = {}

    @takes_groups
    def command(
        *,
        inputs: InputOptions,
        output: OutputOptions,
        recipe: RecipeOptions,
        execution: ExecutionOptions,
        messages: MessageOptions,
    ) -> None:
        for group in (inputs, output, recipe, execution, messages):
            received.update(vars(group))

    one = typer.Typer(add_completion=False)
    one.command()(command)

    def call(*arguments: str, **environment: str) -> dict[str, Any]:
        result = CliRunner().invoke(one, list(arguments), env=environment)
        if isinstance(result.exception, InputError):
            raise result.exception
        return {**received, "said": result.output, "code": result.exit_code}

    return call


def test_without_anything_all_is_default(run: Run) -> None:
    found = run()
    assert (found.pop("said"), found.pop("code")) == ("", 0)
    assert found == {setting.field: setting.default for setting in SETTINGS}


def test_every_option_has_its_case() -> None:
    assert list(GIVEN) == [setting.field for setting in SETTINGS]


@pytest.mark.parametrize("field", GIVEN)
def test_an_option_given_is_the_value_received(run: Run, field: str) -> None:
    arguments, value = GIVEN[field]
    found = run(*arguments)
    assert found["code"] == 0, found["said"]
    assert found[field] == value
    assert type(found[field]) is type(value)
    others = {s.field: s.default for s in SETTINGS if s.field != field}
    if field != "preset":
        assert {name: found[name] for name in others} == others


@pytest.mark.parametrize(
    ("line", "value", "paths"),
    [
        ("a b", 0.0, "a b"),
        ("--keep-faces a b", 1.0, "a b"),
        ("a --keep-faces b", 1.0, "a b"),
        ("a b --keep-faces", 1.0, "a b"),
        ("a b --keep-faces --steps 5", 1.0, "a b"),
        ("--keep-faces 2.5 a b", 2.5, "a b"),
        ("--keep-faces=0 a b", 0.0, "a b"),
        ("--keep-faces=1 3 4", 1.0, "3 4"),
    ],
)
def test_an_option_may_stand_without_a_value(line: str, value: float, paths: str) -> None:
    received: list[Any] = []

    @takes_groups
    def command(
        content: Annotated[str, typer.Argument()],
        style: Annotated[str, typer.Argument()],
        *,
        recipe: RecipeOptions,
    ) -> None:
        received.extend((recipe.keep_faces, f"{content} {style}"))

    one = typer.Typer(add_completion=False)
    one.command(cls=Command)(command)
    result = CliRunner().invoke(one, line.split())
    assert result.exit_code == 0, result.output
    assert received == [value, paths]


@pytest.mark.parametrize("field", [s.field for s in SETTINGS if s.type is bool])
def test_a_switch_can_be_turned_both_ways(run: Run, tmp_path: Path, field: str) -> None:
    (key,) = (setting.key for setting in SETTINGS if setting.field == field)
    for value in (True, False):
        (tmp_path / "nst.toml").write_text(f"{key} = {str(not value).lower()}")
        assert run()[field] is not value
        assert run(f"--{key}" if value else f"--no-{key}")[field] is value


def test_verbose_says_which_file_and_where_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nst.toml").write_text("style-weight = 50\nverbose = true")
    said = run("--preset", "draft", NST_SEED="7", NST_STPES="1")["said"].splitlines()
    assert said == [
        "warning: the variable NST_STPES is unknown and ignored (did you mean NST_STEPS?)",
        f"settings are read from {tmp_path / 'nst.toml'}",
        "preset draft (command line)",
        "model squeezenet (preset draft)",
        "size 384 (preset draft)",
        "steps 120 (preset draft)",
        "style-weight 50 (nst.toml)",
        "dense no (preset draft)",
        "seed 7 (NST_SEED)",
        "verbose yes (nst.toml)",
    ]
    assert run("--no-verbose")["said"] == ""


def test_the_nearest_file_named_once_more_is_read_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nst.toml").write_text("steps = 7\n")
    said = run("-v", "-c", "nst.toml")["said"]
    assert said.count("settings are read from") == 1
    assert "steps 7 (nst.toml)" in said


def test_a_wrong_value_of_our_own_form_is_named(run: Run) -> None:
    with pytest.raises(
        InputError, match=r"^--shard 3/2: should be I/N with I from 1 to N, auto, or auto/N$"
    ):
        run("--shard", "3/2")
    with pytest.raises(InputError, match=r"^--timeout 0: should be a number of seconds above 0$"):
        run("--timeout", "0")
    assert run("--size", "0")["code"] == 2
    assert run("--loss", "gaty")["code"] == 2


def test_a_command_has_the_options_it_takes_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nst.toml").write_text("jobs = 4\nprecision = 'float32'\nsize = 9")
    received: list[ExecutionOptions] = []

    @takes_groups
    def command(
        path: Annotated[Path, typer.Argument()],
        *,
        execution: Annotated[ExecutionOptions, only("device", "precision")],
    ) -> None:
        received.append(execution)

    one = typer.Typer(add_completion=False)
    one.command()(command)
    assert CliRunner().invoke(one, ["x", "--device", "cpu"]).exit_code == 0
    # What it does not offer keeps its default, whatever a file says.
    assert received == [ExecutionOptions(device="cpu", precision="float32")]
    refused = CliRunner().invoke(one, ["x", "--jobs", "3"])
    assert refused.exit_code == 2
    assert {p.name for p in typer.main.get_command(one).params} == {"path", "device", "precision"}


def test_what_a_command_does_not_offer_files_may_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the command's own document is, come before the nearest."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nst.toml").write_text("jobs = 4\nprecision = 'float32'\nverbose = true")
    received: list[ExecutionOptions] = []

    def command(
        path: Annotated[Path, typer.Argument()],
        *,
        execution: Annotated[ExecutionOptions, only("device", others=True)],
        messages: Annotated[MessageOptions, only("verbose")],
    ) -> None:
        received.append(execution)

    one = typer.Typer(add_completion=False)
    one.command()(takes_groups(command, lambda values: Document(values["path"], {"jobs": 2})))
    result = CliRunner().invoke(one, ["x.toml", "--device", "cpu"])
    assert received == [ExecutionOptions(device="cpu", precision="float32", jobs=2)]
    assert "jobs 2 (x.toml)" in result.output
    assert CliRunner().invoke(one, ["x.toml", "--jobs", "3"]).exit_code == 2


def test_only_what_a_group_has_can_be_offered() -> None:
    def command(*, execution: Annotated[ExecutionOptions, only("device", "sped")]) -> None: ...

    with pytest.raises(TypeError, match="ExecutionOptions has no sped"):
        takes_groups(command)


def test_the_commands_show_options_by_the_name_that_files_have() -> None:
    """Flags, variables and keys are one set of names."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    keys = {setting.field: setting.key for setting in SETTINGS}
    batch = {p.name: p for p in commands["batch"].params}
    assert set(keys) <= set(batch)
    for name in ("batch", "stylize"):
        for parameter in commands[name].params:
            if parameter.name in keys:
                assert f"--{keys[parameter.name]}" in parameter.opts
                assert parameter.default is None


def test_what_can_look_in_tiles_can_be_told_for_which_memory() -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {name: {p.name for p in getattr(c, "params", ())} for name, c in commands.items()}
    tiling = {name for name, own in options.items() if "tile" in own}
    assert tiling >= {"batch", "stylize", "texture", "invert", "run", "compare-backbones"}
    assert tiling == {name for name, own in options.items() if "memory" in own}


def test_help_tells_the_default_of_each_option() -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    batch = {p.name: p for p in commands["batch"].params}
    for setting in SETTINGS:
        if setting.default not in (None, False, ()) or type(setting.default) in {int, float}:
            told = "on" if setting.default is True else setting.default
            assert batch[setting.field].help.endswith(f" ({told})")
    assert f"({DEFAULT_MAX_PIXELS})" in batch["max_pixels"].help
    assert InputOptions().max_pixels == DEFAULT_MAX_PIXELS


def test_all_groups_are_settings() -> None:
    assert settings_of(*GROUPS) == SETTINGS
