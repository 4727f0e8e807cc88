"""Parts of a batch: as written, and as schedulers number the tasks of an array."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.config.shards import SCHEDULERS, ArrayShard, Shard, shard
from nstcli.errors import InputError

SLURM, SGE, PBS, TORQUE, KUBERNETES = SCHEDULERS


@given(count=st.integers(1, 10**6), data=st.data())
def test_a_shard_is_what_was_written(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(1, count))
    read = shard(f"{index}/{count}")
    assert read == Shard(index, count)
    assert str(read) == f"{index}/{count}"
    assert shard(read) is read


@pytest.mark.parametrize("text", ["auto", "auto/8"])
def test_a_shard_of_an_array_is_what_was_written(text: str) -> None:
    read = shard(text)
    assert isinstance(read, ArrayShard)
    assert str(read) == text
    assert shard(read) is read


@pytest.mark.parametrize(
    "text",
    ["", "1", "1/", "/2", "0/2", "3/2", "-1/2", "1/2/3", "a/b", 0.5, "auto/", "auto/0", "auto/x"],
)
def test_no_shard(text: object) -> None:
    with pytest.raises(ValueError, match="I/N with I from 1 to N, auto, or auto/N"):
        shard(text)


def test_a_shard_checks_itself() -> None:
    with pytest.raises(ValueError, match="I/N"):
        Shard(3, 2)


@given(
    batch=st.lists(st.integers()),
    first=st.integers(0, 50),
    step=st.integers(1, 9),
    count=st.integers(1, 20),
    slurm=st.booleans(),
    slack=st.integers(0, 8),
)
def test_the_tasks_of_an_array_share_a_batch(
    batch: list[int], first: int, step: int, count: int, slurm: bool, slack: int
) -> None:
    """As `--array=FIRST-LAST:STEP` and `-t FIRST-LAST:STEP`, whose last number may be no task's."""
    scheduler = SLURM if slurm else SGE
    tasks = [first + step * n for n in range(count)]
    last = tasks[-1] + slack % step
    parts = []
    for task in tasks:
        told = {
            scheduler.task: task,
            **dict(zip(scheduler.range, (first, last, step), strict=True)),
        }
        if slurm:
            told[SLURM.count] = count
        parts += ArrayShard().here({name: str(value) for name, value in told.items()}).of(batch)
    assert sorted(parts) == sorted(batch)


@pytest.mark.parametrize(
    ("written", "variables", "part"),
    [
        ("auto/4", {"PBS_ARRAY_INDEX": "1"}, "1/4"),
        ("auto/4", {"PBS_ARRAYID": "4"}, "4/4"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "0"}, "1/4"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "3"}, "4/4"),
        # Two arrays for one batch, or one task of it once more.
        ("auto/16", {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_MIN": "9"}, "9/16"),
        # Grid Engine says this to all of its jobs.
        ("auto/2", {"SGE_TASK_ID": "undefined", "PBS_ARRAY_INDEX": "2"}, "2/2"),
    ],
)
def test_where_the_number_of_tasks_is_given(
    written: str, variables: Mapping[str, str], part: str
) -> None:
    read = shard(written)
    assert isinstance(read, ArrayShard)
    assert str(read.here(variables)) == part


LIST = {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_STEP": "1"}


@pytest.mark.parametrize(
    ("written", "variables", "said"),
    [
        ("auto", {}, r"--shard auto: this is no task of a job array \(none of SLURM_ARRAY_TASK_ID"),
        ("auto", {"SGE_TASK_ID": "undefined"}, "this is no task of a job array"),
        ("auto", {"PBS_ARRAY_INDEX": "3"}, "PBS calls this task 3, but not how many there are; "),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, "Kubernetes calls this task 0, .* auto/N"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, "Slurm calls .* not all of SLURM_ARRAY_TASK_MIN, "),
        (
            "auto",  # --array=1,3,7
            {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "3", **LIST},
            "task 3, one of 3 from 1 to 7: number them without gaps, like 1-8",
        ),
        ("auto/8", {"PBS_ARRAY_INDEX": "0"}, "--shard auto/8: PBS .* tasks from 1 to 8"),
        ("auto/8", {"JOB_COMPLETION_INDEX": "8"}, "number the tasks from 0 to 7"),
    ],
)
def test_what_tells_no_part(written: str, variables: Mapping[str, str], said: str) -> None:
    read = shard(written)
    assert isinstance(read, ArrayShard)
    with pytest.raises(InputError, match=said):
        read.here(variables)
