"""`--sbatch`: the script is run by bash, as Slurm would run it, task by task."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nstcli.cli.array_script import script_of
from nstcli.cli.command_line import without
from tests.nstcli.cli.conftest import Nst

BATCH = ("batch", "photos", "art", "-o", "made", "-m", "tiny", "--size", 16, "--steps", 2)


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Return what runs a script as one task of an array, from another folder."""
    (tmp_path / "elsewhere").mkdir()

    def run(script: Path, number: int, count: int) -> "subprocess.CompletedProcess[str]":
        told = {"ID": number, "COUNT": count, "MIN": 1, "MAX": count, "STEP": 1}
        slurm = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in told.items()}
        return subprocess.run(
            ["bash", str(script)],
            cwd=tmp_path / "elsewhere",
            env={**os.environ, **slurm},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_tasks_make_the_batch_between_them(
    nst: Nst,
    folders: None,
    tmp_path: Path,
    task: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    script = tmp_path / "my array.sh"
    name = "{content} $HOME 'x' `id`__{style}"  # which bash would like to do something about
    written = nst(*BATCH, "--name", name, "--sbatch", script.name)
    assert written.code == 0, written.err
    assert "downloading weights tiny:random" in written.err  # where the network is
    said = "my array.sh makes 4 pairs in 4 tasks; look at its first lines, then: sbatch "
    assert written.err.endswith(f"{said}'my array.sh'\n")
    assert not (tmp_path / "made").exists()
    assert "\n#SBATCH --array=1-4\n" in script.read_text()
    # As `sbatch --array=1-2` would have it.
    for number, made in ((1, 2), (2, 4)):
        ended = task(script, number, 2)
        assert ended.returncode == 0, ended.stderr
        assert len(list((tmp_path / "made").glob("*.png"))) == made
    assert (tmp_path / "made" / "dog $HOME 'x' `id`__wave.png").exists()
    assert task(script, 1, 2).returncode == 0


def test_parts_of_computers_that_share_nothing_are_one_batch_in_one_folder(
    nst: Nst, folders: None, tmp_path: Path
) -> None:
    parts = [tmp_path / "made", tmp_path / "other"]
    for number, part in enumerate(parts, 1):
        assert nst(*BATCH, "-o", part, "--shard", f"{number}/2").code == 0
    shutil.copytree(parts[1], parts[0], dirs_exist_ok=True)  # as the README's `cp -R`
    assert json.loads(nst(*BATCH, "--json").out)["cached"] == 4
    assert nst("gallery", "made").code == 0
    page = (tmp_path / "made" / "index.html").read_text("utf-8")
    assert all(path.name in page for path in parts[0].glob("*.png"))


def test_a_script_is_written_only_where_nothing_is(nst: Nst, folders: None, tmp_path: Path) -> None:
    (tmp_path / "mine.sh").write_text("mine")
    refused = nst(*BATCH, "--sbatch", "mine.sh")
    assert (refused.code, refused.err) == (
        2,
        "nst: 'mine.sh' is there already; name another file\n",
    )
    assert (tmp_path / "mine.sh").read_text() == "mine"
    assert "cannot write 'no/x.sh'" in nst(*BATCH, "--sbatch", "no/x.sh").err
    assert nst(*BATCH, "--sbatch", "x.sh", "--dry-run").code == 2
    assert nst("batch", "photos", "nowhere", "--sbatch", "x.sh").code == 2  # told now, not later
    assert not (tmp_path / "x.sh").exists()


def test_there_are_as_many_tasks_as_the_shard_has_parts(
    nst: Nst, folders: None, tmp_path: Path
) -> None:
    assert nst(*BATCH, "--shard", "1/3", "--sbatch", "x.sh").code == 0
    script = (tmp_path / "x.sh").read_text()
    assert "\n#SBATCH --array=1-3\n" in script
    assert "--shard auto" in script
    assert "1/3" not in script


def test_a_task_is_told_what_its_writer_was(tmp_path: Path) -> None:
    given = ["batch", "a b", "--shard=2/8", "-o", "x", "--sbatch", "s.sh", "--", "--sbatch"]
    lines = script_of(given, tmp_path, 8).splitlines()
    assert lines[0] == "#!/bin/bash"
    assert lines[-2] == f"cd {shlex.quote(str(tmp_path))}"
    told = "-m nstcli batch --shard auto 'a b' -o x -- --sbatch"
    assert lines[-1].startswith("exec /")
    assert lines[-1].endswith(told)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a -x 1 b", "a b"),
        ("a -x=1 b", "a b"),
        ("a -y b -x", "a b"),
        ("-y -- -y -x", "-- -y -x"),
        ("--xy -x 1", "--xy"),
    ],
)
def test_options_are_left_out_with_their_values(given: str, kept: str) -> None:
    assert without(given.split(), {"-x": 1, "-y": 0}) == kept.split()
