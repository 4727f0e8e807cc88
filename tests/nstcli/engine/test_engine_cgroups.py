"""Limits of control groups, in folders that look like those of Linux."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nstcli.engine import cgroups, memory
from nstcli.engine.cgroups import left_by_groups

GIB = 2**30
# As the kernel writes "none" in version 1, on machines with pages of 4 KiB.
NONE_V1 = 9223372036854771712

Tell = Callable[..., None]


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return what says in which groups this process is, and what is mounted below `MOUNTS`."""
    place = tmp_path / "proc"
    place.mkdir()
    monkeypatch.setattr(cgroups, "_PROCESS", place)

    def tell(groups: str, mounts: str) -> None:
        (place / "cgroup").write_text(groups)
        here = str(tmp_path).replace(" ", "\\040")
        other = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        (place / "mountinfo").write_text(other + mounts.replace("MOUNTS", here))

    return tell


def group_v2(folder: Path, limit: object = "max", used: int = 0, cached: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.high").write_text("max\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon {used - cached}\ninactive_file {cached}\n")


def group_v1(folder: Path, limit: int = NONE_V1, used: int = 0, above: int = NONE_V1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(
        f"inactive_file 5\nhierarchical_memory_limit {min(limit, above)}\ntotal_inactive_file 0\n"
    )


V2 = "30 22 0:26 / MOUNTS/cg rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "35 31 0:32 / MOUNTS/memory rw,relatime - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("limit", "used", "kept", "expected"),
    [
        ("max", 1_000_000, 0, math.inf),
        (3_000_000, 1_000_000, 0, 3_000_000 - 1_000_000 + 400_000),
        (3_000_000, 1_000_000, 300_000, 3_000_000 - 1_000_000 + 400_000 + 300_000),
        (3_000_000, 1_000_000, 900_000, 3_000_000),
    ],
)
def test_a_container_of_its_own_has_what_its_limit_leaves(
    process: Tell, tmp_path: Path, limit: object, used: int, kept: int, expected: float
) -> None:
    process("0::/\n", V2)
    group_v2(tmp_path / "cg", limit, used, cached=400_000)
    assert left_by_groups(kept) == expected


@pytest.mark.parametrize("tight", ["", "user.slice", "user.slice/job.scope"])
def test_the_tightest_group_on_the_way_up_counts(process: Tell, tmp_path: Path, tight: str) -> None:
    process("0::/user.slice/job.scope\n", V2)
    for place in ("", "user.slice", "user.slice/job.scope", "user.slice/other.scope"):
        group_v2(tmp_path / "cg" / place, 8 * GIB, 2 * GIB)
    group_v2(tmp_path / "cg/user.slice/other.scope", 1000)  # of somebody else
    group_v2(tmp_path / "cg" / tight, 3 * GIB, 2 * GIB)
    assert left_by_groups(0) == GIB


def test_where_a_group_is_held_back_is_a_limit_as_well(process: Tell, tmp_path: Path) -> None:
    process("0::/job\n", V2)
    group_v2(tmp_path / "cg/job", 4 * GIB, GIB)
    (tmp_path / "cg/job/memory.high").write_text(f"{2 * GIB}\n")
    assert left_by_groups(0) == GIB
    (tmp_path / "cg/job/memory.high").unlink()  # older kernels
    assert left_by_groups(0) == 3 * GIB


def test_version_1_has_a_hierarchy_for_memory(process: Tell, tmp_path: Path) -> None:
    process("9:name=systemd:/\n4:cpu,memory:/slurm/uid_7/job_9\n1:cpuset:/x\n0::/\n", V1)
    group_v1(tmp_path / "memory")
    group_v1(tmp_path / "memory/slurm/uid_7/job_9")
    assert left_by_groups(0) > 2**60
    group_v1(tmp_path / "memory/slurm", 2 * GIB, GIB)
    assert left_by_groups(0) == GIB


def test_a_container_sees_its_own_group_at_the_mount(process: Tell, tmp_path: Path) -> None:
    """And of those above, in version 1, the limit alone."""
    mount = V1.replace(" / MOUNTS", " /docker/a1b2 MOUNTS")
    process("4:memory:/docker/a1b2/inner\n", mount)
    group_v1(tmp_path / "memory", 2 * GIB, GIB)
    group_v1(tmp_path / "memory/inner")
    assert left_by_groups(0) == GIB
    group_v1(tmp_path / "memory", 2 * GIB, GIB, above=GIB + 5)
    assert left_by_groups(0) == 5
    process("4:memory:/seen/from/outside\n", mount)
    assert left_by_groups(0) == 5


def test_both_versions_may_be_there(process: Tell, tmp_path: Path) -> None:
    process("4:memory:/a\n0::/b\n", V1 + V2)
    group_v1(tmp_path / "memory/a", 3 * GIB)
    group_v2(tmp_path / "cg/b", 2 * GIB)
    assert left_by_groups(0) == 2 * GIB


def test_a_group_outside_of_what_is_mounted_is_no_limit(process: Tell, tmp_path: Path) -> None:
    process("0::/../other\n", V2)
    group_v2(tmp_path / "cg", 1000)
    group_v2(tmp_path / "other", 1000)
    assert left_by_groups(0) == math.inf


def test_a_mount_with_a_space_in_its_path(process: Tell, tmp_path: Path) -> None:
    process("0::/\n", V2.replace("/cg", "/c\\040g"))
    group_v2(tmp_path / "c g", 1000)
    assert left_by_groups(0) == 1000


@pytest.mark.parametrize(
    "broken", [{"memory.max": "much"}, {"memory.stat": "a b c"}, {"memory.current": "\xff"}]
)
def test_what_cannot_be_read_is_no_limit_and_no_use(
    process: Tell, tmp_path: Path, broken: Mapping[str, str]
) -> None:
    process("0::/\n", V2 + "\n31 22\n")
    group_v2(tmp_path / "cg", 1000, 300)
    for name, text in broken.items():
        (tmp_path / "cg" / name).write_text(text, "latin-1")
    expected = {"memory.max": math.inf, "memory.stat": 700, "memory.current": 1000}
    assert [left_by_groups(0)] == [expected[name] for name in broken]


def test_without_such_groups_there_is_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "_PROCESS", tmp_path)
    assert left_by_groups(0) == math.inf


def test_a_pair_gets_no_more_than_its_group_has(
    process: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = SimpleNamespace(total=22 * GIB, available=22 * GIB)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: system)
    monkeypatch.setattr(memory, "kept_bytes", lambda: 0)
    process("0::/user.slice/nst.scope\n", V2)
    group_v2(tmp_path / "cg/user.slice/nst.scope", GIB, GIB // 4)
    assert memory.free_bytes(torch.device("cpu")) == GIB - GIB // 4
    group_v2(tmp_path / "cg/user.slice/nst.scope", GIB, 2 * GIB)
    assert memory.free_bytes(torch.device("cpu")) == 0
