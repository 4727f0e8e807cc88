"""The library does what the commands do, and is a good guest in the program that calls it."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import nstcli
from backbones import BackboneError
from nstcli.config.options import (
    GUIDES,
    ExecutionOptions,
    InputOptions,
    OutputOptions,
    RecipeOptions,
)
from nstcli.errors import InputError, NstError, StoppedError
from nstcli.images import decode, encode, read_metadata
from nstcli.images.memory import array_of
from nstcli.recipe import DEFAULT
from nstcli.results.folder import Store
from nstcli.run.events import PairStep
from tests.conftest import Plugin, draw
from tests.nstcli.cli import conftest as cli
from tests.nstcli.cli.conftest import Nst
from tests.nstcli.images.profiles import ADOBE_RGB, rgb_profile

folders, nst = cli.folders, cli.nst  # fixtures

ROOT = Path(__file__).parents[2]
FAST: dict[str, Any] = {"model": "tiny", "size": 32, "steps": 3, "precision": "float32"}
FLAGS = ("-m", "tiny", "--size", "32", "--steps", "3", "--precision", "float32")
NAMES = {f"{a}__{b}.png" for a in ("cat", "dog") for b in ("ink", "wave")}
CONTENT, STYLE = draw(24, 32, 1), draw(28, 28, 3)


@pytest.fixture(autouse=True)
def _in_a_folder(
    tiny_plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Work below `tmp_path`, with a place for temporary files, where ours shall not stay."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield
    assert list(scratch.glob("nst-*")) == []  # torch has a folder of its own there
    assert [t for t in threading.enumerate() if t.name == "nstcli.batch"] == []


def python(
    script: str, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# The module.


@pytest.mark.parametrize(
    "work", ["", "nstcli.stylize; nstcli.batch; nstcli.Result", "nstcli.layers('tiny')",
             "nstcli.backbones()"]
)  # fmt: skip
def test_torch_is_not_imported_before_there_is_something_to_make(work: str) -> None:
    ended = python(f"import sys, nstcli; {work}\nassert 'torch' not in sys.modules")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_bare_import_is_light() -> None:
    ended = python("import sys, nstcli\nprint([m for m in ('numpy', 'PIL', 'pydantic')"
                   " if m in sys.modules])")  # fmt: skip
    assert ended.stdout == "[]\n"


def test_the_module_has_the_names_it_tells_and_no_others() -> None:
    functions = {
        *("animate", "backbones", "batch", "experiment", "invert", "layers", "stylize", "texture"),
        "train",
    }
    assert set(nstcli.__all__) == {"Experiment", "Result", "Trained", *functions}
    assert set(nstcli.__all__) <= set(dir(nstcli))
    assert "__version__" in dir(nstcli)
    with pytest.raises(AttributeError, match="module 'nstcli' has no attribute 'stylise'"):
        nstcli.stylise  # type: ignore[attr-defined]  # noqa: B018
    everything: dict[str, object] = {}
    exec("from nstcli import *", everything)
    assert set(nstcli.__all__) <= set(everything)


def test_no_submodule_takes_the_place_of_a_function() -> None:
    script = """
import importlib, pkgutil, nstcli
for found in pkgutil.walk_packages(nstcli.__path__, "nstcli."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print(all(callable(getattr(nstcli, name)) for name in nstcli.__all__))
"""
    ended = python(script)
    assert ended.stdout == "True\n", ended.stderr


def test_layers_and_backbones() -> None:
    assert "tiny" in {backbone.name for backbone in nstcli.backbones()}
    assert [layer.name for layer in nstcli.layers("tiny")][:2] == ["conv1", "relu1"]
    with pytest.raises(BackboneError, match="did you mean 'tiny'"):
        nstcli.layers("tinny")


def test_a_broken_plugin_is_left_out_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.conftest import install

    install(tmp_path / "broken", "broken", "raise ImportError('so it is')")
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    assert "broken" not in {backbone.name for backbone in nstcli.backbones()}
    assert "so it is" in caplog.text


# What stylize takes.


@pytest.fixture(scope="module")
def _site(tiny_distribution: Path) -> Iterator[None]:
    sys.path.insert(0, str(tiny_distribution))
    yield
    sys.path.remove(str(tiny_distribution))


@pytest.fixture(scope="module")
def expected(_site: None) -> NDArray[np.uint8]:
    """The pixels of the pair that most tests make."""
    return nstcli.stylize(CONTENT, STYLE, **FAST).array


def put(name: str, array: NDArray[np.uint8]) -> Path:
    Path(name).write_bytes(encode(array, format=Path(name).suffix.lstrip(".")))
    return Path(name)


def tensor(array: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(array).permute(2, 0, 1) / 255


@pytest.mark.parametrize(
    "given",
    [
        lambda a: put("a.png", a),
        lambda a: str(put("a.tiff", a)),
        lambda a: put("a.png", a).absolute(),
        lambda a: str(put("a.png", a).with_name("a.p*")),
        Image.fromarray,
        lambda a: Image.open(put("a.png", a)),
        lambda a: a,
        lambda a: a / 255,
        lambda a: (a / 255).astype(np.float32),
        tensor,
        lambda a: tensor(a)[None],
        lambda a: tensor(a).requires_grad_(),
        lambda a: torch.from_numpy(a).permute(2, 0, 1),
    ],
    ids=["path", "str", "absolute", "pattern", "image", "opened", "uint8", "float64", "float32",
         "tensor", "batched", "with gradient", "uint8 tensor"],
)  # fmt: skip
def test_a_picture_in_any_form_gives_the_same_result(
    given: Callable[[NDArray[np.uint8]], object], expected: NDArray[np.uint8]
) -> None:
    picture = given(CONTENT)
    result = nstcli.stylize(picture, STYLE, **FAST)
    if isinstance(picture, Image.Image):
        picture.close()
    assert np.array_equal(result.array, expected)
    assert result.record
    assert result.record.input("style").path == "style.png"


def odd_images() -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    image = Image.fromarray(CONTENT)
    clear = image.copy()
    clear.putalpha(Image.fromarray(np.tile(np.arange(32, dtype=np.uint8) * 8, (24, 1))))
    for mode in ("1", "L", "CMYK", "I", "F"):
        kind = "PNG" if mode in {"1", "L"} else "TIFF"
        yield mode, image.convert(mode), {"format": kind}
    yield "LA", clear.convert("LA"), {"format": "PNG"}
    yield "RGBA", clear, {"format": "PNG"}
    yield "P", image.quantize(16), {"format": "PNG", "transparency": 3}
    sixteen = Image.fromarray(CONTENT[..., 0].astype(np.uint16) * 257)
    yield "I;16", sixteen, {"format": "PNG"}
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "turned", image, {"format": "JPEG", "exif": turned.tobytes(), "quality": 100}
    yield "profile", image, {"format": "PNG", "icc_profile": rgb_profile(ADOBE_RGB, 2.2)}


ODD = list(odd_images())


@pytest.mark.parametrize(("image", "how"), [each[1:] for each in ODD], ids=[o[0] for o in ODD])
def test_an_odd_image_gives_what_its_file_gives(image: Image.Image, how: dict[str, Any]) -> None:
    image.save("a.file", **how)
    from_file = nstcli.stylize("a.file", STYLE, **FAST)
    with Image.open("a.file") as opened:
        result = nstcli.stylize(opened, STYLE, **FAST)
    assert result.image.tobytes() == from_file.image.tobytes()
    assert result.image.mode == from_file.image.mode


def test_what_is_clear_stays_so_where_the_format_can_hold_it() -> None:
    clear = Image.fromarray(CONTENT)
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    result = nstcli.stylize(clear, STYLE, **FAST)
    assert (result.image.mode, result.array.shape) == ("RGBA", (24, 32, 3))
    for name, mode in (("a.png", "RGBA"), ("a.webp", "RGBA"), ("a.tiff", "RGBA"), ("a.jpg", "RGB")):
        with Image.open(result.save(name)) as image:
            assert image.mode == mode
    with Image.open(io.BytesIO(result._repr_png_() or b"")) as shown:
        assert shown.mode == "RGBA"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((4, 4)), "H, W, 3"),
        (np.full((4, 4, 3), np.nan), "0, 1"),
        (np.zeros((4, 4, 3), np.int32), "not int32"),
        (torch.zeros(4, 4, 3), "3, H, W"),
        (None, "not NoneType"),
        (b"x", "not bytes"),
        ("gone.png", "no such file or folder: 'gone.png'"),
        ("empty", "no pictures in the folder"),
        (Path("text.png"), "text.png: not an image"),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(content: object, message: str) -> None:
    Path("text.png").write_text("hello")
    Path("empty").mkdir()
    with pytest.raises(InputError, match=message):
        nstcli.stylize(content, STYLE, **FAST)
    with pytest.raises(InputError, match=message):
        nstcli.stylize(CONTENT, content, **FAST)


def test_several_pictures_are_for_a_batch(folders: None) -> None:
    with pytest.raises(InputError, match=r"'photos' is several pictures; .* nstcli\.batch"):
        nstcli.stylize("photos", STYLE, **FAST)


def test_errors_name_pictures_in_memory_without_the_folder_that_held_them() -> None:
    with pytest.raises(InputError, match=r"^content\.png: image has 768 pixels"):
        nstcli.stylize(CONTENT, STYLE, max_pixels=700, **FAST)
    with pytest.raises(NstError, match=r"^style\.png: 4×4 px is too small"):
        nstcli.stylize(CONTENT, STYLE[:4, :4], **FAST)
    with pytest.raises(NstError, match="not done after"):
        nstcli.stylize(CONTENT, STYLE, timeout=1e-6, **FAST)


@pytest.mark.parametrize(
    "switched",
    [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu")],
    ids=["no_grad", "inference_mode", "autocast"],
)
def test_what_the_caller_has_switched_in_torch_changes_nothing(
    switched: Callable[[], Any], expected: NDArray[np.uint8]
) -> None:
    with switched():
        before = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
        found = nstcli.stylize(tensor(CONTENT), tensor(STYLE), **FAST).array
        assert (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")) == before
    assert np.array_equal(found, expected)


# What stylize gives.


@pytest.mark.parametrize(
    ("name", "how", "flags"),
    [
        ("a.png", {}, ()),
        ("a.png", {"quality": 10}, ("--quality", "10")),
        ("a.png", {"metadata": False}, ("--no-metadata",)),
        ("a.jpg", {}, ()),
        ("a.jpeg", {"quality": 40}, ("--quality", "40")),
        ("a.JPG", {"metadata": False}, ("--no-metadata",)),
        ("a.webp", {}, ()),
        ("a.webp", {"quality": 1, "metadata": False}, ("--quality", "1", "--no-metadata")),
        ("a.tif", {}, ()),
        ("a.tiff", {"metadata": False}, ("--no-metadata",)),
    ],
)
def test_a_saved_picture_has_the_bytes_of_the_command(
    nst: Nst,
    folders: None,
    name: str,
    how: dict[str, Any],
    flags: tuple[str, ...],
) -> None:
    result = nstcli.stylize("photos/cat.png", "art/ink.png", **FAST)
    assert result.save(name, **how) == Path(name)
    ended = nst("stylize", "photos/cat.png", "art/ink.png", "-o", f"by-{name}", *FLAGS, *flags)
    assert ended.code == 0, ended.err
    assert Path(name).read_bytes() == Path(f"by-{name}").read_bytes()


def test_saving_replaces_a_file_but_no_input(folders: None) -> None:
    result = nstcli.stylize("photos/cat.png", "art/ink.png", **FAST)
    before = Path("photos/cat.png").read_bytes()
    for name in ("photos/cat.png", "photos/../photos/cat.png", Path("art/ink.png").absolute()):
        with pytest.raises(InputError, match="is an input"):
            result.save(name)
    assert Path("photos/cat.png").read_bytes() == before
    Path("a.png").write_text("old")
    assert result.save("a.png").read_bytes() == result.data
    for name in ("a", "a.gif", "a.png.txt", ""):
        with pytest.raises(InputError, match="end the name in one of"):
            result.save(name)
    for quality in (0, 101, -1):
        with pytest.raises(InputError, match=f"quality={quality}"):
            result.save("a.jpg", quality=quality)
    with pytest.raises(OSError, match="No such file"):
        result.save("gone/a.png")


def test_a_result_says_what_it_is() -> None:
    result = nstcli.stylize(draw(700, 40, 1), STYLE, **{**FAST, "size": 700, "steps": 1})
    assert repr(result) == "<Result content.png × style.png: made>"
    assert {result: 1}[result] == 1
    with Image.open(io.BytesIO(result._repr_png_() or b"")) as shown:
        assert (shown.format, max(shown.size)) == ("PNG", 512)
    assert (result.image.size, result.error, result.path, result.cached) == (
        (40, 700),
        "",
        None,
        False,
    )
    assert [each.path for each in result.record.inputs] == ["content.png", "style.png"]  # type: ignore[union-attr]
    assert str(tempfile.gettempdir()) not in result.record.model_dump_json()  # type: ignore[union-attr]


# Steps and ends.


def test_every_step_is_heard_of() -> None:
    steps: list[PairStep] = []
    result = nstcli.stylize(CONTENT, STYLE, on_step=steps.append, **FAST)  # type: ignore[func-returns-value]
    assert [(each.step, each.steps) for each in steps] == [(1, 3), (2, 3), (3, 3)]
    assert steps[-1].done == 1
    assert result.record
    assert not result.record.stopped


def test_a_stopped_result_is_the_best_so_far_and_never_passes_for_the_whole(
    nst: Nst,
    folders: None,
) -> None:
    options = {**FAST, "steps": 500}
    result = nstcli.stylize(
        "photos/cat.png", "art/ink.png", on_step=lambda step: step.step >= 2, **options
    )
    assert result.record
    assert result.record.stopped
    assert result.record.steps < 500
    command = ("stylize", "photos/cat.png", "art/ink.png", *FLAGS[:-4], "--steps", "500",
               "--precision", "float32")  # fmt: skip
    for name in ("a.png", "a.jpg"):
        result.save(name)
        key = json.loads(read_metadata(Path(name).read_bytes())["nst"])["key"]
        assert key.endswith("-stopped")
    # As with what its own Ctrl-C left: the command makes it anew without being asked.
    assert nst(*command, "-o", "a.png").code == 0
    assert Path("a.png").read_bytes() != result.data


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_what_a_listener_raises_passes_through(error: type[BaseException]) -> None:
    def fail(step: PairStep) -> bool:
        raise error

    with pytest.raises(error):
        nstcli.stylize(CONTENT, STYLE, on_step=fail, **FAST)


def test_ctrl_c_after_an_end_was_asked_for_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    from nstcli.run import worker

    def interrupted(*arguments: object, **options: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "encoded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nstcli.stylize(CONTENT, STYLE, on_step=lambda step: True, **FAST)


def test_stylize_works_in_any_thread(expected: NDArray[np.uint8]) -> None:
    found: list[NDArray[np.uint8]] = []
    threads = [
        threading.Thread(target=lambda: found.append(nstcli.stylize(CONTENT, STYLE, **FAST).array))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(np.array_equal(each, expected) for each in found)


# Options.


def test_every_field_of_the_recipe_is_an_option() -> None:
    given = {name: value for name, value in DEFAULT.items() if name not in FAST}
    assert len(given) > 10
    result = nstcli.stylize(CONTENT, STYLE, **FAST, **given)
    plain = nstcli.stylize(CONTENT, STYLE, **FAST)
    assert result.data == plain.data
    other = {"style_weight": 7, "content_weight": 2.5, "tv_weight": 1, "loss": "mean", "seed": 4,
             "style_layers": "relu1,relu2=0.5", "content_layers": {"relu3": 1}, "tv": "l1",
             "optimizer": "adam", "learning_rate": 0.1, "schedule": "drop", "tolerance": 0.1,
             "init": "noise", "scales": 1, "pooling": "avg", "padding": "circular", "dense": False,
             "preprocessing": "own", "weights": "other",
             "center_crop": "1x1", "fit": "crop", "keep_size": True, "colors": "match",
             "style_scale": 2, "keep_faces": 0.0,
             "nearest_weight": 2, "nearest_layers": {"relu2": 1},
             "sliced_weight": 0.5, "sliced_layers": {"relu2": 1}, "init_noise": 0.5, "history": 5,
             "method": "optimize", "alpha": 0.5}  # fmt: skip
    assert set(other) == set(given)
    record = nstcli.stylize(CONTENT, STYLE, **FAST, **other).record
    assert record
    recipe = record.recipe
    assert recipe["style_layers"] == {"relu1": 1.0, "relu2": 0.5}
    assert "alpha" not in recipe  # which means nothing to this method
    for name in set(other) - {"style_layers", "weights", "alpha"}:
        assert recipe[name] == other[name], name


@pytest.mark.parametrize(
    "layers", ["relu1,relu2", ["relu1", "relu2"], ("relu1", "relu2"), {"relu1": 1, "relu2": 1.0}]
)
def test_layers_in_every_form(layers: object) -> None:
    record = nstcli.stylize(CONTENT, STYLE, style_layers=layers, **FAST).record
    assert record
    assert record.recipe["style_layers"] == {"relu1": 1.0, "relu2": 1.0}


def test_weights_may_be_a_path(expected: NDArray[np.uint8]) -> None:
    from tests import tiny

    torch.save(tiny.random_state(), "w.pth")
    assert np.array_equal(
        nstcli.stylize(CONTENT, STYLE, weights=Path("w.pth"), **FAST).array, expected
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, r"^steps=0: should be greater than or equal to 1$"),
        ({"steps": 2.5}, r"^steps=2\.5: "),
        ({"steps": True}, r"^steps=True: should not be true"),
        ({"style_weight": -1}, r"^style_weight=-1: "),
        ({"style_weight": float("nan")}, r"^style_weight=nan: "),
        ({"learning_rate": 0}, r"^learning_rate=0: "),
        ({"loss": "gatis"}, r"^loss='gatis': should be 'relative'"),
        ({"preset": "drafty"}, r"^preset='drafty': "),
        ({"timeout": 0}, r"^timeout=0: "),
        ({"style_layers": {}}, r"^style_layers={}: "),
        ({"max_pixels": 0}, r"^max_pixels=0: "),
        ({"memory": 4}, r"^memory=4: should be a size like 4GB"),
        ({"stepss": 3}, r"unknown option 'stepss' \(did you mean 'steps'\?\)"),
        ({"style-weight": 3}, r"unknown option 'style-weight' \(did you mean 'style_weight'\?\)"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict[str, Any], message: str) -> None:
    put("a.png", CONTENT)
    with pytest.raises(InputError, match=message):
        nstcli.stylize(CONTENT, STYLE, **{**FAST, **options})
    with pytest.raises(InputError, match=message):
        nstcli.batch("a.png", "a.png", output="out", **{**FAST, **options})
    assert not Path("out").exists()


def test_no_more_memory_is_taken_than_allowed() -> None:
    assert nstcli.stylize(CONTENT, STYLE, memory=2**50, **FAST).record
    with pytest.raises(NstError, match="out of memory at 32 px"):  # python alone takes more
        nstcli.stylize(CONTENT, STYLE, memory="1 MB", **FAST)


def test_unknown_names_are_told_with_those_that_there_are() -> None:
    with pytest.raises(BackboneError, match="did you mean 'tiny'"):
        nstcli.stylize(CONTENT, STYLE, **{**FAST, "model": "tinny"})
    with pytest.raises(BackboneError, match="unknown layer 'relu9'"):
        nstcli.stylize(CONTENT, STYLE, style_layers="relu9", **FAST)
    with pytest.raises(InputError, match="no device 'abacus' here"):
        nstcli.stylize(CONTENT, STYLE, device="abacus", **FAST)


def test_what_belongs_to_a_batch_is_refused_for_one_picture() -> None:
    of_one = {f.name for f in dataclasses.fields(RecipeOptions)} | {
        "bits", "device", "precision", "tile", "memory", "timeout", "offline", "max_pixels",
        "animation", "boomerang", "animation_size", "animation_seconds", *GUIDES}  # fmt: skip
    for group in (InputOptions, OutputOptions, ExecutionOptions):
        for field in dataclasses.fields(group):
            if field.name not in of_one:
                with pytest.raises(InputError, match=f"the option '{field.name}' has no meaning"):
                    nstcli.stylize(CONTENT, STYLE, **{field.name: field.default or 1})


def test_none_is_the_default_and_a_preset_is_a_start() -> None:
    nothing: dict[str, Any] = dict.fromkeys(set(DEFAULT) - set(FAST))
    record = nstcli.stylize(CONTENT, STYLE, **FAST, **nothing, preset=None, device=None).record
    assert record
    assert record.recipe["seed"] == 0
    record = nstcli.stylize(
        CONTENT,
        STYLE,
        preset="gatys",
        **FAST,
        weights="random",
        init="content",
        style_layers="relu1",
    ).record
    assert record
    recipe = record.recipe
    assert (recipe["loss"], recipe["pooling"], recipe["scales"]) == ("gatys", "avg", 1)
    assert (recipe["steps"], recipe["init"]) == (3, "content")


def test_neither_the_environment_nor_a_config_file_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
    folders: None,
) -> None:
    monkeypatch.setenv("NST_STYLE_WEIGHT", "99")
    monkeypatch.setenv("NST_STEPS", "nonsense")
    Path("nst.toml").write_text("seed = 9\nno-such-key = 1\n")
    single = nstcli.stylize(CONTENT, STYLE, **FAST)
    (several,) = nstcli.batch("photos/cat.png", "art/ink.png", output="out", **FAST)
    for result in (single, several):
        assert result.record
        assert (result.record.recipe["style_weight"], result.record.recipe["seed"]) == (30, 0)
    Path("named.toml").write_text("seed = 9\n")
    record = nstcli.stylize(CONTENT, STYLE, config="named.toml", **FAST).record
    assert record
    assert record.recipe["seed"] == 9


# Batches.


def batch(**options: Any) -> Iterator[nstcli.Result]:
    return nstcli.batch("photos", "art", **{"output": "out", **FAST, **options})


def results(folder: str = "out") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).glob("*__*")}


def whole(nst: Nst, folder: str = "whole", *flags: str) -> dict[str, bytes]:
    ended = nst("batch", "photos", "art", "-o", folder, *FLAGS, *flags)
    assert ended.code == 0, ended.err
    return results(folder)


def told(folder: str) -> list[tuple[str, object]]:
    lines = (Path(folder) / ".nst/events.jsonl").read_text().splitlines()
    return [(event["event"], event.get("result")) for event in map(json.loads, lines)]


def steady(folder: str) -> dict[str, object]:
    """What of the files of a batch does not depend on time."""
    root = Path(folder)
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = re.sub(r"run-.*\.log", "run.log", path.relative_to(root).as_posix())
        found[name] = None
        if "pairs" in path.parts and path.is_file():
            record = json.loads(path.read_bytes())
            for volatile in ("seconds", "peak_memory"):
                record.pop(volatile)
            record["figures"] = {
                name: value for name, value in record["figures"].items() if "step" not in name
            }
            found[name] = record
    return found


def test_a_batch_leaves_what_the_command_leaves(nst: Nst, folders: None) -> None:
    made = list(batch())
    assert {result.path.name for result in made if result.path} == NAMES
    assert not any(result.cached or result.error for result in made)
    assert results() == whole(nst)
    assert steady("out") == steady("whole")
    assert told("out") == told("whole")
    ours, theirs = (json.loads((Path(f) / "manifest.json").read_text()) for f in ("out", "whole"))
    assert ours.keys() == theirs.keys()
    assert [each["key"] for each in ours["results"]] == [each["key"] for each in theirs["results"]]
    assert all(name in Path("out/index.html").read_text() for name in NAMES)
    for result in made:
        assert result.path
        assert result.data == result.path.read_bytes()
        assert result.array.shape == (*result.image.size[::-1], 3)
        assert re.fullmatch("<Result .* × .*: out/.*>", repr(result))
    ended = nst("batch", "photos", "art", "-o", "out", *FLAGS)
    assert (ended.code, "4 cached" in ended.err) == (0, True)


@pytest.mark.parametrize("count", range(5))
def test_a_batch_that_is_left_goes_on_where_it_was(
    nst: Nst,
    folders: None,
    count: int,
) -> None:
    with closing(batch(gallery=False)) as work:  # type: ignore[type-var]
        first = [next(work) for _ in range(count)]
    assert len({result.path for result in first}) == count
    before = results()
    assert count <= len(before) <= min(4, count + 2)
    again = list(batch())
    assert sorted(r.path.name for r in again if r.path) == sorted(NAMES)
    cached = [result.cached for result in again]
    assert cached == sorted(cached, reverse=True)
    assert sum(cached) == len(before)
    assert results() == whole(nst)


@pytest.mark.parametrize("count", [1, 3])
def test_the_command_and_the_library_go_on_with_each_other_s_work(
    nst: Nst,
    folders: None,
    count: int,
) -> None:
    for _, result in zip(range(count), batch(), strict=False):
        assert result.record
    ended = nst("batch", "photos", "art", "-o", "out", *FLAGS)
    assert ended.code == 0
    assert f"{len(NAMES)} pairs" in ended.err
    assert results() == whole(nst)
    nst("batch", "photos", "art", "-o", "other", *FLAGS, "--limit", str(count))
    assert [result.cached for result in batch(output="other")] == [True] * count + [False] * (
        4 - count
    )
    assert results("other") == results("whole")


def test_leaving_the_loop_by_an_error_ends_it_in_order(folders: None) -> None:
    def consume() -> None:
        for _ in batch(steps=50):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert [t.name for t in threading.enumerate() if t.name == "nstcli.batch"] == []
    assert Store(Path("out")).locks.any_held() is False
    assert 1 <= len(results()) <= 2
    assert Path("out/manifest.json").exists()
    made = len(results())
    assert sum(result.cached for result in batch(steps=50)) == made
    assert set(results()) == NAMES


def test_a_generator_that_is_never_started_does_nothing(folders: None) -> None:
    work = batch()
    assert not Path("out").exists()
    work.close()  # type: ignore[attr-defined]
    del work
    batch()
    assert not Path("out").exists()
    assert not any(t.name == "nstcli.batch" for t in threading.enumerate())


def test_failures_are_results_and_stop_nobody(nst: Nst, folders: None) -> None:
    Path("photos/bad.png").write_bytes(b"<html>")
    made = list(batch())
    failed = [result for result in made if result.error]
    assert len(made) == 6
    assert {r.pair.output for r in failed} == {"bad__ink.png", "bad__wave.png"}
    for result in failed:
        assert "starts like a web page" in result.error
        assert (result.record, result.path, result._repr_png_()) == (None, None, None)
        assert "\n" not in repr(result)
        assert "web page" in repr(result)
        for use in (lambda r: r.image, lambda r: r.array, lambda r: r.data,
                    lambda r: r.save("a.png")):  # fmt: skip
            with pytest.raises(NstError, match=r"bad\.png × .*web page"):
                use(result)
    assert set(results()) == NAMES
    assert not Path("a.png").exists()
    again = list(batch())
    assert [result.cached for result in again] == [True] * 4 + [False] * 2
    assert nst("batch", "photos", "art", "-o", "out", *FLAGS).code == 1


def test_a_picture_whose_file_is_gone_is_told(folders: None) -> None:
    (result,) = batch(limit=1)
    assert result.path
    result.path.unlink()
    with pytest.raises(NstError, match=r"cannot read 'out/cat__ink.png': No such file"):
        result.data  # noqa: B018


def test_strict_makes_nothing(folders: None) -> None:
    Path("photos/bad.png").write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"web page.*strict=True makes nothing then"):
        batch(strict=True)
    assert not Path("out").exists()


def test_fail_fast_yields_the_failure_and_raises(folders: None) -> None:
    seen: list[nstcli.Result] = []
    with pytest.raises(StoppedError, match="stopped at the first failure"):
        seen.extend(batch(fail_fast=True, timeout=1e-6))
    seen.clear()
    work = batch(fail_fast=True, timeout=1e-6)
    seen.append(next(work))
    assert "not done after" in seen[0].error
    with pytest.raises(StoppedError):
        next(work)
    assert results() == {}


def test_a_full_disk_ends_it(folders: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(store: Store, *arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "save", full)
    with pytest.raises(StoppedError, match="cannot write to 'out': No space left"):
        list(batch())


def test_parts_names_and_formats(nst: Nst, folders: None) -> None:
    parts = [[r.pair.output for r in batch(shard=f"{n}/3", output=f"part{n}")] for n in (1, 2, 3)]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert {name for part in parts for name in part} == NAMES
    assert [r.pair.output for r in batch(pairs="zip", output="zip")] == [
        "cat__ink.png", "dog__wave.png"]  # fmt: skip
    assert [r.pair.output for r in batch(limit=1, output="one")] == ["cat__ink.png"]
    (named,) = batch(limit=1, name="{style}/{content}-{model}", format="jpg", output="named")
    assert named.path == Path("named/ink/cat-tiny.jpg")
    assert nst("batch", "photos", "art", "-o", "named", *FLAGS, "--limit", "1", "--format", "jpg",
               "--name", "{style}/{content}-{model}").code == 0  # fmt: skip
    assert list(batch(exclude="cat*", include=("*.png",), output="dogs")) != []
    assert {name[:3] for name in results("dogs")} == {"dog"}


def test_several_inputs(folders: None) -> None:
    work = nstcli.batch(["photos/dog.png", Path("photos/cat.png")], (p for p in ["art/*.png"]),  # type: ignore[arg-type]
                        output="out", **FAST)  # fmt: skip
    assert [result.pair.output[:3] for result in work] == ["dog", "dog", "cat", "cat"]
    assert set(results()) == NAMES
    for wrong in (7, b"photos", Image.new("RGB", (9, 9)), [CONTENT], ["photos", None]):
        with pytest.raises(InputError, match="takes paths"):
            nstcli.batch(wrong, "art", **FAST)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no pictures were named"):
        nstcli.batch([], "art", **FAST)
    with pytest.raises(InputError, match="no such file or folder: 'gone'"):
        nstcli.batch(["photos", "gone"], "art", **FAST)
    with pytest.raises(InputError, match="holds the inputs"):
        batch(output="photos")


def test_results_in_the_way_are_told_before_anything_is_made(folders: None) -> None:
    list(batch())
    before = results()
    with pytest.raises(InputError, match=r"made with other settings.*overwrite=True replaces them"):
        batch(steps=4)
    assert results() == before
    assert not any(result.cached for result in batch(steps=4, overwrite=True))
    assert all(results()[name] != before[name] for name in NAMES)
    assert not any(result.cached for result in batch(steps=4, force=True))


def test_what_is_left_out_is_logged(
    folders: None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("photos/note.txt").write_text("hello")
    with caplog.at_level(logging.WARNING, "nstcli"):
        list(batch(limit=1))
    assert "1 other file left out" in caplog.text
    assert capsys.readouterr() == ("", "")


def test_two_generators_share_the_work(nst: Nst, folders: None) -> None:
    one, other = batch(steps=20), batch(steps=20)
    first = [next(one), next(other)]
    rest = [*other, *one]
    assert len(first + rest) == 8
    assert not any(result.error for result in first + rest)
    assert Store(Path("out")).locks.any_held() is False
    ended = nst("batch", "photos", "art", "-o", "plain", *FLAGS[:-4], "--steps", "20",
                "--precision", "float32")  # fmt: skip
    assert ended.code == 0
    assert results() == results("plain")
    started = [result for event, result in told("out") if event == "started"]
    assert sorted(map(str, started)) == sorted(NAMES)


def test_steps_of_a_batch_are_heard_of_and_may_end_it(folders: None) -> None:
    steps: list[PairStep] = []
    list(batch(on_step=steps.append))
    assert len(steps) == 12
    made = list(batch(output="ended", on_step=lambda step: step.pair.output.startswith("dog")))
    assert {result.pair.output for result in made} == {"cat__ink.png", "cat__wave.png"}
    assert set(results("ended")) == {"cat__ink.png", "cat__wave.png"}  # dropped, not half a picture
    assert Store(Path("ended")).locks.any_held() is False
    assert len(list(batch(output="ended"))) == 4


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_what_a_listener_of_a_batch_raises_reaches_the_loop(
    folders: None,
    error: type[BaseException],
) -> None:
    def fail(step: PairStep) -> bool:
        raise error

    with pytest.raises(error):
        list(batch(on_step=fail))
    assert Store(Path("out")).locks.any_held() is False


def test_progress_goes_to_the_error_stream_alone(
    folders: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    list(batch(progress=True))
    out, err = capsys.readouterr()
    assert out == ""
    assert "cat" in err
    nstcli.stylize(CONTENT, STYLE, progress=True, **FAST)
    out, err = capsys.readouterr()
    assert out == ""
    assert "content" in err
    nstcli.stylize(CONTENT, STYLE, **FAST)
    list(batch(output="quiet"))
    assert capsys.readouterr() == ("", "")


def test_what_is_up_to_date_needs_no_torch(folders: None) -> None:
    list(batch())
    script = f"""
import sys, nstcli
print([r.cached for r in nstcli.batch("photos", "art", output="out", **{FAST!r})])
assert "torch" not in sys.modules
"""
    ended = python(script)
    assert ended.stdout == "[True, True, True, True]\n", ended.stderr


# Copies of what a batch has made.


@pytest.mark.parametrize("format", ["png", "tiff", "jpg", "webp"])
def test_a_copy_of_a_result_promises_no_pixels_that_it_has_not(
    nst: Nst,
    folders: None,
    format: str,
) -> None:
    (result,) = batch(limit=1, format=format, quality=60)
    copy = result.save(f"copy.{format}")
    assert copy.read_bytes() == result.data
    bare = result.save(f"bare.{format}", metadata=False).read_bytes()
    assert "nst" not in read_metadata(bare)
    assert decode(bare, "").rgb.shape == (24, 32, 3)
    if format not in {"jpg", "webp"}:
        assert np.array_equal(decode(bare, "").rgb, result.array)
    other = "png" if format != "png" else "tiff"
    result.save(f"other.{other}")
    ended = nst("stylize", "photos/cat.png", "art/ink.png", "-o", f"other.{other}", *FLAGS)
    lossless = format not in {"jpg", "webp"}
    assert ended.code == (0 if lossless else 2), ended.err
    if lossless:
        assert "1 cached" in ended.err


# Whole programs.

GUARDED = """
import nstcli
if __name__ == "__main__":
    for result in nstcli.batch("photos", "art", output="out", jobs=2, **{fast!r}):
        print(result.pair.output, result.error)
"""


def script(text: str) -> subprocess.CompletedProcess[str]:
    Path("script.py").write_text(text)
    return subprocess.run(
        [sys.executable, "script.py"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_several_jobs_in_a_script_with_a_guard(nst: Nst, folders: None) -> None:
    ended = script(GUARDED.format(fast=FAST))
    assert {line.strip() for line in ended.stdout.splitlines()} == NAMES, ended.stderr
    assert ended.stderr == ""
    assert results() == whole(nst)


def test_a_script_that_ends_wants_no_more_results(folders: None) -> None:
    """Though a name still holds the generator, which nobody will ask again."""
    text = f"""
import nstcli

class Patient:
    asked = 0

    def __call__(self, step):  # the second pair waits until nobody is there any more
        import threading
        if step.step == 1:
            Patient.asked += 1
        if Patient.asked > 1:
            threading.main_thread().join()

work = nstcli.batch("photos", "art", output="out", on_step=Patient(), **{FAST!r})
next(work)
"""
    ended = script(text)
    assert (ended.returncode, len(results())) == (0, 1), ended.stderr


def test_results_with_unexpected_names_are_told_of(
    folders: None, write_picture: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    write_picture("photos/why?.png", seed=8)
    nstcli.batch("photos", "art", output="out", **FAST)
    told = [record.getMessage() for record in caplog.records]
    assert "why?.png × ink.png is called 'why___ink.png': " in told[0]
    assert len(told) == 2


def test_16_bits_and_a_picture_to_start_from(tmp_path: Path) -> None:
    result = nstcli.stylize(CONTENT, STYLE, **FAST, bits=16, init=draw(30, 40, 7))
    assert result.record is not None
    assert result.record.input("init").path == "init.png"
    assert result.array.dtype == np.uint16
    kept = result.save(tmp_path / "deep.png")
    assert kept.read_bytes() == result.data
    tiff = array_of(result.save(tmp_path / "deep.tiff").read_bytes(), 16)
    np.testing.assert_array_equal(tiff, result.array)
    plain = decode(result.save(tmp_path / "a.jpg", quality=100).read_bytes(), "a.jpg").rgb
    np.testing.assert_allclose(plain, result.array / 257, atol=12)
    with pytest.raises(InputError, match="no such file or folder: 'noize'"):
        nstcli.stylize(CONTENT, STYLE, **FAST, init="noize")


def test_animations_and_the_picture_of_a_step(tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []
    result = nstcli.stylize(
        CONTENT,
        STYLE,
        **FAST,
        animation="gif",
        on_step=lambda step: seen.append(step.picture().shape),
    )
    assert seen == [(1, 3, 24, 32)] * 3
    assert result.animation is not None
    assert result.animation.startswith(b"GIF89a")
    assert nstcli.stylize(CONTENT, STYLE, **FAST).animation is None
    (tmp_path / "a.png").write_bytes(encode(CONTENT))
    (made,) = nstcli.batch("a.png", "a.png", **FAST, save_every=1, init="noise")
    assert made.animation is None
    (path,) = nstcli.animate("stylized", animation="webp", boomerang=True)
    assert path.read_bytes() == made.animation
    with pytest.raises(InputError, match="no stages in"):
        nstcli.animate(tmp_path / "nowhere")
    with pytest.raises(InputError, match="the option 'size' has no meaning here"):
        nstcli.animate("stylized", size=3)


def test_a_texture_has_the_bytes_that_the_command_gives(nst: Nst, folders: None) -> None:
    made = nstcli.texture("art/ink.png", tileable=True, **FAST)
    assert made.record is not None
    assert made.record.recipe["padding"] == "circular"
    assert made.image.size == (32, 32)
    assert nst("texture", "art/ink.png", "-o", "out", "--tileable", *FLAGS).code == 0
    assert Path("out/ink.png").read_bytes() == made.data
    assert nstcli.texture(STYLE, center_crop="2x1", **FAST).image.size == (32, 16)


def test_a_photo_in_memory_is_inverted(nst: Nst, folders: None) -> None:
    made = nstcli.invert("photos/cat.png", "relu2", **FAST)
    assert made.record is not None
    assert made.record.figures["psnr"] > 5
    assert nst("invert", "photos/cat.png", "-o", "out", "--layers", "relu2", *FLAGS).code == 0
    assert Path("out/cat__relu2.png").read_bytes() == made.data
    assert nstcli.invert(CONTENT, "relu1", **FAST).image.size == (32, 24)
    with pytest.raises(BackboneError, match="unknown layer 'relu9'"):
        nstcli.invert(CONTENT, "relu9", **FAST)


def test_a_batch_without_photos_makes_textures_and_one_without_artworks_inverts(
    folders: None,
) -> None:
    textures = list(nstcli.batch(None, "art", output="t", **FAST))
    assert {made.path.name for made in textures if made.path} == {"ink.png", "wave.png"}
    assert all(made.cached for made in nstcli.batch(None, "art", output="t", **FAST))
    inverted = list(nstcli.batch("photos", None, output="i", content_layers="relu1", **FAST))
    assert {made.path.name for made in inverted if made.path} == {"cat.png", "dog.png"}
    with pytest.raises(InputError, match="neither photos nor artworks"):
        nstcli.batch(None, None, output="n", **FAST)


def test_textures_and_inversions_are_swept(folders: None) -> None:
    layers = ["relu1", "relu3"]
    tried = nstcli.experiment(None, "art/ink.png", sweep={"style_layers": layers}, **FAST)
    rows = tried.table(frame=False)
    assert [row["style_layers"] for row in rows] == layers
    assert {Path(row["path"]).name for row in rows} == {"ink.png"}
    inverted = nstcli.experiment(
        "photos", None, sweep={"content_layers": layers}, output="i", **FAST
    ).table(frame=False)
    assert len(inverted) == 4
    assert min(row["psnr"] for row in inverted) > 5


def test_masks_and_several_artworks_in_memory() -> None:
    left = np.zeros((24, 32), dtype=bool)
    left[:, :16] = True
    other = draw(20, 24, 4)
    options = {**FAST, "content_mask": [left, torch.from_numpy(~left)[None].float()]}
    result = nstcli.stylize(CONTENT, [STYLE, other], **options)
    assert result.record is not None
    assert result.record.notes == ()
    roles = [each.role for each in result.record.inputs]
    assert roles == ["content", "style", "style", "content-mask", "content-mask"]
    assert not any(os.sep in each.path for each in result.record.inputs)
    plain = nstcli.stylize(CONTENT, STYLE, style_strength_map=draw(24, 32), **FAST)
    white = np.ones((24, 32))
    full = nstcli.stylize(CONTENT, [(STYLE, 0.2), (other, 0)], content_mask=white, **FAST)
    single = nstcli.stylize(CONTENT, STYLE, **FAST)
    assert (full.array == single.array).all()
    assert (plain.array != single.array).any()


@pytest.mark.parametrize(
    ("style", "options", "message"),
    [
        ([], {}, "no artwork was named"),
        ([(STYLE, -1)], {}, "the weight -1 of"),
        (STYLE, {"content_mask": [np.ones((4, 4))] * 2}, "is given 2 times"),
        (STYLE, {"content_regions": np.ones((4, 4))}, "is of no use without --style-regions"),
        (STYLE, {"style_mask": np.zeros((4, 4))}, "black everywhere"),
        (STYLE, {"content_mask": np.full((4, 4), 7.0)}, "are in [0, 1]"),
    ],
)
def test_masks_that_cannot_be(style: object, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NstError) as raised:
        nstcli.stylize(CONTENT, style, **FAST, **options)
    assert message in str(raised.value)
