"""`nst info`: all that a report needs, and nothing that is the user's own."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

import nstcli
from nstcli.cli import info
from tests.conftest import Plugin
from tests.nstcli.cli.conftest import Nst


def told(nst: Nst) -> dict[str, Any]:
    ended = nst("info", "--json")
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_versions_and_machine(nst: Nst) -> None:
    import torch

    found = told(nst)
    assert found["nst"] == nstcli.__version__
    assert found["python"].startswith(platform.python_version())
    assert torch.__version__.startswith(found["packages"]["torch"])
    assert found["cpu"]["threads"] == psutil.cpu_count()
    assert found["memory"]["total"] == psutil.virtual_memory().total
    cpu = next(device for device in found["devices"]["found"] if device["name"] == "cpu")
    assert cpu["capability"] == torch.backends.cpu.get_cpu_capability()


def test_the_cache_and_what_is_in_it(nst: Nst, tiny_plugin: Plugin) -> None:
    assert told(nst)["cache"]["weights"] == []
    assert nst("weights", "pull", "tiny").code == 0
    cache = told(nst)["cache"]
    assert cache["weights"] == ["tiny:random"]
    (file,) = tiny_plugin.cache.rglob("*.safetensors")
    assert cache["bytes"] >= file.stat().st_size
    assert cache["folder"] == str(tiny_plugin.cache)


def test_what_was_measured_without_the_name_of_the_computer(
    nst: Nst, tiny_plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "janes-laptop")
    tiny_plugin.cache.mkdir()
    memory = tiny_plugin.cache / "precision.json"
    memory.write_text(json.dumps({"janes-laptop cpu AVX512 · tiny": "bfloat16 channels_last"}))
    assert told(nst)["precision"] == {"cpu AVX512 · tiny": "bfloat16 channels_last"}
    assert "precision: bfloat16 channels_last for cpu AVX512 · tiny" in nst("info").out
    for damaged in ("[]", "{"):
        memory.write_text(damaged)
        assert told(nst)["precision"] == {}


def test_the_config_file_found(nst: Nst, tmp_path: Path) -> None:
    assert told(nst)["config"] is None
    (tmp_path / "nst.toml").write_text("no matter what = it says")
    assert told(nst)["config"] == str(tmp_path / "nst.toml")
    assert f"config file: {tmp_path / 'nst.toml'}" in nst("info").out


def test_nothing_secret_is_shown(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_plugin: Plugin
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in {
        "NST_SIZE": "77",
        "PIP_INDEX_URL": "https://jane:hunter2@mirror.example/simple",
        "UV_DEFAULT_INDEX": "jane:hunter2@mirror.example",
        "AWS_SECRET": "hunter2",
    }.items():
        monkeypatch.setenv(name, value)
    for arguments in (["info"], ["info", "--json"]):
        shown = nst(*arguments).out
        assert "hunter2" not in shown
        assert "AWS_SECRET" not in shown
        assert str(tmp_path) not in shown
    assert told(nst)["environment"] == {
        "NST_CACHE": f"~/{tiny_plugin.cache.name}",
        "NST_SIZE": "77",
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "UV_DEFAULT_INDEX": "(not shown)",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://jane:hun/ter2@mirror.example/simple", "https://mirror.example/simple"),
        ("https://mirror.example/simple?token=hunter2", "https://mirror.example/simple"),
        ("https://mirror.example/simple#hunter2", "https://mirror.example/simple"),
        ("https://jane:hun?ter2@mirror.example/simple", "https://…"),
        ("mirror.example/hunter2", "(not shown)"),
        ("corp=https://jane:hunter2@mirror.example/", "corp=https://mirror.example/"),
    ],
)
def test_no_form_of_credentials_is_shown(
    nst: Nst, monkeypatch: pytest.MonkeyPatch, url: str, shown: str
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", url)
    assert told(nst)["environment"]["PIP_INDEX_URL"] == shown


def test_a_torch_that_cannot_be_imported_is_reported(
    nst: Nst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ended = nst("info")
    assert ended.code == 0
    assert "devices: torch cannot be imported: " in ended.out


def test_cards_are_listed_with_their_memory(nst: Nst, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    cards = [SimpleNamespace(name=f"Card {n}", total_memory=n * 10**9) for n in (8, 24)]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: cards[index])
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    first, second, *_ = told(nst)["devices"]["found"]
    assert first == {"name": "cuda:0", "model": "Card 8", "memory": 8 * 10**9, "bf16": True}
    assert second["name"] == "cuda:1"
    assert "device cuda:1: model Card 24, bf16 True, 24.0 GB" in nst("info").out


@pytest.mark.parametrize(
    ("cuda", "hip", "mps", "gpus", "build", "other"),
    [
        (None, None, False, 0, "CPU only", "with a GPU, a build for CUDA (NVIDIA) or ROCm (AMD) "),
        ("13.0", None, False, 0, "CUDA 13.0", "it finds no GPU; a build for the CPU only would do"),
        ("13.0", None, False, 1, "CUDA 13.0", None),
        (None, "7.2", False, 0, "ROCm 7.2", "it finds no GPU; a build for the CPU only would do"),
        (None, None, True, 0, "CPU and MPS", None),
    ],
)
def test_which_torch_it_is_and_what_another_would_give(
    nst: Nst,
    monkeypatch: pytest.MonkeyPatch,
    cuda: str | None,
    hip: str | None,
    mps: bool,
    gpus: int,
    build: str,
    other: str | None,
) -> None:
    import torch

    card = SimpleNamespace(name="Card", total_memory=10**9)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: mps)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    devices = told(nst)["devices"]
    assert devices["build"] == build
    assert (devices["other_build"] or "").startswith(other or "")
    assert bool(devices["other_build"]) == bool(other)
    (line,) = [line for line in nst("info").out.splitlines() if line.startswith("build of torch")]
    assert line.startswith(f"build of torch: {build}" + (f"; {other}" if other else ""))


def test_the_text_says_what_the_json_does(nst: Nst) -> None:
    found, lines = told(nst), nst("info").out.splitlines()
    assert f"nst: {nstcli.__version__}" in lines
    for name, number in found["packages"].items():
        assert f"{name}: {number}" in lines
    for device in found["devices"]["found"]:
        assert any(line.startswith(f"device {device['name']}: ") for line in lines)


@pytest.mark.parametrize(
    ("flags", "units"),
    [
        ("flags\t\t: fpu avx512_bf16 amx_bf16 amx_tile\n", ["avx512_bf16", "amx_bf16"]),
        ("Features\t: fp asimd bf16\n", ["bf16"]),
        ("flags\t\t: fpu sse\n", []),
        ("", None),
    ],
)
def test_units_of_the_processor(
    monkeypatch: pytest.MonkeyPatch, flags: str, units: list[str] | None
) -> None:
    text = f"processor\t: 0\nmodel name\t: Some CPU\n{flags}"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    cpu = info._cpu()
    assert (cpu["model"], cpu["bf16"]) == ("Some CPU", units)
    words = "unknown" if units is None else ", ".join(units) or "none"
    assert f"bfloat16 units of the cpu: {words}" in info._lines(_described(cpu))


def _described(cpu: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "nst": "1", "python": "3", "packages": {}, "platform": "p", "cpu": cpu,
        "memory": {"total": 1, "available": 1}, "devices": {"error": "none"},
        "cache": {"folder": "f", "bytes": 1, "weights": [], "broken": []},
        "precision": {}, "config": None, "environment": {},
    }  # fmt: skip


def test_torch_is_imported_by_the_command_alone() -> None:
    code = "import sys, nstcli.cli.info; assert not {'torch', 'psutil'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
