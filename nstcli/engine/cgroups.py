"""The memory limits of Linux control groups: of containers, systemd, Slurm and Kubernetes.

A process is in one group of each hierarchy, and each group above limits it as well. Where its
group is, `/proc/self/cgroup` tells, and where groups can be looked at, `/proc/self/mountinfo`
(cgroups(7), proc_pid_mountinfo(5)). Version 1 has a hierarchy of its own for memory, version 2 one
for everything, and a system may have both.
"""

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class _Version:
    """How a version calls what it tells of a group.

    Attributes:
        limits: the files of limits, in bytes. Beyond `high` a process is not killed, but stopped
            until it has given something back.
        used: the file of the bytes that its processes and those of the groups below have taken.
        cached: the line of `memory.stat` with files that were read and are not in use, which
            count as used but make room when it is wanted.
    """

    limits: tuple[str, ...]
    used: str
    cached: str


_V1 = _Version(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Version(("memory.max", "memory.high"), "memory.current", "inactive_file")


def left_by_groups(kept: int) -> float:
    """Return the bytes that the tightest limit leaves this process; infinite without any.

    `kept` are bytes of this process that count as used there and are free to it.
    """
    try:
        return min((_left(group, version, kept) for group, version in _groups()), default=math.inf)
    except (OSError, ValueError):  # no Linux
        return math.inf


def _groups() -> Iterator[tuple[Path, _Version]]:
    """Yield the groups of this process that can be seen, each with those above it."""
    paths = {}
    for line in (_PROCESS / "cgroup").read_text("utf-8", "surrogateescape").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            paths[_V1 if controllers else _V2] = PurePosixPath(path)
    for version, root, place in _mounts():
        if version not in paths:
            continue
        inside = PurePosixPath()
        # Else it is seen from within a container: the mounted group is the uppermost one there.
        with suppress(ValueError):
            inside = paths[version].relative_to(root)
        if ".." not in inside.parts:
            for below in (inside, *inside.parents):
                yield place / below, version


def _mounts() -> Iterator[tuple[_Version, PurePosixPath, Path]]:
    """Yield where memory groups are mounted, with the group that is seen at that place."""
    for line in (_PROCESS / "mountinfo").read_text("utf-8", "surrogateescape").splitlines():
        head, _, tail = line.partition(" - ")
        kind, _, options = (*tail.split(maxsplit=2), "", "", "")[:3]
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            root, place = map(_plain, head.split()[3:5])
            yield _V2 if kind == "cgroup2" else _V1, PurePosixPath(root), Path(place)


def _plain(path: str) -> str:
    r"""Undo how mountinfo writes spaces and the like, `\040`."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _left(group: Path, version: _Version, kept: int) -> float:
    """Return the bytes that one group leaves; infinite where it has no limit."""
    told = _numbers_in(group / "memory.stat")
    # In version 1, this one counts what lies above and may not be seen from here.
    limits = [told.get("hierarchical_memory_limit", math.inf)]
    limits += [_numbers_in(group / name).get("", math.inf) for name in version.limits]
    used = _numbers_in(group / version.used).get("", 0) - told.get(version.cached, 0)
    return min(limits) - max(0, used - kept)


def _numbers_in(path: Path) -> dict[str, float]:
    """Read the lines of a file, each a name and a number, or a number alone, whose name is empty.

    `max` is infinite. A file that cannot be read, or is another than it should be, tells nothing.
    """
    try:
        lines = path.read_text("ascii").splitlines()
        parts = [line.rpartition(" ") for line in lines]
        return {name: math.inf if value == "max" else int(value) for name, _, value in parts}
    except (OSError, ValueError):
        return {}
