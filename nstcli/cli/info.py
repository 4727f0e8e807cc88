"""`nst info`: what a bug report should say of this installation."""

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

_PACKAGES = (
    "torch", "torchvision", "timm", "pillow", "numpy", "safetensors", "pydantic", "typer", "rich",
)  # fmt: skip
# What Linux calls the units that compute in bfloat16: of x86 and of ARM processors.
_BF16_UNITS = ("avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16")


def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Show versions, devices, cache and settings: paste it into a bug report.

    The name of the computer, your folder and passwords are left out.
    """
    found = gather()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for line in _lines(found):
        typer.echo(line)


def gather() -> dict[str, Any]:
    """Collect all that is shown; what cannot be found out is said so and stops nothing else."""
    from backbones import weights

    return {
        "nst": version("nstcli"),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "memory": _memory(),
        "devices": _devices(),
        "cache": _cache(weights.cache_folder()),
        "precision": _remembered(weights.cache_folder() / "precision.json"),
        "config": _config(),
        "environment": _environment(os.environ),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cpu() -> dict[str, Any]:
    """Describe the processor; `bf16` is None where the system does not tell."""
    import psutil

    described = ""
    with suppress(OSError):
        described = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
    model = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", described, re.MULTILINE)
    known = flags[1].split() if flags else None
    return {
        "model": model[1] if model else platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "bf16": None if known is None else [unit for unit in _BF16_UNITS if unit in known],
    }


def _memory() -> dict[str, int]:
    import psutil

    memory = psutil.virtual_memory()
    return {"total": memory.total, "available": memory.available}


def _devices() -> dict[str, Any]:
    """Ask torch; where it cannot be imported, that is what the report is about."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return {"error": f"torch cannot be imported: {error}"}
    found: list[dict[str, Any]] = []
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        found.append({
            "name": f"cuda:{index}",
            "model": card.name,
            "memory": card.total_memory,
            "bf16": torch.cuda.is_bf16_supported(),
        })  # fmt: skip
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "model": platform.machine()})
    capability = torch.backends.cpu.get_cpu_capability()
    threads = torch.get_num_threads()
    found.append({"name": "cpu", "capability": capability, "threads": threads})
    build = _build(torch.version.cuda, torch.version.hip, torch.backends.mps.is_built())
    return {"build": build, "other_build": _other_build(build, found), "found": found}


def _build(cuda: str | None, hip: str | None, mps: bool) -> str:
    """Say what the torch at hand was built to compute on."""
    if hip:
        return f"ROCm {hip}"
    if cuda:
        return f"CUDA {cuda}"
    return "CPU and MPS" if mps else "CPU only"


def _other_build(build: str, found: Sequence[Mapping[str, Any]]) -> str | None:
    """Say what another build of torch would give here; None where it would give nothing."""
    if build == "CPU only":
        return "with a GPU, a build for CUDA (NVIDIA) or ROCm (AMD) would compute on it"
    if build.startswith(("CUDA", "ROCm")) and not any(
        device["name"].startswith("cuda") for device in found
    ):
        return "it finds no GPU; a build for the CPU only would do the same in gigabytes less"
    return None


def _cache(folder: Path) -> dict[str, Any]:
    """Say where the cache is, how large, and which weight sets are in it."""
    import backbones
    from backbones import weights

    found, broken = backbones.load_all()
    present = [
        weights.title(backbone, weight_set)
        for backbone in found
        for weight_set in backbone.weight_sets
        if weights.cached_path(backbone, weight_set).is_file()
    ]
    return {
        "folder": _discreet(folder),
        "bytes": sum(_sizes(folder)),
        "weights": present,
        "broken": [str(error) for error in broken],
    }


def _sizes(folder: Path) -> Iterable[int]:
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                yield path.stat().st_size


def _remembered(memory: Path) -> dict[str, str]:
    """Return the measured choices of precision, without the name of the computer."""
    from nstcli.remembered import Remembered

    here = f"{platform.node()} "
    known = Remembered(memory).values
    return {key.removeprefix(here): str(choice) for key, choice in known.items()}


def _config() -> str | None:
    from nstcli.config.files import nearest
    from nstcli.errors import InputError

    foreign: list[Path] = []
    try:
        path = nearest(Path.cwd(), foreign.append)
    except (InputError, OSError) as error:
        return str(error)
    if path is None and foreign:
        return f"none taken: {_discreet(foreign[0])} belongs to another user"
    return _discreet(path) if path else None


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that nst heeds, and of them alone; addresses without passwords."""
    from backbones.weights.download import MIRRORS, without_credentials
    from nstcli.config.option import PREFIX

    named = sorted(name for name in variables if name.startswith(PREFIX))
    return {
        **{name: _discreet(variables[name]) for name in named},
        **{
            # Without a scheme it is no address, and nobody knows what is secret in it.
            name: without_credentials(url) if "://" in url else "(not shown)"
            for name in MIRRORS
            if (url := variables.get(name)) is not None
        },
    }


def _discreet(path: Path | str) -> str:
    """Write `~` for the user's folder, whose name is often the user's own."""
    home = str(Path.home())
    text = str(path)
    return f"~{text.removeprefix(home)}" if text == home or text.startswith(home + os.sep) else text


def _lines(found: dict[str, Any]) -> list[str]:
    """Write it all as `name: value`, a line each."""
    from nstcli.cli.screen import size

    cpu, memory, cache = found["cpu"], found["memory"], found["cache"]
    units = "unknown" if cpu["bf16"] is None else ", ".join(cpu["bf16"]) or "none"
    lines = [
        f"nst: {found['nst']}",
        f"python: {found['python']}",
        *(f"{name}: {number}" for name, number in found["packages"].items()),
        f"platform: {found['platform']}",
        f"cpu: {cpu['model']}, {cpu['cores']} cores, {cpu['threads']} threads",
        f"bfloat16 units of the cpu: {units}",
        f"memory: {size(memory['total'])}, {size(memory['available'])} available",
        *_device_lines(found["devices"]),
        f"cache: {cache['folder']}, {size(cache['bytes'])}",
        f"weights in it: {', '.join(cache['weights']) or 'none'}",
        *(f"broken: {error}" for error in cache["broken"]),
        *(f"precision: {choice} for {key}" for key, choice in found["precision"].items()),
        f"config file: {found['config'] or 'none'}",
    ]
    return lines + [f"{name}={value}" for name, value in found["environment"].items()]


def _device_lines(devices: dict[str, Any]) -> list[str]:
    from nstcli.cli.screen import size

    if "error" in devices:
        return [f"devices: {devices['error']}"]
    other = f"; {devices['other_build']}" if devices["other_build"] else ""
    lines = [f"build of torch: {devices['build']}{other}"]
    for device in devices["found"]:
        told = [f"{key} {value}" for key, value in device.items() if key not in {"name", "memory"}]
        told += [size(device["memory"])] if "memory" in device else []
        lines.append(f"device {device['name']}: {', '.join(told)}")
    return lines
