"""`--sbatch`: the script of a Slurm job array, of which each task makes its part of a batch."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from backbones.atomic import write_atomic
from backbones.paths import exists
from nstcli.cli.command_line import without
from nstcli.cli.screen import Screen
from nstcli.config.options import ExecutionOptions
from nstcli.errors import InputError
from nstcli.run.job import Settings, fetch
from nstcli.text import plural, shown
from nstcli.version import VERSION

# What the tasks are not told, as the writer of their script was, with the words that follow.
_NOT_AGAIN = {"--sbatch": 1, "--shard": 1}
# Tasks of a batch that has enough pairs, where nobody says how many.
_TASKS = 8


def write_array(
    path: Path, pairs: int, settings: Settings, execution: ExecutionOptions, screen: Screen
) -> None:
    """Write the script that makes what this program was asked for, and say how to submit it.

    There are as many tasks as `--shard` has parts. The weights are fetched now: where the tasks
    run, there is often no network.

    Raises:
        InputError: a file is there already (users change what they have to in theirs), or it
            cannot be written.
        BackboneError: the weights cannot be had.
    """
    if exists(path):
        raise InputError(f"'{shown(path)}' is there already; name another file")
    fetch(settings.needed, execution.offline, screen.downloading)
    wanted = execution.shard and execution.shard.count
    tasks = wanted or min(_TASKS, pairs)
    script = script_of(sys.argv[1:], Path.cwd(), tasks)
    try:
        write_atomic(path, script.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise InputError(f"cannot write '{shown(path)}': {error.strerror or error}") from error
    screen.say(
        f"{shown(path)} makes {plural(pairs, 'pair')} in {plural(tasks, 'task')}; look at its "
        f"first lines, then: sbatch {shlex.quote(shown(path))}"
    )


def script_of(arguments: Sequence[str], folder: Path, tasks: int) -> str:
    """Return the script of an array of so many tasks.

    Args:
        arguments: of the program, behind its name.
        folder: where to run it.
        tasks: their number.
    """
    command, *rest = without(arguments, _NOT_AGAIN)
    line = shlex.join([sys.executable, "-m", "nstcli", command, "--shard", "auto", *rest])
    return f"""#!/bin/bash
# A job array for Slurm, written by nst {VERSION}: each task makes its part of one batch.
#
# Look at the following lines: they say what your cluster has to know. Those with ## are off; take
# a # away from what you need. What is given to sbatch wins over them: sbatch --array=1-20 FILE
#SBATCH --job-name=nst
#SBATCH --array=1-{tasks}
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --output=nst-%A-%a.log
##SBATCH --gres=gpu:1
##SBATCH --partition=NAME
##SBATCH --account=NAME
#
# Where tasks failed or had too little time, submit it once more: what is finished is not made
# again. For some tasks alone (sbatch --array=2,5 FILE), write --shard auto/{tasks} below, since a
# task counts those that are submitted.
# Folders, program and weights have to be where all nodes see them; for weights elsewhere than in
# your home, set NST_CACHE here.
set -eu
cd {shlex.quote(str(folder))}
exec {line}
"""
