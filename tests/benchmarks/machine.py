"""The machine and the versions that the figures belong to."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def described() -> dict[str, str]:
    """Say what the figures depend on besides the code."""
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "CPU": f"{_processor()}, {os.cpu_count()} logical cores, {capability}",
        "memory": _memory(),
        "system": platform.platform(),
        "threads": f"{torch.get_num_threads()} (OMP_NUM_THREADS changes it)",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"torchvision {version('torchvision')}, timm {version('timm')}, nst {version('nstcli')}",
        "load before": load(),
    }


def load() -> str:
    """Return the load average of the last minute; more than a little casts doubt on figures."""
    return f"{os.getloadavg()[0]:.2f}"


def _processor() -> str:
    return _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def _memory() -> str:
    total = _field("/proc/meminfo", "MemTotal")
    return f"{int(total.split()[0]) / 2**20:.0f} GiB" if total else "unknown"


def _field(path: str, name: str) -> str:
    """Return the first value of that name in one of Linux's files, elsewhere nothing."""
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
